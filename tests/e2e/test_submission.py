# SPDX-License-Identifier: BSD-2-Clause
"""Every way to submit a read or a write, against /proc/PID/io and /proc/diskstats.

test_bytes.py has O_DIRECT by psync, libaio and io_uring on a device, test_owner.py the helper threads of
io_uring and what a limit holds back: here is what goes through files and the page cache.
"""
import contextlib
import json
import os
import pathlib
import shutil
import types

import pytest

import helpers
from conftest import MIB, Q_PATHS, FileSystem, Whystall, filled_file, write_queue
from fio import Fio

READ_WAYS = ["read", "preadv", "direct", "readahead", "fadvise", "map", "madvise", "populate", "splice",
             "sendfile", "copy"]
FILE_BYTES = 2 * MIB


@pytest.fixture(scope="module", params=Q_PATHS)
def readings(traceable, request):
    """One run of all ways to read: what whystall reports, and the kernel's own counters of each."""
    with contextlib.ExitStack() as cleanup:
        volume = FileSystem("ext4", cleanup)
        arguments = [f"{way}:{filled_file(volume.folder / way, FILE_BYTES)}" for way in READ_WAYS]
        program = volume.folder / "program"
        shutil.copy("/bin/true", program)
        volume.sync()
        whystall = Whystall(cleanup)
        whystall.env = Q_PATHS[request.param]
        before = helpers.diskstats(volume.name)
        report, output = whystall.traced(
            "--", *helpers.workload("readers.py"), *arguments, f"exec:{program}")
        kernel = helpers.diskstats_since(volume.name, before)
        told = {step["way"]: step for step in map(json.loads, output.splitlines())}
        yield types.SimpleNamespace(report=report, name=volume.name, told=told, kernel=kernel)


@pytest.mark.parametrize("way", READ_WAYS)
def test_reads_of_a_cold_file(readings, way):
    """All of the file, charged where the kernel's read_bytes are. Tools that watch read(2) see nothing
    of a page fault, a splice or read-ahead; those that watch it see bytes of the cache as well."""
    told = readings.told[way]
    read = readings.report.total("bytes", pid=told["pid"], device=readings.name, op="read")
    assert read == told["read_bytes"]
    assert read >= FILE_BYTES
    assert readings.report.total("bytes", pid=told["pid"], op="write") == 0


def test_start_of_a_cold_program(readings):
    """execve and the faults that follow: read_bytes of the process that becomes the program."""
    told = readings.told["exec"]
    row = readings.report.row(pid=told["pid"])
    assert row["comm"] not in ("python3", "readers.py"), "it was not executed"
    read = readings.report.total("bytes", pid=told["pid"], device=readings.name, op="read")
    assert read == told["read_bytes"] > 0


def test_all_reads_are_somebodys(readings):
    device = readings.report.device(readings.name)
    moved = readings.kernel.read_sectors * 512
    assert moved >= len(READ_WAYS) * FILE_BYTES
    assert device["read_bytes"] == device["diskstats_read_bytes"] == moved
    assert device["unattributed_read_bytes"] == 0
    assert sum(readings.report.per_pid("bytes", readings.name, "read").values()) == moved
    assert device["coverage_pct"] == 100
    assert readings.report.nothing_lost(), readings.report.loss


FIO_BYTES = 4 * MIB
OF_FIO = {"ios": (256,), "bs": "16k", "size": "4m", "direct": 0}
LOADS = {"libaio": {"engine": "libaio"}, "io_uring": {"engine": "io_uring"},
         "sqpoll": {"engine": "io_uring", "sqthread_poll": 1},
         "io-wq": {"engine": "io_uring", "force_async": 1}}


@pytest.mark.parametrize("load", LOADS)
def test_buffered_reads(whystall_both, file_of_fio, tmp_path, load):
    """One process reads all of a file, so that no read-ahead is left behind. io_uring's workers add the
    pages: threads of the process, and its bytes. Others: "iou-wrk-4711" and "iou-sqp-4711"."""
    volume = file_of_fio
    fio = Fio(tmp_path, volume.target, rw="read", iodepth=8, **LOADS[load], **OF_FIO)
    evict(volume.target)
    before = helpers.diskstats(volume.name)
    report = whystall_both.report("--", *fio.command)
    moved = helpers.diskstats_since(volume.name, before).read_sectors * 512
    assert moved >= FIO_BYTES
    owners = report.per_pid("bytes", volume.name, "read")
    # fio's parent looks at the file too, and reads a block of the file system or two.
    assert max(owners.values()) >= FIO_BYTES
    assert sum(owners.values()) == moved
    assert 0 not in owners


def evict(path):
    with open(path, "rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


@pytest.fixture
def file_of_fio(new_file_system):
    """A file for fio on a file system of its own."""
    volume = new_file_system("ext4")
    volume.target = filled_file(volume.folder / "fio", FIO_BYTES)
    volume.sync()
    return volume


@pytest.mark.parametrize("load", LOADS)
def test_buffered_writes(whystall_both, flushers, file_of_fio, tmp_path, load):
    """Whoever made the page dirty, a worker of the ring too, was the process: its writeback."""
    volume = file_of_fio
    fio = Fio(tmp_path, volume.target, rw="write", iodepth=8, **LOADS[load], **OF_FIO)
    report = whystall_both.report(
        "--", "sh", "-c", 'sync=$0; "$@" && exec sync -f "$sync"', volume.folder, *fio.command)
    owners = {pid: count for pid, count in report.per_pid("bytes", volume.name, "write").items()
              if count >= MIB}
    assert list(owners.values()) == fio.job_bytes("write") == [FIO_BYTES]
    (pid,) = owners
    assert report.row(pid=pid)["comm"] == "fio"
    assert report.device(volume.name)["coverage_pct"] == 100


@pytest.mark.parametrize("flag", ["sync", "dsync"])
def test_synchronous_buffered_writes(whystall_both, loop, tmp_path, flag):
    """O_SYNC and O_DSYNC through the page cache: written in the caller's context, cause "submit"."""
    fio = Fio(tmp_path, loop.target, rw="write", ios=(101,), direct=0, sync=flag)
    before = helpers.diskstats(loop.name)
    report = whystall_both.report("--", *fio.command)
    kernel = helpers.diskstats_since(loop.name, before)
    owners = report.per_pid("bytes", loop.name, "write")
    assert list(owners.values()) == [101 * 4096] == [kernel.write_sectors * 512]
    (pid,) = owners
    assert report.total("bytes", pid=pid, op="write", cause="submit") == 101 * 4096


def polled_device():
    for name in os.environ.get("WHYSTALL_NVME", "").split():
        if pathlib.Path(f"/sys/block/{name}/queue/io_poll").exists():
            return name
    return pytest.skip("no device of its own with a queue to poll")


@pytest.mark.parametrize("rw", ["randread", "randwrite"])
def test_polled_io_uring(whystall_both, tmp_path, cleanup, rw):
    """IOPOLL: no interrupt; the process itself finds what is complete."""
    name = polled_device()
    with contextlib.suppress(OSError):
        write_queue(name, "io_poll", 1, cleanup)
    fio = Fio(tmp_path, f"/dev/{name}", "io_uring", rw, ios=(503, 701), iodepth=8, hipri=1)
    op = rw.removeprefix("rand")
    before = helpers.diskstats(name)
    report = whystall_both.report("--", *fio.command)
    kernel = helpers.diskstats_since(name, before)
    assert sorted(report.per_pid("bytes", name, op).values()) == fio.job_bytes(op)
    moved = kernel.read_sectors + kernel.write_sectors
    assert report.device(name)[f"{op}_bytes"] == moved * 512
