# SPDX-License-Identifier: BSD-2-Clause
"""What a saturated load keeps beside a tool: pairs of one run alone and one with it, kernel.bpf_stats_enabled off."""

import contextlib
import time

import tools
from figures import ratio, spread
from loads import Fio, Pipe
from programs import bpf_stats_are_on
from running import Gate, Running

TITLE = "Kept at saturation (paired runs, with the tool / alone; with nothing: what the host makes of it)"
GOAL = 0.97
PIPE_MESSAGES_PER_S = 400_000
# What attaching, and the end of the one before, leave for the kernel to do: without it the ratio of whystall -a was 0.83 and
# with it 0.95, in the same quarter of an hour.
SETTLE_S = 1
IOPS, PIPE = "IOPS", "pipe"
CONTROL = "nothing"
JOB, OTHER = "whystall -p, of it", "whystall -p, of another job"


def speed(load):
    """The greater the better."""
    done = load.done()
    if isinstance(load, Fio):
        return done["iops"]
    return 1 / done if done else None


def one(load, tool=None, beside=False):
    """beside: the tool watches another process."""
    with contextlib.ExitStack() as stack:
        gate = stack.enter_context(Gate(load))
        job = stack.enter_context(Running(["sleep", "1000"])) if beside else gate
        if tool:
            stack.enter_context(tools.attach(tool, job.pid))
        time.sleep(SETTLE_S)
        gate.go()
    return speed(load)


def pair(load, tool, beside, with_it_first):
    with_it = one(load, tool, beside) if with_it_first else None
    alone = one(load)
    if not with_it_first:
        with_it = one(load, tool, beside)
    return {"alone": alone, "with": with_it, "ratio": ratio(with_it, alone)}


def measure(bench):
    there, absent = tools.tried([tools.whystall("whystall -a", "-a"), tools.whystall(JOB, job=True),
                                 tools.biolatency("biolatency"), tools.bpftrace("bpftrace one-liner")])
    own = tools.whystall(OTHER, job=True)
    pairs = [(IOPS, name, tool, False) for name, tool in ((CONTROL, None), *((tool.name, tool) for tool in there))]
    why = Pipe.why_absent()
    if why:
        absent["perf bench sched pipe"] = why
    else:
        pairs += [(PIPE, CONTROL, None, False), (PIPE, OTHER, own, True), (PIPE, JOB, own, False)]
    loads = {IOPS: Fio(bench.folder, bench.device, bench.seconds),
             PIPE: Pipe(bench.folder, round(bench.seconds * PIPE_MESSAGES_PER_S))}
    rounds, stats_on = [], False
    for number in bench.rounds_of(TITLE):
        stats_on = stats_on or bpf_stats_are_on(bench.bpftool)
        rounds.append({f"{load}: {name}": pair(loads[load], tool, beside, number % 2 == 1)
                       for load, name, tool, beside in bench.turned(pairs, number)})
    stats_on = stats_on or bpf_stats_are_on(bench.bpftool)
    names = [f"{load}: {name}" for load, name, *_ in pairs]
    return {"absent": absent, "rounds": rounds, "device": bench.device_facts(), "bpf_stats_on": stats_on,
            "versions": {tool.name: tool.version for tool in there if tool.version},
            "kept": {name: {key: spread([done[name][key] for done in rounds]) for key in ("ratio", "alone")}
                     for name in names}}


def table(result, write):
    rows = []
    for name, kept in result["kept"].items():
        unit = "messages/s" if name.startswith(PIPE) else "IOPS"
        scale = 1e6 if name.startswith(PIPE) else 1
        alone = kept["alone"]
        rows.append([name, write.spread(kept["ratio"], 3), f"{alone.median * scale:.0f} {unit}" if alone else "-"])
    write.table(["", "ratio", "alone"], rows)
    if result["bpf_stats_on"]:
        write.line("  somebody else had the kernel take the time of BPF programs (as by kernel.bpf_stats_enabled), which makes each slower")


def goals(result):
    return [(f"IOPS kept beside {tool}", result["kept"].get(f"{IOPS}: {tool}", {}).get("ratio"), "at least", GOAL, "")
            for tool in ("whystall -a", JOB)]
