# SPDX-License-Identifier: BSD-2-Clause
"""Who caused a request where the submitter is not, or not only, the process itself."""
import json
import signal
import subprocess

import pytest

import helpers
from conftest import MIB, filled_file
from fio import IOS_PER_JOB, Fio


def in_cgroup(path, command):
    """The command, run by a shell that enters the cgroup first."""
    return ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(path), *command]


def told_by(output):
    return [json.loads(line) for line in output.splitlines()]


@pytest.mark.parametrize("mode", ["buffered", "psync", "libaio", "io_uring"])
def test_throttled_reads(whystall_both, loop, throttle, tmp_path, mode):
    """A held bio is sent by a kernel thread; at least 99 % of the bytes must still be the job's.

    24 MiB at 24 MiB/s last about a second; without the limit a few milliseconds.
    """
    group = throttle(loop, 24 * MIB)
    options = {"engine": mode, "iodepth": 1 if mode == "psync" else 16}
    if mode == "buffered":
        options = {"engine": "psync", "direct": 0}
    fio = Fio(tmp_path, loop.target, rw="read", ios=(768,), bs="32k", **options)
    before = helpers.diskstats(loop.name)
    report = whystall_both.report("--", *in_cgroup(group, fio.command))
    moved = helpers.diskstats_since(loop.name, before).read_sectors * 512
    assert moved >= 768 * 32768
    assert report.data["window"]["seconds"] > 0.5, "the limit was not in force"
    device = report.device(loop.name)
    assert device["read_bytes"] == moved
    owned = sum(count for pid, count in report.per_pid("bytes", loop.name, "read").items() if pid)
    assert owned >= 0.99 * moved
    nobody = report.total("bytes", pid=0, device=loop.name, op="read")
    assert owned + nobody + device["unattributed_read_bytes"] == moved
    # fio's one worker did it all, not the shell before it nor fio's own parent.
    assert len([pid for pid in report.per_pid("bytes", loop.name, "read") if pid]) == 1


def test_throttled_reads_of_a_file(whystall_both, mounted_loop, throttle, tmp_path):
    """Buffered reads through a file system: the pages belong to the file's inode."""
    file = filled_file(mounted_loop.folder / "data", 16 * MIB)
    group = throttle(mounted_loop, 16 * MIB)
    command = [*helpers.workload("cold_read.py"), "self", str(file)]
    report, output = whystall_both.traced(
        "--", *in_cgroup(group, command))
    (reader,) = told_by(output)
    moved = report.device(mounted_loop.name)["read_bytes"]
    assert moved >= 16 * MIB
    assert report.data["window"]["seconds"] > 0.4, "the limit was not in force"
    assert report.total("bytes", pid=reader["pid"], device=mounted_loop.name, op="read") \
        >= 0.99 * moved


def test_buffered_cold_reads(whystall_both, disk_folder):
    """/proc/PID/io counts what the process itself sent to any device."""
    files = [filled_file(disk_folder / f"file{index}", MIB) for index in range(8)]
    report, output = whystall_both.traced(
        "--", *helpers.workload("cold_read.py"), "self", *map(str, files))
    (reader,) = told_by(output)
    assert reader["read_bytes"] >= 8 * MIB
    assert report.total("bytes", pid=reader["pid"], op="read") == reader["read_bytes"]


def test_200_short_lived_children(whystall_both, disk_folder):
    files = [filled_file(disk_folder / f"file{index}", MIB) for index in range(4)]
    for index in range(4, 200):
        with open(disk_folder / f"file{index}", "wb") as small:
            small.write(bytes([index]) * 65536)
        files.append(disk_folder / f"file{index}")
    subprocess.run(["sync", "-f", str(disk_folder)], check=True)
    report, output = whystall_both.traced(
        "--", *helpers.workload("cold_read.py"), "children", *map(str, files))
    children = told_by(output)
    assert len({child["pid"] for child in children}) == 200
    assert all(child["read_bytes"] >= 65536 for child in children)
    for child in children:
        row = report.row(pid=child["pid"])
        assert row["end_s"] is not None
        assert sum(io["bytes"] for io in row["io"] if io["op"] == "read") == child["read_bytes"]
    assert report.nothing_lost(), report.loss


@pytest.mark.parametrize("option", ["sqthread_poll", "force_async"])
def test_io_uring_helper_threads(whystall_both, loop, tmp_path, option):
    """The kernel's polling and worker threads of a ring belong to the process of the ring."""
    fio = Fio(tmp_path, loop.target, "io_uring", ios=IOS_PER_JOB[:2], iodepth=4, **{option: 1})
    report = whystall_both.report("--", *fio.command)
    assert sorted(report.per_pid("bytes", loop.name, "read").values()) == fio.job_bytes("read")


def test_threads_are_one_process(whystall_both, loop):
    report = whystall_both.report(
        "--", *helpers.workload("blockread"), "-t", "7", "-n", "31", loop.target)
    row = report.row(comm="blockread")
    assert row["threads"] == 8
    # Pages of the program itself may have to be read too.
    (io,) = [io for io in row["io"] if io["device"] == loop.name]
    assert (io["requests"], io["bytes"]) == (7 * 31, 7 * 31 * 4096)


def test_exec_keeps_the_pid_and_its_bytes(whystall_both, loop, tmp_path):
    """Two programs, one process: the name is the last one, the bytes are those of both."""
    second = tmp_path / "secondname"
    second.symlink_to(helpers.workload("blockread")[0])
    report = whystall_both.report(
        "--", *helpers.workload("blockread"), "-n", "19", loop.target, second, "-n", "23", loop.target)
    (row,) = [row for row in report.processes if row["io"]]
    assert row["comm"] == "secondname"
    assert str(second) in row["cmdline"]
    assert report.total("bytes", pid=row["pid"], device=loop.name, op="read") == (19 + 23) * 4096


def test_worker_killed_and_respawned(whystall_both, loop):
    report, output = whystall_both.traced(
        "--", *helpers.workload("respawn.py"), *helpers.workload("blockread"), loop.target)
    first, second = map(int, output.split())
    assert report.total("bytes", pid=first, device=loop.name) == 11 * 4096
    assert report.total("bytes", pid=second, device=loop.name) == 17 * 4096
    assert report.row(pid=first)["end_s"] <= report.row(pid=second)["start_s"]
    assert report.row(pid=first)["ppid"] == report.row(pid=second)["ppid"]


def test_pid_reuse_does_not_merge(whystall, spawn, loop):
    try:
        with open("/proc/sys/kernel/ns_last_pid", "r+", encoding="ascii"):
            pass
    except OSError:
        pytest.skip("no writable /proc/sys/kernel/ns_last_pid")
    parent = spawn(*helpers.workload("pid_reuse.py"), loop.target)
    tracer = whystall.attach("-p", str(parent.pid))
    parent.go()
    told = parent.line()
    if told == "none":
        pytest.skip("the PID could not be had again")
    report = tracer.report()
    rows = report.rows(pid=int(told))
    assert sorted(sum(io["bytes"] for io in row["io"]) for row in rows if row["io"]) \
        == [7 * 4096, 13 * 4096]


def test_direct_writes_with_o_dsync(whystall_both, loop, tmp_path):
    """Each write asks for a flush too: write + flush requests are diskstats' writes, all owned."""
    fio = Fio(tmp_path, loop.target, rw="randwrite", ios=(23,), sync="dsync")
    before = helpers.diskstats(loop.name)
    report = whystall_both.report("--", *fio.command)
    kernel = helpers.diskstats_since(loop.name, before)
    assert kernel.flushes > 0
    assert report.total("bytes", device=loop.name, op="write") == 23 * 4096
    assert report.total("requests", device=loop.name, op="write") \
        + report.total("requests", device=loop.name, op="flush") == kernel.writes
    assert {pid for op in ("write", "flush") for pid in report.per_pid("requests", loop.name, op)} \
        == {row["pid"] for row in report.processes
            if any(io["device"] == loop.name for io in row["io"])}


def test_two_processes_on_one_disk(whystall_both, spawn, loop):
    """One traced by -p, the other hammers the same device: none of its bytes are the job's."""
    traced_one = spawn(*helpers.workload("blockread"), "-wh", "-n", "503", loop.target)
    other = spawn(*helpers.workload("blockread"), "-w", "-n", "2003", "-k", "4096", loop.target)
    traced_one.expect("ready")
    other.expect("ready")
    before = helpers.diskstats(loop.name)
    tracer = whystall_both.attach("-p", str(traced_one.pid))
    other.go()
    traced_one.go()
    assert other.wait() == 0
    traced_one.expect("done")
    traced_one.go()
    report = tracer.report()
    kernel = helpers.diskstats_since(loop.name, before)
    assert kernel.read_sectors * 512 == 2506 * 4096
    assert [row["pid"] for row in report.processes] == [traced_one.pid]
    device = report.device(loop.name)
    assert device["job_read_bytes"] == report.total("bytes", device=loop.name) == 503 * 4096
    assert device["read_bytes"] == device["diskstats_read_bytes"]
    assert device["unattributed_read_bytes"] == 0
    assert device["coverage_pct"] == 100


def test_folding_keeps_the_sum(whystall, spawn, loop):
    """More processes than keys: bytes are folded or counted, but never gone."""
    parent = spawn("sh", "-c",
                   'read go; for i in $(seq 60); do "$0" -n 3 "$1" > /dev/null; done',
                   *helpers.workload("blockread"), loop.target)
    tracer = whystall.attach("-i", "100ms", "--max-keys", "8", "-p", str(parent.pid))
    before = helpers.diskstats(loop.name)
    parent.go()
    assert parent.wait() == 0
    report = tracer.report()
    moved = helpers.diskstats_since(loop.name, before).read_sectors * 512
    assert moved == 60 * 3 * 4096
    device = report.device(loop.name)
    assert device["read_bytes"] == moved
    assert report.total("bytes", device=loop.name) + device["unattributed_read_bytes"] == moved
    folded = report.total("bytes", pid=0, device=loop.name)
    assert folded > 0 or report.loss["keys_folded"] > 0


def test_interrupted_measurement_keeps_what_it_saw(whystall, spawn, loop):
    child = spawn(*helpers.workload("blockread"), "-wh", "-n", "101", loop.target)
    child.expect("ready")
    tracer = whystall.attach("-p", str(child.pid))
    child.go()
    child.expect("done")
    report = tracer.report(signal.SIGINT)
    row = report.row(pid=child.pid)
    assert row["end_s"] is None and row["start_s"] < 0
    assert report.total("bytes", pid=child.pid, device=loop.name) == 101 * 4096
