# SPDX-License-Identifier: BSD-2-Clause
"""whystall stat: one row per interval, in three formats."""
import csv
import datetime
import fcntl
import io
import json
import os
import pty
import signal
import struct
import termios

import pytest

import helpers

COLUMNS = ["time", "device", "read_mb_s", "write_mb_s", "requests_s", "read_p50_us", "read_p99_us",
           "write_p50_us", "write_p99_us", "util_pct"]
OF_JOB = ["waiting_pct", "blame"]
OF_THREADS = ["on_cpu", "in_runqueue", "in_storage", "in_network", "in_ipc", "in_lock", "in_gpu",
              "in_sleep", "in_other"]
BLOCK = 4096


def when(text):
    # Pythons before 3.11 do not read the Z of RFC 3339.
    moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    assert moment.tzinfo is not None
    return moment.timestamp()


def json_rows(text):
    return [json.loads(line) for line in text.splitlines()]


def stat(whystall, *args):
    result = whystall.start("stat", "-q", *args).finish()
    assert result.status == 0, result
    return result.stdout


def test_text(whystall):
    lines = stat(whystall, "100ms", "5").splitlines()
    assert lines[0].split() == COLUMNS
    rows = [line.split() for line in lines[1:]]
    assert len(rows) == 5
    assert all(row[1] == "total" for row in rows)
    assert all(len(row) == len(COLUMNS) for row in rows)


def test_csv(whystall, loop):
    text = stat(whystall, "-O", "csv", "-D", loop.name, "100ms", "5")
    assert text.count("read_mb_s") == 1, "one header"
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == COLUMNS + OF_JOB + OF_THREADS
    assert len(rows) == 5
    moments = [when(row["time"]) for row in rows]
    assert moments == sorted(set(moments))
    for row in rows:
        assert row["device"] == loop.name
        assert (float(row["read_mb_s"]), float(row["requests_s"]), float(row["util_pct"])) == (0, 0, 0)
        assert row["read_p50_us"] == row["write_p99_us"] == "", "no request, no percentile"


def test_json_lines(whystall, loop):
    rows = json_rows(stat(whystall, "-O", "json", "-D", loop.name, "100ms", "3"))
    assert len(rows) == 3
    for row in rows:
        assert list(row) == COLUMNS + OF_JOB + OF_THREADS
        when(row["time"])
        assert row["read_p50_us"] is None and row["write_p50_us"] is None
        assert row["read_mb_s"] == 0


def loaded_rows(whystall, spawn, child, *args):
    """Rows around a load of known size: idle before it, idle after it."""
    tracer = whystall.start("stat", "-O", "json", "-i", "200ms", *args).attached()
    def rows():
        text = tracer.written(tracer.stdout).decode()
        return json_rows(text[:text.rfind("\n") + 1])
    helpers.wait_until(lambda: len(rows()) >= 2, "two rows before the load")
    child.go()
    child.expect("done")
    after = len(rows())
    helpers.wait_until(lambda: len(rows()) >= after + 3, "rows after the load")
    result = tracer.finish(signal.SIGINT)
    assert result.status == 0, result
    return json_rows(result.stdout)


def amounts(rows, key):
    """A rate times the time since the row before: what moved. The first row has none before it."""
    return sum(row[key] * (when(row["time"]) - when(before["time"]))
               for before, row in zip(rows, rows[1:]))


@pytest.mark.parametrize("op", ["read", "write"])
def test_rates_add_up(whystall_both, spawn, loop, op):
    """The tolerance of 5 % is for the printed times and rates, which are rounded, over short intervals."""
    blocks = 8191
    child = spawn(*helpers.workload("blockread"), "-wh" + ("W" if op == "write" else ""),
                  "-n", str(blocks), loop.target)
    child.expect("ready")
    rows = loaded_rows(whystall_both, spawn, child, "-D", loop.name)
    assert {row["device"] for row in rows} == {loop.name}
    assert amounts(rows, f"{op}_mb_s") * 1e6 == pytest.approx(blocks * BLOCK, rel=0.05)
    assert amounts(rows, "requests_s") == pytest.approx(blocks, rel=0.05)
    other = "write" if op == "read" else "read"
    assert amounts(rows, f"{other}_mb_s") == 0
    busy = [row for row in rows if row[f"{op}_mb_s"] > 0]
    assert busy
    for row in busy:
        assert 0 < row[f"{op}_p50_us"] <= row[f"{op}_p99_us"]
        assert row[f"{other}_p50_us"] is None
        assert 0 <= row["util_pct"] <= 105
    # The kernel counts busy time in ticks: a burst at an interval's edge can be none.
    assert any(row["util_pct"] > 0 for row in busy)


def test_selected_process_only(whystall, spawn, loop):
    idle = spawn(*helpers.workload("blockread"), "-wh", "-n", "0", loop.target)
    child = spawn(*helpers.workload("blockread"), "-wh", "-n", "2003", loop.target)
    idle.expect("ready")
    child.expect("ready")
    rows = loaded_rows(whystall, spawn, child, "-p", str(idle.pid), "-D", loop.name)
    assert amounts(rows, "read_mb_s") == 0


def test_whole_host_when_nothing_is_selected(whystall, spawn, loop):
    child = spawn(*helpers.workload("blockread"), "-wh", "-n", "8191", loop.target)
    child.expect("ready")
    rows = loaded_rows(whystall, spawn, child)
    assert {row["device"] for row in rows} == {"total"}
    assert amounts(rows, "read_mb_s") * 1e6 >= 0.95 * 8191 * BLOCK


def test_one_row_per_device(whystall, spawn, new_loop):
    one, two = new_loop(), new_loop()
    child = spawn(*helpers.workload("blockread"), "-wh", "-n", "4001", one.target)
    child.expect("ready")
    rows = loaded_rows(whystall, spawn, child, "-D", "all")
    of_one = [row for row in rows if row["device"] == one.name]
    assert sum(row["read_mb_s"] for row in of_one) > 0
    assert sum(row["read_mb_s"] for row in rows if row["device"] == two.name) == 0
    times = {row["time"] for row in rows}
    for moment in times:
        names = [row["device"] for row in rows if row["time"] == moment]
        assert len(names) == len(set(names)), "a device twice in one interval"


def test_large_count_is_not_cut(whystall):
    """2^32 + 1 rows are not one row."""
    tracer = whystall.start("stat", "-O", "csv", "50ms", str(2**32 + 1)).attached()
    helpers.wait_until(lambda: tracer.written(tracer.stdout).count(b"\n") > 4, "rows")
    assert tracer.finish(signal.SIGINT).status == 0


def test_rows_come_at_once(whystall):
    """Into a pipe each row is written as it is made, not when a buffer is full."""
    tracer = whystall.start("stat", "100ms").attached()
    helpers.wait_until(lambda: tracer.written(tracer.stdout).count(b"\n") >= 2, "the first row", 10)
    assert tracer.process.poll() is None


def test_ends_with_the_program(whystall):
    result = whystall.start("stat", "-q", "100ms", "--", "sh", "-c", "sleep 0.35; exit 4").finish()
    assert result.status == 4
    assert len(result.stdout.splitlines()) >= 3


def test_header_is_repeated_on_a_terminal(whystall):
    """As vmstat does: once per screen."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 10, 120, 0, 0))
    tracer = whystall.start("stat", "-q", "50ms", "30", stdout=slave)
    os.close(slave)
    shown = b""
    try:
        while True:
            data = os.read(master, 65536)
            if not data:
                break
            shown += data
    except OSError:
        # EIO: the last writer has closed the terminal.
        pass
    finally:
        os.close(master)
    assert tracer.finish().status == 0
    headers = [line for line in shown.splitlines() if b"read_mb_s" in line]
    assert len(headers) >= 2


def test_waiting(whystall, fuse_file):
    """The trainer's share and its cause, interval by interval, against the loop's own timer; nothing for a job without one."""
    result = whystall.start("stat", "-q", "-O", "json", "1s", "--", *helpers.workload("loader.py"), "--file",
                            fuse_file(5000), "--reads", "1", "--step-ms", "1", "--seconds", "6").finish()
    assert result.status == 0, result
    lines = json_rows(result.stdout)
    told = next(line for line in lines if "waited_s" in line)
    rows = [line for line in lines if "device" in line][1:-1]  # without the loop's ends
    assert len(rows) >= 3
    assert {row["blame"] for row in rows} == {"storage"}
    mean = sum(row["waiting_pct"] for row in rows) / len(rows)
    assert mean == pytest.approx(100 * told["waited_s"] / told["loop_s"], abs=5)
    (row, *_) = json_rows(stat(whystall, "-O", "json", "500ms", "1", "--", "sleep", "0.7"))
    assert row["waiting_pct"] is None and row["blame"] is None and row["in_sleep"] >= 0.5
