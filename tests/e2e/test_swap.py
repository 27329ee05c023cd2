# SPDX-License-Identifier: BSD-2-Clause
"""Swap: pages go out for whoever needs memory, and come back for the process that touches them.

Only in a virtual machine (make check-vm): swap is the whole machine's. Where DAMON looks for memory to free,
it wrote out other processes' pages here as well, and the pages in memory that a loop device was made of,
whose thread then waited for itself for ever.
"""
import json
import os
import pathlib
import signal
import subprocess

import pytest

import helpers
from conftest import CGROUP, MIB, BlockDevice, set_for_a_while

LIMIT = 32 * MIB
TOUCHED_MIB = 64


@pytest.fixture
def swap(traceable, cleanup):
    """A drive that the kernel swaps to, and nothing else does."""
    drives = os.environ.get("WHYSTALL_NVME", "").split()
    if not drives:
        pytest.skip("swap is the whole machine's: only in a virtual machine")
    if pathlib.Path("/sys/module/zswap/parameters/enabled").exists():
        set_for_a_while("/sys/module/zswap/parameters/enabled", "N", cleanup)
    # No guess at what is needed next: read-ahead would still run when its process has ended.
    set_for_a_while("/proc/sys/vm/page-cluster", 0, cleanup)
    device = BlockDevice(drives[0], f"/dev/{drives[0]}", cleanup)
    subprocess.run(["mkswap", device.target], check=True, stdout=subprocess.DEVNULL)
    helpers.udev_settle()
    subprocess.run(["swapon", device.target], check=True)
    cleanup.callback(subprocess.run, ["swapoff", device.target], check=True)
    return device


@pytest.fixture
def little_memory(new_cgroup):
    """A group that may use 32 MiB of memory, and any amount of swap."""
    group = new_cgroup(CGROUP)
    (group / "memory.max").write_text(str(LIMIT), encoding="ascii")
    return group


def swapped(report, device, op):
    """Bytes in the row [swap]: it says no more than that, and is nobody."""
    rows = report.rows(comm="[swap]")
    assert all(row["pid"] == 0 for row in rows)
    return sum(io["bytes"] for row in rows for io in row["io"]
               if (io["device"], io["op"]) == (device, op))


@pytest.mark.parametrize("selection", ["job", "host"])
def test_swap(whystall_both, swap, little_memory, selection):
    """64 MiB under a limit of 32: at least half goes out, and comes back twice.

    Out: the process is at Q when it must make room, but the pages may be anybody's, and elsewhere kswapd
    does it: [swap]. Others charge the process, or kswapd0. In: the page fault of the process, which
    waits for it; /proc/PID/io has the same figure.
    """
    enter = ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(little_memory),
             *helpers.workload("hungry.py"), str(TOUCHED_MIB)]
    before = helpers.diskstats(swap.name)
    if selection == "job":
        report, output = whystall_both.traced("--", *enter)
    else:
        tracer = whystall_both.attach("-a")
        output = subprocess.run(enter, check=True, stdout=subprocess.PIPE, text=True).stdout
        helpers.wait_until(lambda: helpers.diskstats(swap.name).in_flight == 0, "idle swap")
        report = tracer.report(signal.SIGINT)
    kernel = helpers.diskstats_since(swap.name, before)
    written, read = kernel.write_sectors * 512, kernel.read_sectors * 512
    half = TOUCHED_MIB * MIB - LIMIT
    assert written >= half and read >= half, "nothing was swapped"
    told = json.loads(output)

    assert swapped(report, swap.name, "write") == written
    assert report.total("bytes", pid=told["pid"], device=swap.name, op="write") == 0
    assert report.total("bytes", pid=told["pid"], device=swap.name, op="read") >= 0.9 * read
    # Pages of its program that had to go are read again, in a virtual machine through 9p: since about 6.12
    # the kernel counts these for the process too (44 pages once), and they are no block I/O.
    others = told["read_bytes"] - report.total("bytes", pid=told["pid"], op="read")
    assert 0 <= others < MIB
    assert report.total("bytes", device=swap.name, op="read") == read
    device = report.device(swap.name)
    assert (device["read_bytes"], device["write_bytes"]) == (read, written)
    assert device["unattributed_read_bytes"] == device["unattributed_write_bytes"] == 0
    assert device["coverage_pct"] == 100
    assert report.nothing_lost(), report.loss
