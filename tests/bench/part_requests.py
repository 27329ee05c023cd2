# SPDX-License-Identifier: BSD-2-Clause
"""Nanoseconds per request, by the kernel's own clock around each BPF program."""

import contextlib

import host
import tools
from figures import net, ns_by_place, ran, ratio, spread
from loads import Fio
from programs import Programs
from running import Gate

TITLE = "Time of BPF programs per request (ns, by kernel.bpf_stats_enabled)"
EMPTY, PEER = "empty programs", "biolatency"
OWN = ("whystall -a", "whystall -p")
GOAL = 0.25
PLACES = ("Q", "D", "C")


def known_tools():
    return [tools.empty(EMPTY, tools.request_tracepoints()),
            tools.whystall(OWN[0], "-a"),
            tools.whystall(OWN[1], job=True),
            tools.biolatency(PEER),
            tools.biolatency("biolatency -F", "-F"),
            tools.bpftrace("bpftrace one-liner")]


def one(bench, tool):
    """One run of the load under one tool."""
    load = Fio(bench.folder, bench.device, bench.seconds)
    with contextlib.ExitStack() as stack:
        gate = stack.enter_context(Gate(load))
        running = stack.enter_context(tools.attach(tool, gate.pid))
        programs = Programs(bench.bpftool, running.pid)
        before, others = programs.look(), host.completed([bench.device_name])
        gate.go()
        others = host.completed([bench.device_name]) - others
        costs = ran(before, programs.look())
    done = load.done()
    by_place = ns_by_place(costs, done["requests"] / 2)
    return {"requests": done["requests"], "other_requests": others, "iops": round(done["iops"]),
            "ns": {place: by_place[place] for place in PLACES if place in by_place},
            "programs": {name: {"runs": cost.runs, "ns": round(cost.ns / cost.runs, 1)}
                         for name, cost in sorted(costs.items())}}


def measure(bench):
    there, absent = tools.tried(known_tools())
    rounds = []
    with host.bpf_stats():
        for number in bench.rounds_of(TITLE):
            order = bench.turned(there, number)
            rounds.append({tool.name: one(bench, tool) for tool in order})
    return {**summary(rounds), "absent": absent, "rounds": rounds, "device": bench.device_facts(),
            "versions": {tool.name: tool.version for tool in there if tool.version}}


def summary(rounds):
    """Each round has its own empty programs and its own peer: only then is anything compared."""
    names = list(dict.fromkeys(name for done in rounds for name in done))
    rows, ratios = {}, {}
    for name in sorted(names, key=[tool.name for tool in known_tools()].index):
        found = [(done[name]["ns"], done[EMPTY]["ns"]) for done in rounds if name in done]
        rows[name] = {place: spread([ns.get(place) for ns, _ in found]) for place in PLACES}
        rows[name]["sum"] = spread([sum(ns.values()) for ns, _ in found])
        rows[name]["net"] = spread([net(ns, empty) for ns, empty in found]) if name != EMPTY else None
    for own in OWN:
        for peer in (PEER, "bpftrace one-liner"):
            ratios[f"{own} / {peer}"] = spread([
                ratio(*(net(done[name]["ns"], done[EMPTY]["ns"]) for name in (own, peer)))
                for done in rounds if own in done and peer in done])
    return {"ns": rows, "net_ratios": {name: value for name, value in ratios.items() if value}}


def table(result, write):
    write.table(["", *PLACES, "sum", "net of empty"],
                [[name, *(write.spread(row[key], 0) for key in (*PLACES, "sum", "net"))]
                 for name, row in result["ns"].items()])
    for name, value in result["net_ratios"].items():
        write.line(f"net ratio {name}: {write.spread(value, 2)}")


def goals(result):
    value = result["net_ratios"].get(f"{OWN[0]} / {PEER}")
    return [("Q+D+C of whystall -a, net, of biolatency's", value, "at most", GOAL, "")]
