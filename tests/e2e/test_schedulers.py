# SPDX-License-Identifier: BSD-2-Clause
"""Every I/O scheduler: owners and sums do not depend on when and by whom a request is issued.

With a scheduler a request is often issued by kblockd, and carries the bytes of several processes: tools
that look at the current task at issue, or charge a request to one process, are wrong here. test_bytes.py
has the same loads with none and mq-deadline.
"""
import contextlib
import json
import signal
import subprocess

import pytest

import helpers
from conftest import MIB, loop_attach
from fio import IOS_PER_JOB, Fio
from test_bytes import LOADS, devices_are_diskstats, direction_of, per_pid_is_fio

SCHEDULERS = ["none", "mq-deadline", "kyber", "bfq"]
ONLY_HERE = ["kyber", "bfq"]
# Random and sequential, depth 1 and 32.
SOME_LOADS = ["psync-write", "libaio-randread-32", "io_uring-randwrite-32"]


@pytest.mark.parametrize("scheduler", ONLY_HERE)
@pytest.mark.parametrize("load", SOME_LOADS)
def test_fio(whystall_both, loop, tmp_path, load, scheduler):
    """The bytes of each job, and the sum."""
    loop.scheduler(scheduler)
    fio = Fio(tmp_path, loop.target, **LOADS[load])
    before = helpers.diskstats(loop.name)
    report = whystall_both.report("--", *fio.command)
    kernel = helpers.diskstats_since(loop.name, before)
    per_pid_is_fio(report, loop.name, fio, direction_of(LOADS[load]))
    devices_are_diskstats(report, loop.name, kernel)


@pytest.mark.parametrize("scheduler", ONLY_HERE)
def test_merges_of_one_process(whystall_both, loop, tmp_path, scheduler):
    loop.scheduler(scheduler)
    fio = Fio(tmp_path, loop.target, "libaio", "write", ios=IOS_PER_JOB[:2], iodepth=32, iodepth_batch=16)
    before = helpers.diskstats(loop.name)
    report = whystall_both.report("--", *fio.command)
    kernel = helpers.diskstats_since(loop.name, before)
    assert kernel.write_merges > 0, "the load did not merge"
    per_pid_is_fio(report, loop.name, fio, "write")
    devices_are_diskstats(report, loop.name, kernel)


@pytest.mark.parametrize("scheduler", ["none", "kyber", "bfq"])
def test_two_processes_read_alternate_blocks(whystall_both, fuse_disk, scheduler):
    """Whether this scheduler lets two processes share a request or not: each total is exact."""
    disk = fuse_disk(1000).scheduler(scheduler)
    before = helpers.diskstats(disk.name)
    report, said = whystall_both.traced("--", *helpers.workload("alternate.py"), disk.target)
    kernel = helpers.diskstats_since(disk.name, before)
    blocks = {int(pid): int(count) for pid, count in map(str.split, said.splitlines())}
    assert report.per_pid("bytes", disk.name, "read") \
        == {pid: count * 4096 for pid, count in blocks.items()}
    devices_are_diskstats(report, disk.name, kernel)


@contextlib.contextmanager
def frozen(folder):
    """A loop device on a file of a frozen file system takes writes and does not answer."""
    subprocess.run(["fsfreeze", "-f", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["fsfreeze", "-u", str(folder)], check=True)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_two_processes_write_alternate_blocks(whystall_both, spawn, mounted_loop, cleanup, scheduler):
    """All blocks wait in the scheduler at once, so that neighbours of two processes do meet, in front
    and at the back. Wrong result of others: 114 blocks for one of the two, or for kblockd."""
    file = mounted_loop.folder / "disk.img"
    file.write_bytes(bytes(16 * MIB))
    upper = loop_attach(cleanup, file).scheduler(scheduler)
    subprocess.run(["sync", "-f", str(mounted_loop.folder)], check=True)
    writer = spawn("sh", "-c", 'read go; "$@"; read end', "sh",
                   *helpers.workload("interleave.py"), upper.target)
    before = helpers.diskstats(upper.name)
    tracer = whystall_both.attach("-p", str(writer.pid), "-D", upper.name)
    with frozen(mounted_loop.folder):
        writer.go()
        writer.expect("waiting")
    writer.go()
    blocks = dict(map(int, writer.line().split()) for _ in range(2))
    writer.go()
    report = tracer.report()
    kernel = helpers.diskstats_since(upper.name, before)
    if scheduler == "mq-deadline":
        assert kernel.write_merges > 50, "the load did not merge"
    assert report.per_pid("bytes", upper.name, "write") \
        == {pid: count * 4096 for pid, count in blocks.items()}
    devices_are_diskstats(report, upper.name, kernel)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_flush_discard_and_zeroes(whystall_both, loop, scheduler):
    """O_DSYNC, fsync, BLKDISCARD, fallocate(PUNCH_HOLE), BLKZEROOUT. diskstats counts zeroes as writes, a
    flush as a write of nothing, and the device's own flush as a flush. Others: no row for a flush, or
    one for kworker/0:1H; zeroes as an unknown operation or not at all.

    A loop device on tmpfs refuses the last kind of zeroes once; the kernel then writes pages of them.
    What was refused counts as written too, there and here."""
    loop.scheduler(scheduler)
    before = helpers.diskstats(loop.name)
    report, said = whystall_both.traced("--", *helpers.workload("device_ops.py"), loop.target)
    kernel = helpers.diskstats_since(loop.name, before)
    asked = json.loads(said)
    assert report.per_pid("bytes", loop.name, "write") \
        == {asked["pid"]: kernel.write_sectors * 512}
    assert report.per_pid("bytes", loop.name, "discard") == {asked["pid"]: asked["discard"]}
    assert kernel.discard_sectors * 512 == asked["discard"]
    assert kernel.write_sectors * 512 >= asked["write"]
    assert report.total("requests", pid=asked["pid"], device=loop.name, op="flush") \
        >= asked["flushes"]
    devices_are_diskstats(report, loop.name, kernel)


def test_discards_of_a_file_system(whystall, spawn, flushers, new_file_system):
    """ext4 with `discard`: freed blocks are discarded after the commit, for everybody, by the kernel."""
    volume = new_file_system("ext4", "discard")
    doomed = volume.folder / "doomed"
    doomed.write_bytes(bytes(8 * MIB))
    volume.sync()
    remover = spawn("sh", "-c", 'read go; rm "$0"; echo removed $$; read end', doomed)
    before = helpers.diskstats(volume.name)
    tracer = whystall.attach("-a", "-D", volume.name)
    remover.go()
    remover.expect("removed")
    volume.sync()
    helpers.wait_until(
        lambda: helpers.diskstats_since(volume.name, before).discard_sectors * 512 >= 8 * MIB,
        "the discards")
    report = tracer.report(signal.SIGINT)
    kernel = helpers.diskstats_since(volume.name, before)
    rows = [row for row in report.rows(comm="[kernel]") if any(io["op"] == "discard" for io in row["io"])]
    assert rows, "no discard is the kernel's"
    assert report.total("bytes", pid=0, device=volume.name, op="discard") \
        == kernel.discard_sectors * 512
    assert report.device(volume.name)["coverage_pct"] in (None, 100)
