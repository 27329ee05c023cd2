# SPDX-License-Identifier: BSD-2-Clause
"""From exec to attached: the moment at which the tool says so, and for whystall that is after the first sample."""

import contextlib

import tools
from figures import spread
from programs import Programs
from running import Running

TITLE = "From start to attached (ms), and the programs"
GOAL_MS = 100
OWN = ("whystall -a", "whystall -p")


def known_tools():
    return [tools.whystall(OWN[0], "-a"), tools.whystall(OWN[1], job=True), tools.biolatency("biolatency"),
            tools.bpftrace("bpftrace one-liner")]


def program_facts(bench, pid):
    """Instructions that the verifier followed, and what came out of it."""
    found = Programs(bench.bpftool, pid).look().values()
    return {program.name: {"verified_insns": program.verified_insns, "xlated_insns": program.bytes_xlated // 8,
                           "jited_bytes": program.bytes_jited}
            for program in sorted(found, key=lambda program: -(program.verified_insns or 0))}


def measure(bench):
    there, absent = tools.tried(known_tools())
    rounds, programs = [], {}
    with contextlib.ExitStack() as stack:
        job = stack.enter_context(Running(["sleep", "1000"]))
        for number in bench.rounds_of(TITLE):
            took = {}
            for tool in bench.turned(there, number):
                with tools.attach(tool, job.pid) as running:
                    took[tool.name] = running.ready_s * 1000
                    if tool.name not in programs:
                        programs[tool.name] = program_facts(bench, running.pid)
            rounds.append(took)
    return {"absent": absent, "rounds": rounds, "programs": programs,
            "versions": {tool.name: tool.version for tool in there if tool.version},
            "attached_ms": {tool.name: spread([took[tool.name] for took in rounds]) for tool in there}}


def total(programs, key):
    values = [program[key] for program in programs.values()]
    return None if None in values else sum(values)


def table(result, write):
    rows = []
    for name, value in result["attached_ms"].items():
        found = result["programs"][name]
        rows.append([name, write.spread(value, 0), str(len(found)),
                     *(write.figure(total(found, key), 0) for key in ("verified_insns", "xlated_insns", "jited_bytes"))])
    headers = ["insns verified", "insns translated", "bytes compiled"]
    write.table(["", "attached", "programs", *headers], rows)
    write.line()
    write.table(["whystall -p", *headers],
                [[name, *(write.figure(facts[key], 0) for key in ("verified_insns", "xlated_insns", "jited_bytes"))]
                 for name, facts in result["programs"][OWN[1]].items()])


def goals(result):
    return [(f"start to attached, {name}", result["attached_ms"].get(name), "at most", GOAL_MS, "ms") for name in OWN]
