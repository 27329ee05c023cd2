# SPDX-License-Identifier: BSD-2-Clause
"""The BPF programs and maps that a process holds, as its own file descriptors tell."""

import collections
import json
import pathlib
import time

import tools
from figures import parse_fdinfo
from running import run

Program = collections.namedtuple("Program", "name run_cnt run_time_ns bytes_xlated bytes_jited verified_insns")


def descriptors(pid):
    for path in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            yield parse_fdinfo(path.read_text(encoding="ascii", errors="replace"))
        except OSError:  # closed meanwhile
            continue


class Programs:
    """The programs of one process, known for as long as it runs. Others' programs come and go beside them."""

    def __init__(self, bpftool, pid):
        self.bpftool = bpftool
        self.verified = {}
        for entry in descriptors(pid):
            if "prog_id" in entry:
                insns = entry.get("verified_insns", self.verified.get(entry["prog_id"]))
                self.verified[entry["prog_id"]] = insns

    def look(self):
        """{id: Program}"""
        shown = json.loads(run(self.bpftool, "-j", "prog", "show"))
        return {program["id"]: Program(program.get("name", "?"), program.get("run_cnt", 0),
                                       program.get("run_time_ns", 0), program["bytes_xlated"],
                                       program.get("bytes_jited", 0), self.verified[program["id"]])
                for program in shown if program["id"] in self.verified}


def bpf_stats_are_on(bpftool):
    """Whether the kernel counts runs of programs: kernel.bpf_stats_enabled does not tell of those who asked by a descriptor."""
    with tools.attach(tools.empty("empty programs", tools.SCHED_TRACEPOINTS)) as running:
        time.sleep(0.01)
        return any(program.run_cnt for program in Programs(bpftool, running.pid).look().values())


def map_bytes(pid):
    """Kernel memory of its maps: {"bytes", "maps"}; a map counts once, through however many descriptors it is held."""
    found = {entry["map_id"]: entry.get("memlock", 0) for entry in descriptors(pid) if "map_id" in entry}
    return {"bytes": sum(found.values()), "maps": len(found)}
