# SPDX-License-Identifier: BSD-2-Clause
"""Several tasks on each processor, which preempt one another, also inside whystall's programs (bpf/twice.bpf.h).

While one is away the kernel does not run the program for the others on its processor. Next to nothing may be missed so, and
what is missed must be told.
"""
import os

import pytest

import helpers
from fio import Fio

# Primes and all different, see fio.py.
IOS = (1009, 1013, 1019, 1021, 1031, 1033, 1039, 1049)
TIMER = 2
RUNS = 4
# None as a rule; but where two are preempted, the rest of a time slice is missed. With two programs 0.1 % is, and where the
# second one does not step in each time, 1.0 to 1.6 %.
MOST_MISSED = 0.0025

# Where the second program does not step in each time, of 2,400 processes 3 to 308 were not seen (with one all its children),
# and the ends of up to 5; with two programs, 1 of 9,600 was not.
FORKS = 200
PARENTS = 8
MOST_MISSED_PROCESSES = 2
# Parents that fork at the same time, one child after another.
STORM = f"""
import os
parents = []
for _ in range({PARENTS}):
    parents.append(os.fork())
    if parents[-1] == 0:
        for _ in range({FORKS}):
            pid = os.fork()
            if pid == 0:
                os._exit(0)
            os.waitpid(pid, 0)
        os._exit(0)
for pid in parents:
    os.waitpid(pid, 0)
"""


def missed_of(report, device, fio, before):
    """How many requests there were, and how many starts and latencies of them are told to be missed."""
    kernel = helpers.diskstats_since(device.name, before)
    row = report.device(device.name)
    loss = report.loss
    assert row["requests"] == kernel.reads + kernel.writes
    owned = sum(io["requests"] for io in report.io(device=device.name))
    assert owned + loss["completions_unmatched"] == row["requests"]
    latencies = sum(bucket["queue"] for io in report.io(device=device.name) for bucket in io["histogram"])
    assert latencies + loss["events_missed"] == owned
    for op, sectors in (("read", kernel.read_sectors), ("write", kernel.write_sectors)):
        assert row[f"job_{op}_bytes"] + row[f"unattributed_{op}_bytes"] == sectors * 512
        moved = sum(fio.job_bytes(op))
        assert row[f"job_{op}_bytes"] == report.total("bytes", device=device.name, op=op) <= moved
        # Nothing is anybody else's.
        assert all(bytes_ <= max(fio.job_bytes(op)) for bytes_ in report.per_pid("bytes", device.name, op).values())
    assert report.nothing_lost(), loss
    return row["requests"], loss["completions_unmatched"] + loss["events_missed"]


def test_tasks_that_are_preempted(whystall, null_devices, tmp_path):
    (device, _) = null_devices(irqmode=TIMER, submit_queues=2)
    requests = missed = 0
    for run in range(RUNS):
        folder = tmp_path / str(run)
        folder.mkdir()
        fio = Fio(folder, device.target, "libaio", "randrw", IOS, iodepth=32, cpus_allowed="0-1")
        before = helpers.diskstats(device.name)
        report = whystall.report(f"-D{device.name}", "--", *fio.command)
        more = missed_of(report, device, fio, before)
        requests, missed = requests + more[0], missed + more[1]
    assert missed <= MOST_MISSED * requests, f"{missed} of {requests} requests"


def test_processes_that_are_preempted(whystall):
    if not os.environ.get("WHYSTALL_VM"):
        pytest.skip("a storm of forks: in the virtual machine only")
    report = whystall.report("--", "/usr/bin/python3", "-c", STORM)
    whole = [row for row in report.rows() if row["pid"] and row["end_s"] is not None]
    expected = 1 + PARENTS + PARENTS * FORKS
    assert expected - MOST_MISSED_PROCESSES <= len(whole) <= expected
    assert report.nothing_lost(), report.loss
