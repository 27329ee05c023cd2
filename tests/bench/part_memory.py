# SPDX-License-Identifier: BSD-2-Clause
"""Resident memory, of which the kernel's own pages that are mapped, and kernel memory of the maps; after a load."""

import contextlib
import pathlib

import tools
from figures import Spread, parse_smaps, resident_by_kind
from loads import Fio
from programs import map_bytes
from running import Gate

TITLE = "Memory after a load (MB, maps in MiB)"
GOAL_MB, GOAL_MIB = 15, 32
OWN = ("whystall -a", "whystall -p")
SEVERAL_INTERVALS_S = 3


def one(bench, tool):
    load = Fio(bench.folder, bench.device, max(bench.seconds, SEVERAL_INTERVALS_S))
    with contextlib.ExitStack() as stack:
        gate = stack.enter_context(Gate(load))
        running = stack.enter_context(tools.attach(tool, gate.pid))
        gate.go()
        smaps = pathlib.Path(f"/proc/{running.pid}/smaps").read_text(encoding="utf-8", errors="replace")
        return {"resident_bytes": resident_by_kind(parse_smaps(smaps)), "maps": map_bytes(running.pid)}


def measure(bench):
    there, absent = tools.tried([tools.whystall(OWN[0], "-a"), tools.whystall(OWN[1], job=True),
                                 tools.biolatency("biolatency"), tools.bpftrace("bpftrace one-liner")])
    return {"absent": absent, "tools": {tool.name: one(bench, tool) for tool in there},
            "versions": {tool.name: tool.version for tool in there if tool.version}}


def table(result, write):
    write.table(["", "resident", "BPF maps mapped", "heap, stack, data", "files", "maps (MiB)", "number"],
                [[name, *(f"{found['resident_bytes'][key] / 1e6:.1f}" for key in ("total", "bpf_maps", "own", "files")),
                  f"{found['maps']['bytes'] / 2**20:.1f}", str(found["maps"]["maps"])]
                 for name, found in result["tools"].items()])


def exactly(value):
    return Spread(value, value, value, 1)


def goals(result):
    rows = []
    for name in OWN:
        found = result["tools"][name]
        rows.append((f"resident memory, {name}", exactly(found["resident_bytes"]["total"] / 1e6), "at most", GOAL_MB, "MB"))
        rows.append((f"maps, {name}", exactly(found["maps"]["bytes"] / 2**20), "at most", GOAL_MIB, "MiB"))
    return rows
