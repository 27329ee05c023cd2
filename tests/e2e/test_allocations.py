# SPDX-License-Identifier: BSD-2-Clause
"""In steady state an interval allocates nothing, and of an idle job it makes few system calls."""
import ctypes
import mmap
import os
import signal
import struct
import subprocess
import sys
import tempfile

import pytest

import helpers

# A job that does the same in each interval: a reader in another process that is fed by a pipe, writes to a file, and
# threads enough that sorting their rows takes more than a few bytes.
STEADY = """
import os, sys, threading, time
r, w = os.pipe()
if os.fork() == 0:
    os.close(w)
    while os.read(r, 1):
        pass
    os._exit(0)
for _ in range(40):
    threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
print("ready", os.getpid(), flush=True)
while os.getppid() == int(sys.argv[2]):
    os.write(w, b"x")
    os.pwrite(file, b"y" * 4096, 0)
    time.sleep(0.002)
"""
# Intervals that are looked at together, and how many of these may be lost to others on this host: a process that starts, or
# reads from another disk, is new, and needs memory.
WINDOW = 40
OTHERS = 4

CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 0x40000


def keep_mounts():
    """What others mount meanwhile is not seen by a process that begins with this."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.unshare(CLONE_NEWNS) == 0
    assert libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) == 0


class Counted:
    """whystall with its allocations counted: how many in each interval so far."""

    def __init__(self, start, *args):
        self.file = tempfile.NamedTemporaryFile()
        library = helpers.workload("liballocations.so")[0]
        self.tracer = start(*args, env={"LD_PRELOAD": library, "ALLOCATIONS": self.file.name},
                            preexec_fn=keep_mounts)
        helpers.wait_until(lambda: self.file.seek(0, 2), "the counters")
        self.counts = mmap.mmap(self.file.fileno(), 0, prot=mmap.PROT_READ)

    def waits(self):
        return struct.unpack_from("Q", self.counts)[0]

    def intervals(self, count, timeout_s=helpers.PATIENCE_S):
        """The allocations in each of the first so many intervals, and before these."""
        def enough():
            assert self.tracer.process.poll() is None, self.tracer.finish()
            return self.waits() > count
        helpers.wait_until(enough, f"{count} intervals", timeout_s)
        total = struct.unpack_from(f"{count + 1}Q", self.counts, 8)
        return [total[0]] + [after - before for before, after in zip(total, total[1:])]

    def settles(self, first, most, per_interval=0):
        """Does it, from an interval on, allocate no more than that in nearly all of a window?"""
        for begin in range(first, most, WINDOW):
            window = self.intervals(begin + WINDOW)[-WINDOW:]
            if sum(count > per_interval for count in window) <= OTHERS:
                return
        raise AssertionError(f"allocations in the last intervals: {window}")


@pytest.fixture
def counted(cleanup, rootless):
    def start(*args, **options):
        tracer = helpers.Tracer(*args, **options)
        cleanup.callback(tracer.close)
        return tracer
    return lambda *args: Counted(start, *args)


@pytest.fixture
def job(spawn, tmp_path):
    child = spawn(sys.executable, "-c", STEADY, tmp_path / "file", str(os.getpid()))
    child.expect("ready")
    return str(child.pid)


def test_counter_counts(counted, tmp_path):
    """What the others rest on: a program that allocates in each interval is seen to."""
    program = ("import select, time\n"
               "poll = select.poll()\n"
               "while True:\n"
               "    poll.poll(10)\n"
               "    bytearray(1 << 20)\n")
    file = tmp_path / "counts"
    file.touch()
    with subprocess.Popen([sys.executable, "-c", program], env={
            **helpers.environment(), "ALLOCATIONS": str(file),
            "LD_PRELOAD": helpers.workload("liballocations.so")[0]}) as process:
        helpers.wait_until(lambda: file.stat().st_size and
                           struct.unpack_from("Q", file.read_bytes())[0] > 20, "20 waits")
        process.kill()
    total = struct.unpack_from("20Q", file.read_bytes(), 8)
    assert total[0] > 100 and all(after > before for before, after in zip(total, total[1:])), total


# Of `stat`: rows are judged and printed in each interval.
@pytest.mark.parametrize("args", [
    ["-a"],
    ["-a", "-D", "all", "-O", "json"],
    ["-p"],
    ["-p", "-O", "json"],
    ["-p", "-D", "all", "-O", "csv"],
    ["--no-bpf", "-p", "-O", "json"],
], ids=" ".join)
def test_rows(counted, traceable, job, args):
    args = [argument for given in args for argument in ([given, job] if given == "-p" else [given])]
    run = counted("stat", *args, "100ms")
    assert run.intervals(1)[0] > 10
    run.settles(WINDOW, 6 * WINDOW)


@pytest.mark.parametrize("source", [[], ["--no-bpf"]], ids=["bpf", "proc"])
def test_judged(counted, traceable, job, source):
    """A run remembers what was done in each stretch of it: three arrays for each interval, until there are 600 stretches.

    They are added up in pairs then, and from there on memory is used again.
    """
    stretches = 600
    run = counted(*source, "-p", job, "-i", "20ms", "-O", "json")
    run.settles(WINDOW, 6 * WINDOW, per_interval=3)
    run.settles(stretches + WINDOW, stretches + 6 * WINDOW)
    report = run.tracer.report(stop=signal.SIGINT)
    assert report.row(pid=int(job))["threads"] >= 41


# Two for the wait and its timer, few for devices, mounts and tables that may have changed, ten for a look at what the
# one process has mapped; each eighth time what limits it has, some thirty; some more for rows and what they are made of.
MOST_CALLS = 40


@pytest.mark.parametrize("args", [["-i", "100ms"], ["stat", "100ms"]], ids=" ".join)
def test_idle(counted, traceable, spawn, args):
    """However many disks and processes this host has."""
    idle = str(spawn("sleep", "1000").pid)
    run = counted(*args, "-p", idle)
    run.intervals(WINDOW)
    averages = []
    for _ in range(5):
        before = run.waits()
        calls = int(subprocess.run([*helpers.workload("syscalls"), str(run.tracer.process.pid), "1000"],
                                   stdout=subprocess.PIPE, check=True).stdout)
        averages.append(calls / (run.waits() - before))
    # A device that others on this host attach meanwhile is looked at.
    assert min(averages) <= MOST_CALLS, averages
