# SPDX-License-Identifier: BSD-2-Clause
"""Bytes per process, exactly, against fio's own JSON and against /proc/diskstats."""
import collections

import pytest

import helpers
from conftest import write_queue
from fio import IOS_PER_JOB, Fio

LOADS = {
    "psync-randread": dict(engine="psync", rw="randread", ios=IOS_PER_JOB),
    "psync-write": dict(engine="psync", rw="write", ios=IOS_PER_JOB[:2], bs="16k"),
    "libaio-randread-32": dict(engine="libaio", rw="randread", ios=IOS_PER_JOB, iodepth=32),
    "libaio-write-32": dict(engine="libaio", rw="write", ios=IOS_PER_JOB[:2], iodepth=32),
    "io_uring-read-32": dict(engine="io_uring", rw="read", ios=IOS_PER_JOB[:2], iodepth=32),
    "io_uring-randwrite-32": dict(engine="io_uring", rw="randwrite", ios=IOS_PER_JOB, iodepth=32),
}


def direction_of(load):
    return "write" if "write" in load["rw"] else "read"


def per_pid_is_fio(report, device, fio, op, shared=False):
    jobs = fio.job_bytes("trim" if op == "discard" else op)
    owners = report.per_pid("bytes", device, op)
    # On a disk that others use too, what somebody wrote before is written back meanwhile, for nobody that is known.
    assert shared or 0 not in owners, "bytes of a job were given to nobody"
    # There fio itself may have had to read a file of its own, too.
    others = collections.Counter(owners.values()) - collections.Counter(jobs)
    assert sorted((collections.Counter(owners.values()) - others).elements()) == jobs
    assert not others or shared, owners
    assert report.nothing_lost(), report.loss
    assert report.total("errors", device=device) == 0


def devices_are_diskstats(report, device, kernel):
    """Owners + unattributed = what the kernel counted over the run, while nobody else used the device."""
    row = report.device(device)
    for op, sectors in (("read", kernel.read_sectors), ("write", kernel.write_sectors)):
        assert row[f"{op}_bytes"] == row[f"diskstats_{op}_bytes"] == sectors * 512
        assert row[f"job_{op}_bytes"] == report.total("bytes", device=device, op=op)
        assert row[f"job_{op}_bytes"] + row[f"unattributed_{op}_bytes"] == sectors * 512
    moved = kernel.read_sectors + kernel.write_sectors
    assert row["coverage_pct"] == (100 if moved else None)
    # A request that moves nothing but asks for a flush is a write to diskstats, a flush here.
    counted = {op: report.total("requests", device=device, op=op)
               for op in ("read", "write", "discard", "flush")}
    assert counted["read"] == kernel.reads
    assert counted["write"] + counted["flush"] == kernel.writes
    assert counted["discard"] == kernel.discards
    assert row["requests"] == kernel.reads + kernel.writes + kernel.discards


@pytest.mark.parametrize("scheduler", ["none", "mq-deadline"])
@pytest.mark.parametrize("load", LOADS)
def test_loop_device(whystall_both, loop, tmp_path, load, scheduler):
    loop.scheduler(scheduler)
    fio = Fio(tmp_path, loop.target, **LOADS[load])
    before = helpers.diskstats(loop.name)
    report = whystall_both.report("--", *fio.command)
    kernel = helpers.diskstats_since(loop.name, before)
    per_pid_is_fio(report, loop.name, fio, direction_of(LOADS[load]))
    devices_are_diskstats(report, loop.name, kernel)


@pytest.mark.parametrize("scheduler", ["none", "mq-deadline"])
@pytest.mark.parametrize("load", LOADS)
def test_disk_of_the_machine(whystall, disk, tmp_path, load, scheduler):
    disk.scheduler(scheduler)
    fio = Fio(tmp_path, disk.target, **LOADS[load])
    report = whystall.report("--", *fio.command)
    per_pid_is_fio(report, disk.name, fio, direction_of(LOADS[load]), shared=True)
    row = report.device(disk.name)
    op = direction_of(LOADS[load])
    assert row[f"job_{op}_bytes"] >= sum(fio.job_bytes(op))
    assert row[f"{op}_bytes"] >= row[f"job_{op}_bytes"]


def test_one_request_per_io(whystall_both, loop, tmp_path):
    """Depth 1, random: nothing can merge, so that requests are fio's I/Os."""
    fio = Fio(tmp_path, loop.target, ios=(1009,))
    report = whystall_both.report("--", *fio.command)
    assert report.total("requests", device=loop.name, op="read") == fio.ios("read") == 1009


@pytest.mark.parametrize("rw", ["read", "write"])
@pytest.mark.parametrize("scheduler", ["none", "mq-deadline"])
def test_merged_requests(whystall_both, loop, tmp_path, scheduler, rw):
    """Neighbours handed over together become one request, as many as diskstats says."""
    loop.scheduler(scheduler)
    fio = Fio(tmp_path, loop.target, "libaio", rw, ios=(4001,), iodepth=32, iodepth_batch=16)
    before = helpers.diskstats(loop.name)
    report = whystall_both.report("--", *fio.command)
    kernel = helpers.diskstats_since(loop.name, before)
    assert kernel.read_merges + kernel.write_merges > 0, "the load did not merge"
    per_pid_is_fio(report, loop.name, fio, rw)
    devices_are_diskstats(report, loop.name, kernel)


def test_requests_larger_than_the_device_takes(whystall_both, loop, tmp_path):
    """One read of 4 MiB is split into requests; all its bytes stay with the process."""
    fio = Fio(tmp_path, loop.target, rw="read", ios=(13,), bs="4m")
    before = helpers.diskstats(loop.name)
    report = whystall_both.report("--", *fio.command)
    kernel = helpers.diskstats_since(loop.name, before)
    assert kernel.reads > 13, "the load was not split"
    per_pid_is_fio(report, loop.name, fio, "read")
    devices_are_diskstats(report, loop.name, kernel)


def test_reads_and_writes_of_one_process(whystall_both, loop, tmp_path):
    fio = Fio(tmp_path, loop.target, "libaio", "randrw", ios=IOS_PER_JOB[:2], iodepth=8)
    report = whystall_both.report("--", *fio.command)
    for op in ("read", "write"):
        per_pid_is_fio(report, loop.name, fio, op)


def test_discards(whystall_both, loop, tmp_path):
    fio = Fio(tmp_path, loop.target, rw="randtrim", ios=(401,))
    before = helpers.diskstats(loop.name)
    report = whystall_both.report("--", *fio.command)
    kernel = helpers.diskstats_since(loop.name, before)
    if kernel.discards == 0:
        pytest.skip("this loop device takes no discards")
    per_pid_is_fio(report, loop.name, fio, "discard")
    assert report.total("bytes", device=loop.name, op="discard") == kernel.discard_sectors * 512
    devices_are_diskstats(report, loop.name, kernel)


@pytest.mark.parametrize("target", ["loop", "disk"])
def test_fsyncs_are_flushes_of_their_caller(whystall_both, request, target):
    """With nothing dirty an fsync is one flush, sent by the caller itself.

    Kernel 6.18: each counts in diskstats as one write of nothing and, when the device's own flush
    ends, as one flush.
    """
    device = request.getfixturevalue(target)
    before = helpers.diskstats(device.name)
    report = whystall_both.report(
        "--", *helpers.workload("blockread"), "-S", "-n", "20", device.target)
    kernel = helpers.diskstats_since(device.name, before)
    if kernel.flushes == 0:
        pytest.skip(f"{device.name} has no write cache")
    (flush,) = report.io(device=device.name, op="flush")
    assert (flush["requests"], flush["bytes"]) == (20, 0)
    assert flush["queue_us"] is None
    assert flush["device_us"]["max"] > 0
    assert flush in report.row(comm="blockread")["io"]
    assert report.nothing_lost(), report.loss
    if target == "loop":
        assert kernel.writes == 20
        devices_are_diskstats(report, device.name, kernel)


def test_errors(whystall_both, fuse_disk):
    """30 of 110 reads fail: counted as errors, and their bytes count as in diskstats."""
    device = fuse_disk(0, fail_from=80 * 4096)
    before = helpers.diskstats(device.name)
    report = whystall_both.report(
        "--", *helpers.workload("blockread"), "-n", "110", device.target)
    kernel = helpers.diskstats_since(device.name, before)
    (io,) = report.io(device=device.name, op="read")
    assert (io["errors"], io["requests"]) == (30, 110)
    assert io["bytes"] == kernel.read_sectors * 512
    devices_are_diskstats(report, device.name, kernel)


def test_without_iostats(whystall_both, loop, cleanup):
    """With iostats off the kernel keeps no time of its own: bytes and times must not need it."""
    write_queue(loop.name, "iostats", 0, cleanup)
    report = whystall_both.report(
        "--", *helpers.workload("blockread"), "-n", "211", loop.target)
    (io,) = report.io(device=loop.name, op="read")
    assert (io["requests"], io["bytes"]) == (211, 211 * 4096)
    assert 0 < io["device_us"]["p50"] < 1e6
    assert report.device(loop.name)["coverage_pct"] is None
