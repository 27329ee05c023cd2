# SPDX-License-Identifier: BSD-2-Clause
"""scripts/bench: what it computes, what it counts beside fio's own figures, and that it leaves nothing behind."""
import contextlib
import io
import json
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import pytest

import helpers

sys.path.insert(0, str(helpers.ROOT / "tests" / "bench"))
import figures
import host
import loads
import tables
import tools
from figures import Cost, Spread
from programs import Program, bpf_stats_are_on
from running import Failed, Gate, Running, descendants

BENCH = helpers.ROOT / "scripts" / "bench"


def program(name, runs, ns):
    return Program(name, runs, ns, 0, 0, None)


def test_spread():
    assert figures.spread([3, None, 1, 2]) == Spread(2, 1, 3, 3)
    assert figures.spread([None]) is None
    assert figures.spread([]) is None


def test_what_ran_between_two_looks():
    """Programs of one name are added; what was there before does not count; a new program counts from zero."""
    before = {1: program("issue", 100, 5000), 2: program("idle", 7, 70)}
    after = {1: program("issue", 110, 5600), 2: program("idle", 7, 70), 3: program("issue", 10, 400)}
    assert figures.ran(before, after) == {"issue": Cost(20, 1000)}


@pytest.mark.parametrize("name, place", [
    ("block_start", "Q"), ("block_io_start", "Q"), ("block_getrq", "Q"), ("block_start_bio", "Q"),
    ("block_issue", "D"), ("block_rq_issue_btf", "D"), ("block_complete", "C"), ("block_rq_comple", "C"),
    ("ledger_switch", "switch"), ("sched_waking", "waking"), ("ledger_wakeup", "wakeup"),
    ("upper_start", None), ("upper_complete", None), ("block_requeue", None), ("page_added", None)])
def test_place_of_a_program(name, place):
    assert figures.place_of(name) == place


def test_time_by_place():
    """A second program on a tracepoint runs seldom and its time is part of the event's; few runs are no event's time."""
    costs = {"block_issue": Cost(100, 5000), "block_issue_again": Cost(10, 1000), "block_complete": Cost(9, 900)}
    assert figures.ns_by_place(costs, least_runs=50) == {"D": 60}


def test_net():
    empty = {"Q": 40, "D": 40, "C": 50}
    assert figures.net({"D": 100, "C": 120}, empty) == 130
    assert figures.net({"Q": 100, "D": 100, "C": 100}, empty) == 170
    assert figures.net({"switch": 100}, empty) is None
    assert figures.net({}, empty) is None


@pytest.mark.parametrize("part, whole, expected", [(1, 4, 0.25), (None, 4, None), (1, None, None), (1, 0, None)])
def test_ratio(part, whole, expected):
    assert figures.ratio(part, whole) == expected


def test_fdinfo():
    text = "pos:\t0\nflags:\t02000002\nprog_type:\t26\nprog_tag:\t0ab3\nmemlock:\t4096\nprog_id:\t77\nlink_type:\ttracing\n"
    found = figures.parse_fdinfo(text)
    assert (found["prog_id"], found["memlock"], found["link_type"]) == (77, 4096, "tracing")


SMAPS = """\
55d0-55e0 r-xp 00000000 fe:00 1234                       /usr/sbin/whystall
Size:                 64 kB
Rss:                  40 kB
Pss:                  40 kB
66d0-66e0 rw-p 00000000 00:00 0                          [heap]
Rss:                  12 kB
7f00-7f10 rw-s 00000000 00:0e 1042                       anon_inode:bpf-map
Rss:                 100 kB
7f20-7f30 rw-p 00000000 00:00 0 
Rss:                   8 kB
"""


def test_smaps():
    assert figures.resident_by_kind(figures.parse_smaps(SMAPS)) == {
        "total": 160 * 1024, "bpf_maps": 100 * 1024, "own": 20 * 1024, "files": 40 * 1024}


def test_ticks_of_a_process_with_a_hostile_name():
    assert figures.parse_stat_ticks("12 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14") == (11, 12)


def test_goals():
    assert tables.judged(Spread(0.2, 0, 9, 3), "at most", 0.25) is True
    assert tables.judged(Spread(0.96, 0, 1, 3), "at least", 0.97) is False
    assert tables.judged(None, "at most", 1) is None


def test_goals_have_the_digits_that_they_are_judged_by():
    text = io.StringIO()
    tables.write_goals([("user space", Spread(0.54, 0.04, 0.6, 3), "at most", 0.5, "% of a CPU")], tables.Writer(text))
    assert "0.540 (0.040..0.600)  at most 0.5 % of a CPU  MISSED" in text.getvalue()


def test_what_ends_by_itself():
    """What is measured beside a tool that has ended says nothing about it."""
    with pytest.raises(Failed, match="status 3: tracing"), \
            Running(["sh", "-c", "echo tracing; exit 3"], ready="tracing") as running:
        running.process.wait()


def broken(tmp_path, name):
    path = tmp_path / name
    path.write_text("#!/bin/sh\necho not for this kernel >&2; exit 2\n", encoding="utf-8")
    path.chmod(0o755)


def test_peers_that_do_not_start_are_absent(tmp_path, monkeypatch):
    for name in ("perf", "bpftrace", "taskset"):
        broken(tmp_path, name)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(tools, "SBIN", str(tmp_path))
    assert "not for this kernel" in loads.Pipe.why_absent()
    assert "not for this kernel" in tools.bpftrace("bpftrace").why_absent


def running(argument):
    """Processes with that argument."""
    return [path.parent.name for path in pathlib.Path("/proc").glob("[0-9]*/cmdline")
            if argument.encode() in contents(path).split(b"\0")]


def contents(path):
    with contextlib.suppress(OSError):
        return path.read_bytes()
    return b""


def test_ends_what_is_being_started():
    """As fio's jobs: each in a session of its own."""
    for moment in range(10):
        load = loads.Pipe("/", 1)
        load.command = ["sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10; do setsid sleep 4321.5 & done; wait"]
        gate = Gate(load)
        gate.process.stdin.write(b"\n")
        gate.process.stdin.flush()
        time.sleep(moment / 1000)
        gate.stop()
        helpers.wait_until(lambda: not running("4321.5"), "the end of all", 5)


@pytest.mark.parametrize("options, why", [
    (["--rounds", "0"], "--rounds must be positive"),
    (["--seconds", "nan"], "--seconds must be at least 0.1"),
    (["--seconds", "inf"], "--seconds must be at least 0.1"),
    (["--only", "requests,nonsense"], "there is no part 'nonsense'"),
    (["--device", "/dev/none"], "there is no /dev/none"),
    (["--device", "/dev/null"], "/dev/null is not a disk"),
    (["--device", "/tmp"], "/tmp is not a disk"),
    (["--device", __file__], "is not a disk"),
    (["--json", "/tmp"], "cannot write to /tmp"),
    (["--json", "/none/bench.json"], "cannot write to /none/bench.json")])
def test_what_cannot_be_measured_is_told_before(options, why):
    done = subprocess.run([BENCH, *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert why in done.stderr


def test_figures_that_cannot_be_written():
    with open("/dev/full", "w", encoding="utf-8") as full, pytest.raises(Failed, match="standard output: No space left"):
        tables.Writer(full).line("figures")
    with pytest.raises(Failed, match="/dev/full: No space left"):
        tables.write_json("/dev/full", {})


@pytest.fixture
def fio(traceable):
    if not shutil.which("fio"):
        pytest.skip("needs fio")


def test_counts_what_fio_did(fio, tmp_path):
    """The programs that do nothing ran once for each request of fio's, and others' are no more than the kernel says."""
    result = tmp_path / "bench.json"
    done = subprocess.run([BENCH, "--only", "requests", "--rounds", "1", "--seconds", "0.3", "--json", result],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done
    report = json.loads(result.read_text(encoding="utf-8"))
    assert report["schema"] == "whystall.bench/1"
    assert report["machine"]["kernel"] in done.stdout
    assert f"device: {report['parts']['requests']['device']['name']} (tmpfs), scheduler none" in done.stdout
    part = report["parts"]["requests"]
    empty = part["rounds"][0]["empty programs"]
    assert set(empty["ns"]) == {"Q", "D", "C"}
    for ran in empty["programs"].values():
        # Some come between a look at the programs and the one at the disks, for others on this machine.
        assert empty["requests"] <= ran["runs"] <= empty["requests"] + 2 * empty["other_requests"] + 100
    own = part["ns"]["whystall -a"]
    assert own["sum"]["median"] == pytest.approx(sum(own[place]["median"] for place in "QDC"), abs=0.01)
    assert [goal["met"] for goal in report["goals"]] != []


def test_knows_that_the_kernel_takes_the_time_of_programs(traceable):
    bpftool = subprocess.run([helpers.ROOT / "scripts" / "find-bpftool"], stdout=subprocess.PIPE, check=True,
                             text=True).stdout.strip()
    with host.bpf_stats():
        assert bpf_stats_are_on(bpftool)


def left_by_bench():
    """Mounts, loop devices and folders."""
    loops = (path.read_text(encoding="utf-8").strip()
             for path in pathlib.Path("/sys/block").glob("loop*/loop/backing_file"))
    mounts = pathlib.Path("/proc/mounts").read_text(encoding="utf-8").splitlines()
    folders = map(str, pathlib.Path(tempfile.gettempdir()).glob("whystall-bench-*"))
    return {place for place in (*loops, *mounts, *folders) if "whystall-bench-" in place}


def comm_of(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    return None


@pytest.mark.parametrize("impatient", [False, True])
def test_puts_all_back(fio, impatient):
    """Ended in the middle of a load; fio's own jobs are in sessions of their own. Who is impatient asks again while all is
    being put back."""
    before = left_by_bench()
    bench = subprocess.Popen([BENCH, "--only", "requests", "--seconds", "60"], stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def loaded():
        family = descendants(bench.pid)
        return family if [comm_of(pid) for pid in family].count("fio") >= 2 else None
    try:
        family = helpers.wait_until(loaded, "the load")
        assert left_by_bench() > before
        bench.send_signal(signal.SIGTERM)
        while impatient and bench.poll() is None:
            time.sleep(0.002)
            bench.send_signal(signal.SIGTERM)
        assert bench.wait(60) == 128 + signal.SIGTERM
    finally:
        bench.terminate()
        bench.wait(60)
    assert left_by_bench() == before
    helpers.wait_until(lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in family), "the end of all", 10)
