# SPDX-License-Identifier: BSD-2-Clause
"""Each key of `loss`, made non-zero on purpose, and the exact number in it.

WHYSTALL_TABLES makes tables smaller. Two keys are forced elsewhere: processes_dropped in
test_selection.py, keys_folded here and in test_owner.py.
"""
import pathlib
import subprocess
import time

import pytest

import helpers
from conftest import CGROUP, MIB, filled_file
from fio import Fio

KIB4 = 4096


def owned_bytes(report, device, op):
    return sum(report.per_pid("bytes", device.name, op).values())


def test_more_in_flight_than_the_tables_hold(whystall_both, fuse_disk, tmp_path):
    """64 + 16 places for 128 requests at a time. Other tools lose the rest without a word."""
    disk = fuse_disk(2000)
    fio = Fio(tmp_path, disk.target, "libaio", ios=(1009,), iodepth=128)
    before = helpers.diskstats(disk.name)
    tables = {"WHYSTALL_TABLES": "inflight=64,spilled=16"}
    report = whystall_both.report("-D", disk.name, "--", *fio.command,
                                  env={**whystall_both.env, **tables})
    kernel = helpers.diskstats_since(disk.name, before)
    device = report.device(disk.name)
    lost = report.loss["requests_untracked"]
    assert lost > 0
    assert lost == report.loss["completions_unmatched"]
    assert report.total("requests", device=disk.name, op="read") + lost == kernel.reads
    assert device["unattributed_read_bytes"] == lost * KIB4
    assert device["read_bytes"] == kernel.read_sectors * 512
    assert device["coverage_pct"] < 100


def test_request_that_began_before(whystall, spawn, fuse_disk):
    disk = fuse_disk(1_000_000)
    child = spawn(*helpers.workload("blockread"), "-n", "5", disk.target)
    helpers.wait_until(lambda: helpers.diskstats(disk.name).in_flight == 1, "a request in flight")
    tracer = whystall.attach("-p", str(child.pid))
    assert child.wait() == 0
    report = tracer.report()
    lost = report.loss["completions_unmatched"]
    assert 1 <= lost <= 5
    assert report.device(disk.name)["unattributed_read_bytes"] == lost * KIB4


def test_issue_that_was_not_seen(whystall, loop):
    """Bytes and owner are known, the latency is not, and is not made up."""
    if b"btf_trace_block_io_start" not in pathlib.Path("/sys/kernel/btf/vmlinux").read_bytes():
        pytest.skip("without block_io_start requests are found at their issue")
    report = whystall.report("--", *helpers.workload("blockread"), "-n", "101", loop.target,
                             env={"WHYSTALL_WITHOUT": "block_rq_issue"})
    (entry,) = [io for row in report.processes for io in row["io"] if io["device"] == loop.name]
    assert (entry["requests"], entry["bytes"]) == (101, 101 * KIB4)
    assert entry["queue_us"] is None and entry["device_us"] is None
    # 101, and what others did on this host meanwhile.
    assert report.loss["events_missed"] >= 101


def test_more_written_files_than_are_remembered(whystall, mounted_loop):
    """Of 400 files the writers of a few are known when the kernel writes them back."""
    before = helpers.diskstats(mounted_loop.name)
    command = ("import os, sys\n"
               "for i in range(400):\n"
               "    open(f'{sys.argv[1]}/f{i}', 'wb').write(b'x' * 4096)\n"
               "os.sync()\n")
    report = whystall.report("-D", mounted_loop.name, "--", "/usr/bin/python3", "-c", command,
                             str(mounted_loop.folder), env={"WHYSTALL_TABLES": "inode_writers=64"})
    kernel = helpers.diskstats_since(mounted_loop.name, before)
    device = report.device(mounted_loop.name)
    assert 0 < report.loss["dirtiers_unknown"] < 400
    assert device["unattributed_write_bytes"] == report.loss["dirtiers_unknown"] * KIB4
    assert device["write_bytes"] == kernel.write_sectors * 512
    assert owned_bytes(report, mounted_loop, "write") + device["unattributed_write_bytes"] \
        == device["write_bytes"]


def test_more_files_than_the_table_holds(whystall, mounted_loop):
    """64 places: 48 for any file, the rest for written ones. Bytes are in `io` all the same."""
    files = []
    for index in range(200):
        files.append(mounted_loop.folder / f"file{index}")
        files[-1].write_bytes(b"y" * KIB4)
    subprocess.run(["sync", "-f", str(mounted_loop.folder)], check=True)
    script = ('"$@"; head -c 1M /dev/zero > "$0/checkpoint"; sync -f "$0"')
    report = whystall.report("-D", mounted_loop.name, "--", "sh", "-c", script,
                             str(mounted_loop.folder), *helpers.workload("cold_read.py"), "self",
                             *map(str, files), env={"WHYSTALL_TABLES": "files=64"})
    # More than the 152 by the files that the programs themselves wait for.
    assert 200 - 48 <= report.loss["files_dropped"] < 200
    assert {file["path"]: file["bytes"] for row in report.processes for file in row["files"]} \
        .get(f"{mounted_loop.folder}/checkpoint") == MIB
    assert report.total("bytes", device=mounted_loop.name, op="read") >= 200 * KIB4


def test_keys_that_were_folded(whystall, loop):
    """Eight rows for more processes: what finds none is in (others), to the byte."""
    script = 'for i in $(seq 20); do "$0" -n 3 "$1" > /dev/null; done'
    report = whystall.report("--max-keys", "8", "-i", "1h", "-D", loop.name, "--", "sh", "-c", script,
                             *helpers.workload("blockread"), loop.target)
    others = report.total("requests", pid=0, device=loop.name, op="read")
    assert others == report.loss["keys_folded"] == 20 * 3 - 8 * 3
    assert report.total("bytes", device=loop.name, op="read") == 20 * 3 * KIB4


def test_threads_without_storage(whystall, spawn, new_cgroup, loop):
    """The kernel charges a thread's storage to whystall's own control group, here a full one.

    Their requests still find their process, by its PID.
    """
    memory = CGROUP / "memory"
    if not (memory / "memory.limit_in_bytes").exists():
        pytest.skip("no cgroup v1 memory controller")
    group = new_cgroup(memory)
    parent = spawn("sh", "-c", 'read go; "$0" -t 3000 -n 1 "$1"',
                   *helpers.workload("blockread"), loop.target)
    tracer = whystall.attach(
        "-p", str(parent.pid),
        preexec_fn=lambda: (group / "cgroup.procs").write_text("0"))
    # Whystall shall wait, not be ended, while it finds no memory for itself.
    (group / "memory.oom_control").write_text("1")
    limit = group / "memory.limit_in_bytes"
    usage = int((group / "memory.usage_in_bytes").read_text())
    limit.write_text(str(usage))
    parent.go()
    assert parent.wait() == 0
    limit.write_text("-1")
    report = tracer.report()
    assert report.loss["threads_dropped"] > 0
    assert report.total("bytes", device=loop.name, op="read") == 3000 * KIB4
