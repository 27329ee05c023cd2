# SPDX-License-Identifier: BSD-2-Clause
"""Buffered writes: written back by a kernel thread, charged to the process that made the pages dirty.

The tools before this one charge all of it to the thread (kworker/u8:flush-7:0, or a worker of the file
system) or, where they follow the device's workers, to nobody. The kernel itself knows better, in
/proc/PID/io: write_bytes counts pages at the moment when a process makes them dirty.
"""
import contextlib
import json
import os
import re
import signal
import subprocess
import types

import pytest

import helpers
from conftest import (
    CGROUP, FILE_SYSTEMS, MIB, Q_PATHS, FileSystem, Flushers, Whystall, set_for_a_while)

# In this order, each by a process that has ended before anything is written back.
STEPS = {
    "buffered": "write:buffered:8388608",
    "mapped": "map:mapped:4194304",
    "appended": "append:appended:1024000",
    "extended": "extend:extended:2097152",
    "rewritten": "rewrite:rewritten:2097152",
    "checkpoint": "checkpoint:checkpoint:4194304",
    "many": "many:many:5120000",
    # Two processes and one inode.
    "dirtied": "write:synced:2097152",
    "synced": "fsync:synced:0",
    "first": "write:shared:2097152",
    "last": "extend:shared:1048576",
    "covered": "write:covered:2097152",
    "covering": "write:covered:1048576",
    "before": "write:between:2097152",
    "sync": "sync::0",
    "after": "write:between:1048576",
    "behind": "extend:extended:1048576",
    "second sync": "sync::0",
}


def writers(*arguments):
    return [*helpers.workload("writers.py"), *map(str, arguments)]


def told_by(output):
    return [json.loads(line) for line in output.splitlines()]


def size_of(step):
    return int(step.split(":")[2])


def rows_are_diskstats(report, device, kernel):
    """All rows, with those of the kernel, + unattributed = what the device wrote. Needs -a."""
    row = report.device(device)
    for op, sectors in (("read", kernel.read_sectors), ("write", kernel.write_sectors)):
        assert report.total("bytes", device=device, op=op) + row[f"unattributed_{op}_bytes"] \
            == row[f"{op}_bytes"] == row[f"diskstats_{op}_bytes"] == sectors * 512
    assert report.nothing_lost(), report.loss


@pytest.fixture(scope="module", params=[
    *(("ext4", q_path) for q_path in Q_PATHS),
    *((kind, next(iter(Q_PATHS))) for kind in ("xfs", "btrfs"))], ids="-".join)
def written(traceable, request):
    """One run of STEPS under whystall: what it reports, and what each process says of itself."""
    kind, q_path = request.param
    with contextlib.ExitStack() as cleanup:
        Flushers(cleanup)
        volume = FileSystem(kind, cleanup)
        (volume.folder / "extended").write_bytes(bytes(MIB))
        volume.sync()
        whystall = Whystall(cleanup)
        whystall.env = Q_PATHS[q_path]
        before = helpers.diskstats(volume.name)
        report, output = whystall.traced("--", *writers(volume.folder, *STEPS.values()))
        kernel = helpers.diskstats_since(volume.name, before)
        yield types.SimpleNamespace(
            kind=kind, name=volume.name, report=report, kernel=kernel,
            told=dict(zip(STEPS, told_by(output), strict=True)))


def bytes_of(written, step, cause=None):
    return written.report.total("bytes", pid=written.told[step]["pid"], device=written.name,
                                op="write", cause=cause)


def is_written_back(written, step):
    """All of it, nothing but it, and as the kernel has it: the wrong result would be 0, all three times.

    btrfs makes pages of its trees dirty in the process that changes them, and counts them for it in
    /proc; they are written by whoever commits, and are the kernel's here.
    """
    size = size_of(STEPS[step])
    assert bytes_of(written, step, "writeback") == size
    assert bytes_of(written, step) == size
    if written.kind == "btrfs":
        assert written.told[step]["write_bytes"] >= size
    else:
        assert written.told[step]["write_bytes"] == size


def test_buffered_writes(written):
    """Others: 8 MiB for kworker/u8:flush, none for the writer."""
    is_written_back(written, "buffered")


def test_writes_through_a_shared_mapping(written):
    """No system call writes here: tools that watch write(2) see nothing, block tools the flusher."""
    is_written_back(written, "mapped")


def test_appends(written):
    """1,024 calls for 250 pages: each page counts once, where counting calls' bytes is right by chance
    only."""
    is_written_back(written, "appended")


def test_appends_to_a_file_on_disk(written):
    """Two processes, one after the other, behind what was there: each what it appended and no more."""
    is_written_back(written, "extended")
    is_written_back(written, "behind")


def test_truncate_and_rewrite(written):
    """6 MiB are written, 4 of them thrown away before they reach the disk. By counting write(2) it
    would be 6 MiB. A file that was cut to nothing is submitted by close(2) on some file systems:
    either cause is right."""
    step = written.told["rewritten"]
    size = size_of(STEPS["rewritten"])
    # xfs of 6.1 writes the block again in which it cut the file; the kernel may charge it for that.
    sizes = (size, size + 4096 * (written.kind == "xfs"))
    assert bytes_of(written, "rewritten") in sizes
    assert step["wchar"] >= 3 * size
    if written.kind != "btrfs":
        assert step["write_bytes"] - step["cancelled_write_bytes"] in sizes


def test_checkpoint(written):
    """Write, fsync, rename: fsync submits in the caller's own context, and nothing is left for the
    flusher. What the file system itself adds in that context (a log) is the caller's too."""
    size = size_of(STEPS["checkpoint"])
    assert bytes_of(written, "checkpoint", "submit") >= size
    assert bytes_of(written, "checkpoint", "writeback") == 0
    if written.kind == "ext4":  # its journal is written by a thread: no bytes of that are here
        assert bytes_of(written, "checkpoint") == size


def test_many_small_files(written):
    """500 inodes, each to be remembered until its pages are written."""
    is_written_back(written, "many")


def test_fsync_of_what_another_wrote(written):
    """The kernel's write_bytes are the dirtier's, but its requests are made by fsync, in the caller's
    context and at the caller's cost: cause "submit" says that it asked for them."""
    size = size_of(STEPS["dirtied"])
    assert bytes_of(written, "dirtied") == 0
    assert bytes_of(written, "synced", "submit") >= size
    assert bytes_of(written, "synced", "writeback") == 0
    assert written.told["dirtied"]["write_bytes"] >= size
    if written.kind != "btrfs":
        assert written.told["synced"]["write_bytes"] == 0


def test_two_writers_of_one_file(written):
    """The rule: the last process that made a page of the inode dirty owns all that is written then."""
    assert bytes_of(written, "first") == 0
    assert bytes_of(written, "last", "writeback") == 3 * MIB


def test_writing_over_a_dirty_page_changes_nothing(written):
    """The page is dirty already, for whom the kernel's write_bytes counted it."""
    assert bytes_of(written, "covered", "writeback") == 2 * MIB
    assert bytes_of(written, "covering") == 0
    if written.kind != "btrfs":
        assert written.told["covering"]["write_bytes"] == 0


def test_two_writers_with_a_sync_between(written):
    assert bytes_of(written, "before", "writeback") == 2 * MIB
    assert bytes_of(written, "after", "writeback") == MIB


def test_sync_is_not_the_writer(written):
    """sync(2) waits for the flusher: file data stays the dirtiers'. Its own are blocks of the file
    system that it submits itself."""
    data = sum(bytes_of(written, step) for step in STEPS if "sync" not in step)
    assert sum(bytes_of(written, step, "writeback") for step in ("sync", "second sync")) == 0
    assert bytes_of(written, "sync") < data / 8


def test_dirtiers_that_have_exited_keep_their_rows(written):
    report = written.report
    exited = [report.row(pid=step["pid"]) for step in written.told.values()]
    assert all(row["end_s"] is not None for row in exited)
    ends = [row["end_s"] for row in exited]
    assert ends == sorted(ends)
    assert all("writers.py" in row["cmdline"] for row in exited)


def test_nothing_is_lost_on_the_way(written):
    """Job + kernel = diskstats. The journal and the trees are the kernel's, not spread over writers."""
    device = written.report.device(written.name)
    moved = written.kernel.write_sectors * 512
    assert device["write_bytes"] == device["diskstats_write_bytes"] == moved
    assert device["unattributed_write_bytes"] == 0
    assert device["coverage_pct"] == 100
    kernel = written.report.total("bytes", pid=0, device=written.name, op="write")
    assert device["job_write_bytes"] + kernel == moved
    assert written.report.loss["dirtiers_unknown"] == 0
    assert written.report.nothing_lost(), written.report.loss


def limit_everybody(device, bytes_per_second, cleanup):
    """A limit on the root group, where the flusher is; with v1 a group's limit does not reach it."""
    path = CGROUP / "blkio" / "blkio.throttle.write_bps_device"
    cleanup.callback(path.write_text, f"{device.number} 0")
    path.write_text(f"{device.number} {bytes_per_second}")


@pytest.mark.parametrize("way", ["writeback", "checkpoint", "direct"])
def test_throttled_writes(whystall_both, new_file_system, throttle, cleanup, way):
    """A bio that a limit holds back is sent by kworker/kthrotld, which is at Q in place of the flusher,
    the caller of fsync or the direct writer. The bytes remain the writer's; the cause of what a kernel
    thread submitted is not known better than by its pages."""
    volume = new_file_system("ext4")
    group = throttle(volume, 16 * MIB)
    if way == "writeback" and group.is_relative_to(CGROUP / "blkio"):
        limit_everybody(volume, 16 * MIB, cleanup)
    enter = ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(group)]
    command = {
        "writeback": writers(volume.folder, "write:file:8388608", "sync::0"),
        "checkpoint": writers(volume.folder, "checkpoint:file:8388608"),
        "direct": writers(volume.folder, "direct:file:8388608"),
    }[way]
    report, output = whystall_both.traced("--", *enter, *command)
    assert report.data["window"]["seconds"] > 0.3, "the limit was not in force"
    writer = told_by(output)[0]["pid"]
    written = report.total("bytes", pid=writer, device=volume.name, op="write")
    assert written == 8 * MIB
    if way == "writeback":
        assert report.total("bytes", pid=writer, device=volume.name, cause="writeback") == written
    assert report.device(volume.name)["coverage_pct"] == 100


def test_flusher_without_any_sync(whystall_both, spawn, flushers, file_system):
    """Nobody asks for it: the flusher's interval has passed, while the writer still runs."""
    writer = spawn(*writers("-w", file_system.folder, "write:file:8388608"))
    writer.expect("ready")
    before = helpers.diskstats(file_system.name)
    tracer = whystall_both.attach("-p", str(writer.pid))
    writer.go()
    (told,) = told_by(writer.line())
    writer.expect("done")
    flushers.write_back(file_system.name, 8 * MIB, before)
    file_system.sync()
    report = tracer.report(signal.SIGINT)
    kernel = helpers.diskstats_since(file_system.name, before)
    assert report.total("bytes", pid=told["pid"], device=file_system.name, cause="writeback") \
        == 8 * MIB
    device = report.device(file_system.name)
    assert device["write_bytes"] == kernel.write_sectors * 512
    assert device["coverage_pct"] == 100


KERNEL_ROWS = {"ext4": r"ext4|jbd2/loop\d+-8", "xfs": r"xfs.*", "btrfs": r"btrfs.*"}


@pytest.mark.parametrize("kind", FILE_SYSTEMS)
def test_journal_and_metadata_are_the_kernels(whystall, spawn, flushers, new_file_system, cleanup, kind):
    """1,000 files created, 500 removed, none with data: all of it is metadata, which threads of the file
    system write for everybody. Others: kworkers, jbd2/loop0-8, xfsaild and btrfs-transacti, as processes
    among others; charged on, it would be spread over users."""
    if kind == "xfs":
        set_for_a_while("/proc/sys/fs/xfs/xfssyncd_centisecs", 100, cleanup)
    volume = new_file_system(kind, *([] if kind == "xfs" else ["commit=1"]))
    creator = spawn(*writers("-w", volume.folder, "create:tree:1000", "write:file:1048576"))
    creator.expect("ready")
    before = helpers.diskstats(volume.name)
    tracer = whystall.attach("-a", "-D", volume.name)
    creator.go()
    created, wrote = told_by(creator.line() + "\n" + creator.line())
    creator.expect("done")
    written = helpers.diskstats(volume.name).write_sectors

    def threads_have_written():
        """The file's data, and something else."""
        flushers.wake()
        return (helpers.diskstats(volume.name).write_sectors - written) * 512 > MIB
    helpers.wait_until(threads_have_written, "the file system's threads, without any sync")
    # What is left: in the context of those who ask for it, and before whystall stops to look.
    volume.sync()
    volume.unmount()
    report = tracer.report(signal.SIGINT)
    kernel = helpers.diskstats_since(volume.name, before)
    rows_are_diskstats(report, volume.name, kernel)
    assert report.device(volume.name)["unattributed_write_bytes"] == 0
    assert report.loss["dirtiers_unknown"] == 0
    # Nothing of it went to the one that wrote a file, nor as writeback to the one that created files.
    assert report.total("bytes", pid=wrote["pid"], device=volume.name, op="write") == MIB
    assert report.total("bytes", pid=created["pid"], device=volume.name, cause="writeback") == 0
    rows = [row for row in report.rows(comm="[kernel]") if any(io["op"] == "write" for io in row["io"])]
    assert rows, "the kernel itself wrote nothing"
    assert all(row["pid"] == 0 for row in rows)
    assert all(re.fullmatch(KERNEL_ROWS[kind], row["cmdline"]) for row in rows), rows
    assert all(io["cause"] == "submit" for row in rows for io in row["io"])


def test_an_outsider_writes_too(whystall, spawn, flushers, file_system):
    """-p names one of two processes that write to one file system: the other's are seen, not listed."""
    job = spawn(*writers("-w", file_system.folder, "write:job:8388608"))
    other = spawn(*writers("-w", file_system.folder, "write:other:9437184"))
    job.expect("ready")
    other.expect("ready")
    before = helpers.diskstats(file_system.name)
    tracer = whystall.attach("-p", str(job.pid))
    job.go()
    other.go()
    (told,) = told_by(job.line())
    (told_other,) = told_by(other.line())
    assert told_other["write_bytes"] >= 9 * MIB
    file_system.sync()
    job.expect("done")
    report = tracer.report(signal.SIGINT)
    kernel = helpers.diskstats_since(file_system.name, before)
    assert report.per_pid("bytes", file_system.name, "write").get(told["pid"]) == 8 * MIB
    assert not report.rows(pid=told_other["pid"])
    device = report.device(file_system.name)
    assert device["job_write_bytes"] == 8 * MIB
    assert device["write_bytes"] == device["diskstats_write_bytes"] == kernel.write_sectors * 512
    assert device["write_bytes"] >= 17 * MIB
    assert device["unattributed_write_bytes"] == 0
    assert device["coverage_pct"] == 100
    assert report.loss["dirtiers_unknown"] == 0


def test_the_whole_host(whystall, spawn, flushers, file_system):
    """-a: both are listed, and with the kernel's rows they are all that the device wrote."""
    two = spawn(*writers("-w", file_system.folder, "write:one:8388608", "map:two:4194304"))
    two.expect("ready")
    before = helpers.diskstats(file_system.name)
    tracer = whystall.attach("-a", "-D", file_system.name)
    two.go()
    told = told_by(two.line() + "\n" + two.line())
    two.expect("done")
    file_system.sync()
    report = tracer.report(signal.SIGINT)
    kernel = helpers.diskstats_since(file_system.name, before)
    for size, step in zip((8 * MIB, 4 * MIB), told, strict=True):
        assert report.total("bytes", pid=step["pid"], device=file_system.name, op="write") == size
        assert report.total("bytes", pid=step["pid"], device=file_system.name, cause="writeback") \
            == size
    rows_are_diskstats(report, file_system.name, kernel)


def test_dirty_before_whystall_came(whystall, spawn, flushers, file_system):
    """Who wrote it was not seen, and a guess would be wrong: unattributed, and counted as such."""
    root = [path for path in (CGROUP, CGROUP / "unified") if (path / "cgroup.controllers").exists()]
    # Outside all control groups, of which one would have been a better answer than none.
    enter = ["sh", "-c", 'test -z "$0" || echo $$ > "$0/cgroup.procs"; exec "$@"',
             str(root[0]) if root else ""]
    subprocess.run([*enter, *writers(file_system.folder, "write:file:8388608")], check=True,
                   stdout=subprocess.DEVNULL)
    before = helpers.diskstats(file_system.name)
    tracer = whystall.attach("-a", "-D", file_system.name)
    file_system.sync()
    report = tracer.report(signal.SIGINT)
    kernel = helpers.diskstats_since(file_system.name, before)
    device = report.device(file_system.name)
    assert device["unattributed_write_bytes"] == 8 * MIB
    assert 0 < report.loss["dirtiers_unknown"] <= kernel.writes
    assert device["coverage_pct"] < 100
    rows_are_diskstats(report, file_system.name, kernel)


def test_raw_device(whystall_both, spawn, flushers, loop):
    """A device's own page cache, no file system. Another holds the device open: else the last close
    would write it all back, in the writer's context."""
    with open(loop.target, "rb"):
        shell = spawn("sh", "-c", 'read go; dd if=/dev/urandom of="$0" bs=1M count=8 conv=notrunc '
                      'status=none; echo written $$; read end', loop.target)
        before = helpers.diskstats(loop.name)
        tracer = whystall_both.attach("-p", str(shell.pid))
        shell.go()
        shell.expect("written")
        flushers.write_back(loop.name, 8 * MIB, before)
        report = tracer.report(signal.SIGINT)
    kernel = helpers.diskstats_since(loop.name, before)
    assert kernel.write_sectors * 512 == 8 * MIB
    row = report.row(comm="dd")
    assert row["end_s"] is not None
    (io,) = [io for io in row["io"] if io["device"] == loop.name and io["op"] == "write"]
    assert (io["bytes"], io["cause"]) == (8 * MIB, "writeback")
    device = report.device(loop.name)
    assert device["write_bytes"] == device["job_write_bytes"] == 8 * MIB
    assert device["coverage_pct"] == 100


def test_last_close_of_a_raw_device(whystall_both, loop):
    """The last close(2) of a device writes its pages itself: the writer's own, cause "submit"."""
    report = whystall_both.report(
        "--", "dd", "if=/dev/urandom", f"of={loop.target}", "bs=1M", "count=8", "conv=notrunc",
        "status=none")
    row = report.row(comm="dd")
    (io,) = [io for io in row["io"] if io["device"] == loop.name and io["op"] == "write"]
    assert (io["bytes"], io["cause"]) == (8 * MIB, "submit")


def test_compressed_pages(whystall, new_file_system):
    """Compressed by a worker, into pages that belong to no file: the writer's where the kernel gives a
    link, else btrfs's own. Neither lost nor somebody else's."""
    volume = new_file_system("btrfs", "compress-force=zlib:1")
    sparse = bytes(4000) + os.urandom(96)
    text = volume.folder.parent / "compressible"
    text.write_bytes(sparse * 2048)
    before = helpers.diskstats(volume.name)
    report = whystall.report("--", "sh", "-c", 'cp "$0" "$1/copy" && sync -f "$1"', text,
                             volume.folder)
    kernel = helpers.diskstats_since(volume.name, before)
    assert 0 < kernel.write_sectors * 512 < 2 * MIB, "nothing was compressed"
    device = report.device(volume.name)
    assert device["write_bytes"] == kernel.write_sectors * 512
    assert device["coverage_pct"] == 100
    (copier,) = report.rows(comm="cp")
    owners = {row["comm"] for row in report.processes
              if any(io["device"] == volume.name and io["op"] == "write" for io in row["io"])}
    assert owners <= {"cp", "sync", "[kernel]"}
    assert sum(io["bytes"] for io in copier["io"] if io["device"] == volume.name) \
        <= text.stat().st_size
