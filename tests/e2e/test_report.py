# SPDX-License-Identifier: BSD-2-Clause
"""The report as a whole: its keys, its window, in three formats."""
import csv
import datetime
import io
import json
import os
import platform
import re
import signal
import socket
import subprocess

import pytest

import helpers

BLOCK = 4096
LATENCIES = {"mean", "p50", "p90", "p99", "p999", "max"}


@pytest.fixture
def run_of(whystall, spawn, loop):
    """The same load, reported in a format."""
    def run(form):
        child = spawn(*helpers.workload("blockread"), "-w", "-n", "1009", loop.target)
        child.expect("ready")
        tracer = whystall.start("-O", form, "-p", str(child.pid)).attached()
        child.go()
        assert child.wait() == 0
        result = tracer.finish()
        assert result.status == 0, result
        return child.pid, result.stdout
    return run


def test_keys(run_of, loop):
    pid, text = run_of("json")
    data = json.loads(text)
    assert set(data) == {"schema", "tool", "window", "pressure", "verdicts", "job", "processes", "devices", "loss"}
    assert set(data["tool"]) == {"version", "source", "kernel", "host"}
    assert (data["tool"]["source"], data["tool"]["kernel"], data["tool"]["host"]) \
        == ("bpf", platform.release(), socket.gethostname())
    (row,) = data["processes"]
    assert row["pid"] == pid
    assert set(row) == {"pid", "ppid", "comm", "cmdline", "cgroup", "threads", "start_s", "end_s",
                        "time_s", "write_wait_s", "unplaced_wait_s", "block_s", "io", "files"}
    (file,) = [file for file in row["files"] if file["path"] == loop.target]
    assert set(file) == {"path", "mount", "device", "bytes", "wait_s"}
    (entry,) = row["io"]
    assert set(entry) == {"device", "op", "requests", "bytes", "errors", "cause", "lower",
                          "queue_us", "device_us", "histogram"}
    assert (entry["cause"], entry["lower"]) == ("submit", False)
    assert set(entry["queue_us"]) == set(entry["device_us"]) == LATENCIES
    assert all(set(bucket) == {"le_us", "queue", "device"} for bucket in entry["histogram"])
    (device,) = [device for device in data["devices"] if device["name"] == loop.name]
    assert set(device) == {
        "name", "major", "minor", "parents", "requests", "read_bytes", "write_bytes",
        "job_read_bytes", "job_write_bytes", "unattributed_read_bytes", "unattributed_write_bytes",
        "diskstats_read_bytes", "diskstats_write_bytes", "coverage_pct"}
    assert f"{device['major']}:{device['minor']}" == loop.number
    assert {"requests_untracked", "completions_unmatched", "processes_dropped", "keys_folded"} \
        <= set(data["loss"])
    total_s = (entry["queue_us"]["mean"] + entry["device_us"]["mean"]) * entry["requests"] / 1e6
    assert row["block_s"] == pytest.approx(total_s, rel=0.02)


def test_window(whystall, spawn):
    child = spawn("sleep", "600")
    before = datetime.datetime.now(datetime.timezone.utc).timestamp()
    report = whystall.report("-i", "250ms", "-d", "500ms", "-p", str(child.pid))
    after = datetime.datetime.now(datetime.timezone.utc).timestamp()
    window = report.data["window"]
    start = datetime.datetime.fromisoformat(window["start"].replace("Z", "+00:00"))
    assert start.tzinfo is not None
    # The report may round the start to the second.
    assert before - 1 <= start.timestamp() <= after
    assert 0.5 <= window["seconds"] <= after - before
    assert window["interval_s"] == 0.25


def test_ages(whystall, spawn):
    """start_s is before the window for an older process, and /proc knows how much."""
    child = spawn("sleep", "600")
    ticks = os.sysconf("SC_CLK_TCK")
    with open(f"/proc/{child.pid}/stat", encoding="ascii") as file:
        born_s = int(file.read().rsplit(")", 1)[1].split()[19]) / ticks
    report = whystall.report("-d", "200ms", "-p", str(child.pid))
    with open("/proc/uptime", encoding="ascii") as file:
        uptime_s = float(file.read().split()[0])
    row = report.row(pid=child.pid)
    seconds = report.data["window"]["seconds"]
    assert -(uptime_s - born_s) - 0.05 <= row["start_s"] <= 0
    # The window began at most its own length, and a slow start and end of the tool, before uptime.
    assert row["start_s"] <= -(uptime_s - born_s) + seconds + 5
    assert row["end_s"] is None


def test_with_o_the_report_is_not_on_stdout(whystall, loop):
    shown = whystall.start("-q", "-O", "csv", "-o", "/dev/null", "--",
                           *helpers.workload("blockread"), "-n", "1", loop.target).finish()
    assert (shown.status, len(shown.stdout.splitlines())) == (0, 1)
    assert shown.stdout.startswith("done ")


def test_csv(run_of, loop):
    pid, text = run_of("csv")
    (row,) = [row for row in csv.DictReader(io.StringIO(text)) if row["device"] == loop.name]
    assert (int(row["pid"]), int(row["ppid"]), row["comm"]) == (pid, os.getpid(), "blockread")
    assert (row["op"], row["cause"]) == ("read", "submit")
    assert (int(row["requests"]), int(row["bytes"])) == (1009, 1009 * BLOCK)
    assert 0 < float(row["device_p50_us"]) <= float(row["device_max_us"]) * 1.04


def test_text(run_of, loop):
    pid, text = run_of("text")
    assert re.search(rf"\b{pid}\b", text)
    for word in ("blockread", loop.name, "read", "1009", "p50", "p99"):
        assert word in text
    assert re.search(r"[#*@=█▏▎▍▌▋▊▉]{3}", text), "a histogram of the busiest process"


def test_output_file_replaces_what_was_there(whystall, spawn, tmp_path):
    child = spawn("sleep", "600")
    output = tmp_path / "report"
    output.write_text("old" * 100000)
    assert helpers.run("-q", "-O", "json", "-o", output, "-d", "100ms", "-p", str(child.pid)).status == 0
    helpers.Report(output.read_text(encoding="utf-8"))


def test_devices_without_io_are_left_out(whystall, spawn, new_loop):
    used, idle = new_loop(), new_loop()
    report = whystall.report("--", *helpers.workload("blockread"), "-n", "3", used.target)
    names = {device["name"] for device in report.data["devices"]}
    assert used.name in names and idle.name not in names
    named = whystall.report("-D", idle.name, "--", *helpers.workload("blockread"), "-n", "3", used.target)
    (device,) = named.data["devices"]
    assert (device["name"], device["read_bytes"], device["coverage_pct"]) == (idle.name, 0, None)


def test_partition(whystall, spawn, loop, cleanup):
    """I/O through a partition is on its disk; chosen by -D the partition has a row of its own, with
    the kernel's statistics of the partition, and I/O on the rest of the disk is not in it."""
    made = subprocess.run(["addpart", loop.target, "1", "2048", "65536"], check=False,
                          stderr=subprocess.DEVNULL)
    node = f"{loop.target}p1"
    if made.returncode:
        pytest.skip("cannot make a partition")
    cleanup.callback(subprocess.run, ["delpart", loop.target, "1"], check=False)
    if not os.path.exists(node):
        pytest.skip("no device node for the partition")
    for selection in ([], ["-D", os.path.basename(node)], ["-D", node], ["-D", loop.name]):
        report = whystall.report(*selection, "--", *helpers.workload("blockread"), "-n", "17", node)
        name = os.path.basename(node) if selection[1:] not in ([], [loop.name]) else loop.name
        assert report.total("bytes", device=name, op="read") == 17 * BLOCK
        assert report.device(name)["job_read_bytes"] == 17 * BLOCK
        assert report.device(name)["coverage_pct"] == 100
    report = whystall.report("-D", node, "--", *helpers.workload("blockread"), "-n", "17",
                             loop.target)
    assert report.total("bytes") < 17 * BLOCK
    # A flush has no sector, yet it is the partition's; with the disk chosen too it counts there.
    for selection, name in ((node, os.path.basename(node)), (loop.name + "*", loop.name)):
        report = whystall.report("-D", selection, "--", *helpers.workload("blockread"), "-S", "-n",
                                 "7", node)
        assert report.total("requests", device=name, op="flush") == 7
        assert [device["name"] for device in report.data["devices"]] == [name]


def test_two_whystalls_at_once(whystall, spawn, loop):
    """They do not disturb each other."""
    child = spawn(*helpers.workload("blockread"), "-w", "-n", "503", loop.target)
    child.expect("ready")
    tracers = [whystall.attach("-p", str(child.pid)), whystall.attach("-a")]
    child.go()
    assert child.wait() == 0
    for tracer, stop in zip(tracers, (None, signal.SIGINT)):
        report = tracer.report(stop)
        assert report.total("bytes", pid=child.pid, device=loop.name) == 503 * BLOCK
