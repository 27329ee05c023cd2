# SPDX-License-Identifier: BSD-2-Clause
"""Names, command lines and cgroups are written by untrusted users: no output format may break."""
import csv
import io
import signal
import unicodedata

import pytest

import helpers

BLOCK = 4096
# At most 15 bytes: the kernel cuts names there, also in the middle of a character.
NAMES = {
    "escape": b"\x1b[31mred\x1b[0m",
    "title": b"\x1b]0;owned\x07",
    "csv": b'a"b,c\nd\r\ne',
    "not UTF-8": b"\xff\xfe\x80ab",
    "cut UTF-8": "ééééééééé".encode(),
    "surrogate": b"\xed\xa0\x80x",
    "C1 control": "\u009b31m".encode(),
    "formula": b"=1+1|'x'!A1",
    "backslash": b"\\x1b\\n\\",
    "blank": b" \t ",
    "percent": b"%s%n%d",
    "control": bytes(range(1, 16)),
}
HEADER = ["pid", "ppid", "comm", "device", "op", "cause", "requests", "bytes", "errors"] + [
    f"{kind}_{name}_us" for kind in ("queue", "device")
    for name in ("mean", "p50", "p90", "p99", "p999", "max")]


@pytest.fixture
def hostile(spawn, loop):
    """A process with such a name, argument and executable, which waits before it reads 3 blocks."""
    def make(name, folder):
        program = folder / name.replace(b"/", b"_").decode(errors="surrogateescape")
        program.symlink_to(helpers.workload("blockread")[0])
        child = spawn(program, b"-wN" + name, "-n", "3", loop.target)
        child.expect("ready")
        return child
    return make


def traced(whystall, child, form):
    tracer = whystall.start("-O", form, "-p", str(child.pid)).attached()
    child.go()
    assert child.wait() == 0
    result = tracer.finish()
    assert result.status == 0, result
    return result.stdout


def is_clean(text):
    """No control character but the newline that ends a line."""
    return not [c for c in text if unicodedata.category(c) == "Cc" and c != "\n"]


@pytest.mark.parametrize("name", NAMES)
def test_json(whystall, loop, hostile, tmp_path, name):
    child = hostile(NAMES[name], tmp_path)
    row = helpers.Report(traced(whystall, child, "json")).row(pid=child.pid)
    assert isinstance(row["comm"], str) and row["comm"]
    assert isinstance(row["cmdline"], str) and loop.target in row["cmdline"]
    assert sum(io["bytes"] for io in row["io"] if io["device"] == loop.name) == 3 * BLOCK
    if NAMES[name].isascii() and NAMES[name].decode().isprintable() and name != "backslash":
        assert row["comm"] == NAMES[name].decode()


@pytest.mark.parametrize("name", NAMES)
def test_csv(whystall, loop, hostile, tmp_path, name):
    child = hostile(NAMES[name], tmp_path)
    text = traced(whystall, child, "csv")
    assert is_clean(text.replace("\r\n", "\n"))
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert rows[0] == HEADER
    assert all(len(row) == len(HEADER) for row in rows)
    assert len(rows) == len(text.splitlines()), "no field may hold a line break"
    (row,) = [dict(zip(HEADER, row)) for row in rows[1:] if row[3] == loop.name]
    assert (int(row["pid"]), row["op"], row["cause"]) == (child.pid, "read", "submit")
    assert (int(row["requests"]), int(row["bytes"]), int(row["errors"])) == (3, 3 * BLOCK, 0)
    assert float(row["device_p50_us"]) > 0


@pytest.mark.parametrize("name", NAMES)
def test_text(whystall, loop, hostile, tmp_path, name):
    child = hostile(NAMES[name], tmp_path)
    text = traced(whystall, child, "text")
    assert is_clean(text)
    assert str(child.pid) in text
    assert loop.name in text


def test_name_shown_as_it_is(whystall, loop, hostile, tmp_path):
    """Harmless names are not escaped, also beyond ASCII."""
    for name in ("kérnel", "load er", "日本"):
        folder = tmp_path / name
        folder.mkdir()
        child = hostile(name.encode(), folder)
        assert name in traced(whystall, child, "text")


def test_csv_flush_has_no_queue_latency(whystall, loop, spawn):
    child = spawn(*helpers.workload("blockread"), "-wS", "-n", "3", loop.target)
    child.expect("ready")
    rows = list(csv.DictReader(io.StringIO(traced(whystall, child, "csv"))))
    (row,) = [row for row in rows if row["device"] == loop.name]
    assert (row["op"], row["queue_p50_us"]) == ("flush", "")
    assert float(row["device_p50_us"]) > 0


@pytest.mark.parametrize("form", ["text", "csv", "json"])
def test_hostile_cgroup(whystall, loop, spawn, new_cgroup, cgroup2, form):
    group = new_cgroup(cgroup2, 'whystall-test-\x1b[31m,"\x07é')
    child = spawn(*helpers.workload("blockread"), "-w", "-n", "3", loop.target)
    child.expect("ready")
    (group / "cgroup.procs").write_text(str(child.pid))
    tracer = whystall.start("-O", form, "-c", group).attached()
    child.go()
    assert child.wait() == 0
    result = tracer.finish(signal.SIGINT)
    assert result.status == 0, result
    assert is_clean(result.stderr)
    assert is_clean(result.stdout.replace("\r\n", "\n"))
    if form == "json":
        row = helpers.Report(result.stdout).row(pid=child.pid)
        assert "whystall-test-" in row["cgroup"]
