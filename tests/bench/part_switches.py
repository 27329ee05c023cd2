# SPDX-License-Identifier: BSD-2-Clause
"""Nanoseconds per context switch and wakeup, by the kernel's own clock around each BPF program."""

import contextlib

import host
import tools
from figures import ns_by_place, ran, spread
from loads import Pipe
from programs import Programs
from running import Gate, Running

TITLE = "Time of BPF programs per context switch (ns, by kernel.bpf_stats_enabled)"
EMPTY, OUTSIDE, INSIDE = "empty programs", "outside the job", "in the job"
PLACES = ("switch", "waking", "wakeup")
GOAL_NS = 15
MESSAGES_PER_S = 200_000


def one(bench, name):
    load = Pipe(bench.folder, round(bench.seconds * MESSAGES_PER_S))
    with contextlib.ExitStack() as stack:
        gate = stack.enter_context(Gate(load))
        if name == EMPTY:
            tool, job = tools.empty(EMPTY, tools.SCHED_TRACEPOINTS), None
        else:
            tool = tools.whystall(name, job=True)
            job = gate if name == INSIDE else stack.enter_context(Running(["sleep", "1000"]))
        running = stack.enter_context(tools.attach(tool, job and job.pid))
        programs = Programs(bench.bpftool, running.pid)
        before = programs.look()
        gate.go()
        costs = ran(before, programs.look())
    by_place = ns_by_place(costs, bench.seconds * MESSAGES_PER_S / 2)
    return {place: by_place[place] for place in PLACES if place in by_place}


def measure(bench):
    why = Pipe.why_absent()
    if why:
        return {"absent": {"perf bench sched pipe": why}}
    rounds = []
    with host.bpf_stats():
        for number in bench.rounds_of(TITLE):
            rounds.append({name: one(bench, name) for name in bench.turned([EMPTY, OUTSIDE, INSIDE], number)})
    return {"absent": {}, "rounds": rounds, **summary(rounds)}


def summary(rounds):
    ns = {name: {place: spread([done[name].get(place) for done in rounds]) for place in PLACES}
          for name in (EMPTY, OUTSIDE, INSIDE)}
    above = {name: {place: spread([done[name][place] - done[EMPTY][place] for done in rounds
                                   if place in done[name] and place in done[EMPTY]]) for place in PLACES}
             for name in (OUTSIDE, INSIDE)}
    return {"ns": ns, "above_empty_ns": above}


def table(result, write):
    if "ns" not in result:
        return
    rows = [[name, *(write.spread(row[place], 0) for place in PLACES)] for name, row in result["ns"].items()]
    rows += [[f"{name}, above empty", *(write.spread(row[place], 0) for place in PLACES)]
             for name, row in result["above_empty_ns"].items()]
    write.table(["", *(f"sched_{place}" for place in PLACES)], rows)


def goals(result):
    value = result.get("above_empty_ns", {}).get(OUTSIDE, {}).get("switch")
    return [("sched_switch outside the job, above empty", value, "at most", GOAL_NS, "ns")]
