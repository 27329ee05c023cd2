# SPDX-License-Identifier: BSD-2-Clause
"""stat and the report from /proc alone, against psutil, iostat and pidstat over the same time, and CSV against pandas."""
import io
import json
import math
import os
import shutil
import signal
import subprocess

import pytest

import helpers
from conftest import MIB, filled_file, loop_attach
from test_stat import BLOCK, OF_JOB, OF_THREADS, amounts, json_rows, loaded_rows, when

psutil = pytest.importorskip("psutil")
COLUMNS = ["time", "device", "read_mb_s", "write_mb_s", "requests_s", "read_mean_us", "write_mean_us", "util_pct"]
# Rates are per second of whole milliseconds.
NEARLY = {"rel": 0.01}


def sysstat(cleanup, name, *args):
    """Started; ends by itself."""
    if not shutil.which(name):
        pytest.skip(f"needs {name}")
    process = subprocess.Popen([name, *args], stdout=subprocess.PIPE, text=True,
                               env={**os.environ, "LC_ALL": "C", "S_TIME_FORMAT": "ISO"})
    cleanup.callback(process.kill)
    return process


def output(process):
    text, _ = process.communicate(timeout=helpers.PATIENCE_S)
    assert process.returncode == 0, text
    return text


def loader(spawn, device, blocks, op="read"):
    child = spawn(*helpers.workload("blockread"), "-wh" + ("W" if op == "write" else ""), "-n", str(blocks),
                  device.target)
    child.expect("ready")
    return child


def means(rows, op):
    """Milliseconds of all its requests, which are all of the rows'."""
    return sum(row[f"{op}_mean_us"] * row["requests_s"] * (when(row["time"]) - when(before["time"])) / 1e3
               for before, row in zip(rows, rows[1:]) if row[f"{op}_mean_us"] is not None)


@pytest.mark.parametrize("op", ["read", "write"])
def test_device(whystall, spawn, loop, op):
    child = loader(spawn, loop, 8191, op)
    before = psutil.disk_io_counters(perdisk=True)[loop.name]
    rows = loaded_rows(whystall, spawn, child, "--no-bpf", "-D", loop.name)
    after = psutil.disk_io_counters(perdisk=True)[loop.name]
    assert list(rows[0]) == COLUMNS + OF_JOB + OF_THREADS
    assert {row["device"] for row in rows} == {loop.name}
    moved = getattr(after, f"{op}_bytes") - getattr(before, f"{op}_bytes")
    assert moved == 8191 * BLOCK
    assert amounts(rows, f"{op}_mb_s") * 1e6 == pytest.approx(moved, **NEARLY)
    requests = getattr(after, f"{op}_count") - getattr(before, f"{op}_count")
    assert amounts(rows, "requests_s") == pytest.approx(requests, **NEARLY)
    spent = getattr(after, f"{op}_time") - getattr(before, f"{op}_time")
    assert means(rows, op) == pytest.approx(spent, rel=0.01, abs=1)
    busy = after.busy_time - before.busy_time
    assert amounts(rows, "util_pct") * 10 == pytest.approx(busy, rel=0.01, abs=1)
    other = "write" if op == "read" else "read"
    assert amounts(rows, f"{other}_mb_s") == 0
    assert {row[f"{other}_mean_us"] for row in rows} == {None}, "no request, no mean"


def test_iostat(whystall, spawn, loop, cleanup):
    child = loader(spawn, loop, 8191)
    iostat = sysstat(cleanup, "iostat", "-d", "-x", "-y", "-o", "JSON", loop.name, "4", "1")
    rows = loaded_rows(whystall, spawn, child, "--no-bpf", "-D", loop.name)
    (host,) = json.loads(output(iostat))["sysstat"]["hosts"]
    (told,) = host["statistics"][0]["disk"]
    # It tells its length to the second alone: the window is what makes its bytes ours.
    seconds = 8191 * BLOCK / 1024 / told["rkB/s"]
    assert seconds == pytest.approx(4, abs=0.3)
    assert amounts(rows, "requests_s") == pytest.approx(told["r/s"] * seconds, **NEARLY)
    assert means(rows, "read") / 8191 == pytest.approx(told["r_await"], abs=0.006)
    assert amounts(rows, "util_pct") / seconds == pytest.approx(told["util"], abs=0.5)


def test_process(whystall, spawn, loop, cleanup):
    """psutil's and pidstat's are that file's figures, and so are ours; another process's on the same disk are not in them."""
    child, other = loader(spawn, loop, 2003), loader(spawn, loop, 5003)
    before = psutil.Process(child.pid).io_counters()
    pidstat = sysstat(cleanup, "pidstat", "-d", "-h", "-p", str(child.pid), "4", "1")
    tracer = whystall.attach("--no-bpf", "-p", str(child.pid))
    other.go()
    other.expect("done")
    child.go()
    child.expect("done")
    after = psutil.Process(child.pid).io_counters()
    line = output(pidstat).splitlines()[-1].split()
    report = tracer.report(signal.SIGINT)
    (process,) = [row for row in report.processes if row["pid"] == child.pid]
    (row,) = process["io"]
    assert (row["op"], row["bytes"]) == ("read", 2003 * BLOCK)
    assert row["bytes"] == after.read_bytes - before.read_bytes
    assert float(line[3]) * 4 * 1024 == pytest.approx(row["bytes"], rel=0.05), line
    assert {row[key] for key in ("device", "requests", "errors", "cause", "lower", "queue_us", "device_us",
                                 "histogram")} == {None}
    assert not {"block_s", "files"} & set(process)


def test_report_of_devices(whystall, spawn, loop):
    before = psutil.disk_io_counters(perdisk=True)[loop.name]
    child = loader(spawn, loop, 4001)
    tracer = whystall.attach("--no-bpf", "-p", str(child.pid))
    child.go()
    child.expect("done")
    report = tracer.report(signal.SIGINT)
    after = psutil.disk_io_counters(perdisk=True)[loop.name]
    device = report.device(loop.name)
    assert device["read_bytes"] == device["diskstats_read_bytes"] == after.read_bytes - before.read_bytes
    assert device["requests"] == after.read_count - before.read_count
    assert device["read_mean_us"] == pytest.approx(1000 * (after.read_time - before.read_time) / device["requests"],
                                                   abs=1000 / device["requests"])
    assert (device["write_bytes"], device["write_mean_us"], device["job_read_bytes"], device["coverage_pct"]) == \
        (0, None, None, None)
    assert report.data["tool"]["source"] == "proc"
    assert report.data["window"]["sampled"]["looks"] >= 1
    assert set(report.loss) == {"processes_dropped", "threads_dropped"}


def test_rates_of_a_process(whystall, spawn, loop):
    """Its bytes, and neither how many requests these were nor how long they took."""
    child = loader(spawn, loop, 8191)
    rows = loaded_rows(whystall, spawn, child, "--no-bpf", "-p", str(child.pid))
    assert {row["device"] for row in rows} == {"total"}
    assert amounts(rows, "read_mb_s") * 1e6 == pytest.approx(8191 * BLOCK, **NEARLY)
    assert amounts(rows, "write_mb_s") == 0
    for key in "requests_s", "read_mean_us", "write_mean_us":
        assert {row[key] for row in rows} == {None}
    assert all(row["util_pct"] is not None for row in rows)


def test_device_of_a_process(whystall, spawn, loop):
    child = loader(spawn, loop, 1)
    tracer = whystall.start("stat", "--no-bpf", "-O", "json", "-D", loop.name, "-p", str(child.pid), "200ms", "2")
    result = tracer.finish()
    assert "with -D these columns are empty" in result.stderr
    for row in json_rows(result.stdout):
        assert row["device"] == loop.name and row["util_pct"] == 0
        assert row["read_mb_s"] is row["write_mb_s"] is row["requests_s"] is None


def test_names_of_devices(whystall, spawn, mounted_loop, cleanup):
    """A partition has its own figures; a path stands for the disk below it, a glob for all that match."""
    loop = mounted_loop
    file = filled_file(loop.folder / "data", MIB)
    names = {}
    for choice in loop.name, f"{loop.name[:-1]}[{loop.name[-1]}]", f"/dev/{loop.name}", file:
        rows = json_rows(whystall.start("stat", "--no-bpf", "-q", "-O", "json", "-D", choice, "100ms",
                                        "1").finish().stdout)
        names[choice] = [row["device"] for row in rows]
    assert set(map(tuple, names.values())) == {(loop.name,)}
    rows = json_rows(whystall.start("stat", "--no-bpf", "-q", "-O", "json", "-D", "all", "100ms", "1").finish().stdout)
    assert loop.name in [row["device"] for row in rows]


def test_partition(whystall, spawn, cleanup, tmp_path_factory):
    image = tmp_path_factory.mktemp("disk") / "disk.img"
    with open(image, "wb") as file:
        file.truncate(64 * MIB)
    disk = loop_attach(cleanup, image, "--partscan")
    subprocess.run(["addpart", disk.target, "1", "2048", "49152"], check=True)
    cleanup.callback(subprocess.run, ["delpart", disk.target, "1"], check=True)
    inside, outside = (loader(spawn, device, blocks) for device, blocks in
                       ((type(disk)(f"{disk.name}p1", f"{disk.target}p1", cleanup), 503), (disk, 101)))
    outside.go()
    outside.expect("done")
    inside_rows = loaded_rows(whystall, spawn, inside, "--no-bpf", "-D", f"{disk.name}p1")
    assert {row["device"] for row in inside_rows} == {f"{disk.name}p1"}
    assert amounts(inside_rows, "read_mb_s") * 1e6 == pytest.approx(503 * BLOCK, **NEARLY)


def test_all_disks_count_each_byte_once(whystall, spawn, disk, new_loop, cleanup):
    """A loop device on a disk's file is no disk of its own, one on memory is."""
    upper, lone = loop_attach(cleanup, disk.target, "--direct-io=on"), new_loop()
    for device, blocks in (upper, 4001), (lone, 6007):
        child = loader(spawn, device, blocks)
        before = psutil.disk_io_counters(perdisk=True)
        rows = loaded_rows(whystall, spawn, child, "--no-bpf")
        after = psutil.disk_io_counters(perdisk=True)
        assert after[device.name].read_bytes - before[device.name].read_bytes == blocks * BLOCK
        # Others use their disks meanwhile.
        most = sum(after[name].read_bytes - before[name].read_bytes for name in os.listdir("/sys/block")
                   if name in before and name in after and name != upper.name)
        assert amounts(rows, "read_mb_s") * 1e6 <= 1.01 * most
        assert amounts(rows, "read_mb_s") * 1e6 >= 0.99 * blocks * BLOCK


@pytest.mark.parametrize("source", ["--bpf", "--no-bpf"])
def test_pandas(whystall, loop, spawn, source):
    pandas = pytest.importorskip("pandas")
    child = loader(spawn, loop, 101)
    tracer = whystall.start("stat", source, "-O", "csv", "-D", loop.name, "200ms").attached()
    helpers.wait_until(lambda: tracer.written(tracer.stdout).count(b"\n") >= 2, "a row")
    child.go()
    child.expect("done")
    lines = tracer.written(tracer.stdout).count(b"\n")
    helpers.wait_until(lambda: tracer.written(tracer.stdout).count(b"\n") >= lines + 2, "rows")
    table = pandas.read_csv(io.StringIO(tracer.finish(signal.SIGINT).stdout), parse_dates=["time"])
    assert pandas.api.types.is_datetime64_any_dtype(table["time"])
    assert str(table["time"].dt.tz) in ("UTC", "tzutc()") and table["time"].is_monotonic_increasing
    numbers = table.drop(columns=["time", "device"])
    assert all(pandas.api.types.is_float_dtype(kind) for kind in numbers.dtypes), numbers.dtypes
    latency = "read_p50_us" if source == "--bpf" else "read_mean_us"
    assert math.isnan(table[latency].iloc[0]) and table[latency].max() >= 0
    assert table["on_cpu"].isna().all() and table["blame"].isna().all()
    assert table["read_mb_s"].max() > 0
