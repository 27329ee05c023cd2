# SPDX-License-Identifier: BSD-2-Clause
"""Input markers, against a program that knows how long it was inside a library's function."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

import helpers

ROW = {"WHYSTALL_MARKERS": "libbatches*.so*:next_batch"}
LIBRARY = helpers.workload("libbatches.so")[0]
# Unlike the others it needs no library; processors are shared with whatever else the host does.
SLACK_S = 0.02
CAP_SYS_ADMIN = 21
# It sleeps longer than an interval, in which the library that it has just mapped is found.
FOUND = ("-m", "0.4")


def about(seconds):
    return pytest.approx(seconds, rel=0.03, abs=SLACK_S)


def clock_of(report, pid):
    (clock,) = [row for row in report.data["debug"]["clocks"] if row["pid"] == pid]
    return clock


def edges_of(report, tid):
    return [edge for edge in report.data["debug"]["edges"] if edge["wakee_tid"] == tid]


@pytest.fixture
def attached(whystall, spawn):
    """whystall on one that is ready, which then goes on: its clock, its truth, the report."""
    def run(command, *plans, env=None):
        child = spawn(*command, *plans)
        pid = child.expect("ready")
        tracer = whystall.attach("-v", "-i", "0.1", "-p", str(child.pid), env={**ROW, **(env or {})})
        child.go()
        truth = json.loads(child.line())
        report = tracer.report()
        return clock_of(report, pid), truth["inside_s"], report
    return run


@pytest.fixture
def marked(attached):
    """The program, which maps the library when it is watched already."""
    def run(*plans, env=None):
        return attached([*helpers.workload("marked"), "-w", "-l", "0.2", *FOUND, LIBRARY], *plans, env=env)
    return run


@pytest.mark.parametrize("plan", [
    "s0.06,+0.04x10",
    "c0.04,-0.03x10",
    "n0.06,+0.02x10",
    "s0.002,+0.001x200",
])
def test_clock_runs_inside(marked, plan):
    """Whatever the thread does inside, and does not outside; one marker inside another one is one."""
    clock, truth, _ = marked(plan)
    assert clock["marked"] and truth >= 0.2
    assert clock["clock_s"] == about(truth)


def test_waits_of_the_step_are_not_input(marked):
    """Sleeps and waits outside, in any thread, do not run the clock: without markers they would."""
    clock, truth, _ = marked("w0.1,w0.1,w0.1", "r,s0.1,-0.1,r,-0.1,r,-0.2")
    assert clock["clock_s"] == about(truth)
    clock, _, _ = marked("-1.0", env={"WHYSTALL_MARKERS": "none:none"})
    assert not clock["marked"]


def test_any_thread(marked):
    """The first one only waits for the others, which is no input; where they overlap the time counts once."""
    clock, truth, _ = marked("-0.05,s0.1,-0.1,s0.1", "-0.1,s0.1,-0.3", "-0.05,c0.05", "s0.01")
    assert 0.25 <= truth <= 0.35
    assert clock["clock_s"] == about(truth)


def test_many_threads_at_once(marked):
    """They enter and leave at the same moments; at the end the clock must stand."""
    plan = "-0.0003,s0.0005x1500"
    clock, truth, report = marked(*[plan] * 8, "s0.01")
    assert clock["clock_s"] == about(truth)
    assert report.loss["threads_dropped"] == 0


def test_thread_that_ends_inside(marked):
    clock, truth, _ = marked("s0.1,e0.1", "-0.8")
    assert clock["clock_s"] == about(truth)


def test_left_by_longjmp(marked):
    """There is no return to be seen: it counts as inside until its next call returns."""
    clock, truth, _ = marked("j0.1,-0.2,s0.1,-0.3,s0.1,-0.2")
    assert clock["clock_s"] == about(truth + 0.2)


def test_own_time_of_the_thread_inside(marked):
    """Its classes on the clock are those of the time inside."""
    clock, truth, _ = marked("s0.2,-0.2,c0.2,+0.2")
    assert clock["time_s"]["sleep"] == about(0.2)
    assert clock["time_s"]["cpu"] + clock["time_s"]["runqueue"] == about(truth - 0.2)


def test_edges_inside_are_told(marked):
    clock, _, report = marked("w0.1,w0.1", "r,r")
    (edge,) = [edge for edge in edges_of(report, clock["pid"]) if edge["blocked_s"]["ipc"] > 0.1]
    assert edge["inside_s"] == pytest.approx(edge["blocked_s"]["ipc"], abs=5e-3)
    clock, _, report = marked("s0.2", "s0.01")  # joins the other one
    (edge,) = [edge for edge in edges_of(report, clock["pid"]) if edge["blocked_s"]["lock"] > 0.1]
    assert edge["inside_s"] == 0


def test_exec_begins_anew(whystall):
    report = whystall.report("-v", "-i", "0.1", "--", *helpers.workload("marked"), *FOUND, LIBRARY,
                             "s0.3,X0.5", env=ROW)
    (clock,) = report.data["debug"]["clocks"]
    assert not clock["marked"]
    assert clock["clock_s"] == about(0.3)


def test_another_process_has_its_own(whystall):
    """Two of a job, with two libraries, and a third one that calls none."""
    with_one = " ".join([*helpers.workload("marked"), *FOUND, LIBRARY])
    script = f"{with_one} s0.3 & {with_one} s0.1 & sleep 0.6 & wait"
    report, output = whystall.traced("-v", "-i", "0.1", "--", "sh", "-c", script, env=ROW)
    truths = {row["pid"]: row["inside_s"] for row in map(json.loads, output.splitlines())}
    assert len(truths) == 2
    for clock in report.data["debug"]["clocks"]:
        assert clock["marked"] == (clock["pid"] in truths)
        if clock["marked"]:
            assert clock["clock_s"] == about(truths[clock["pid"]])


def test_two_libraries(whystall, tmp_path):
    others = [shutil.copy(LIBRARY, tmp_path / f"libbatches{i}.so") for i in range(2)]
    script = " & ".join(" ".join([*helpers.workload("marked"), *FOUND, str(other), "s0.2"])
                        for other in others) + " & wait"
    report, output = whystall.traced("-v", "-i", "0.1", "--", "sh", "-c", script, env=ROW)
    for truth in map(json.loads, output.splitlines()):
        assert clock_of(report, truth["pid"])["clock_s"] == about(truth["inside_s"])


def test_fork_of_one_that_has_it(whystall):
    """A child that maps it itself, and has no program of its own."""
    report, output = whystall.traced("-v", "-i", "0.1", "--", *helpers.workload("marked"), "-c", "-m", "2.5", LIBRARY,
                                     "s0.2", env=ROW)
    truth = json.loads(output)
    assert clock_of(report, truth["pid"])["clock_s"] == about(truth["inside_s"])


def test_attach_in_mid_run(attached):
    """What is mapped already is watched before the first interval begins."""
    clock, truth, _ = attached([*helpers.workload("marked"), "-w", LIBRARY], "s0.1,-0.1x3")
    assert clock["clock_s"] == about(truth)


def test_attach_inside(whystall, spawn):
    """A call that began before is not known; from the next one on it is."""
    child = spawn(*helpers.workload("marked"), "-w", LIBRARY, "s2.0,s0.2,-0.2")
    pid = child.expect("ready")
    child.go()
    time.sleep(0.3)
    report = whystall.attach("-v", "-i", "0.1", "-p", str(pid), env=ROW).report()
    assert clock_of(report, pid)["clock_s"] == about(0.2)


def test_deleted_library(attached, tmp_path):
    library = shutil.copy(LIBRARY, tmp_path / "libbatches.so")
    child = [*helpers.workload("marked"), "-w", library]
    # What the shell starts beside itself would have /dev/null as its stdin.
    script = f'exec 3<&0; "$@" <&3 & sleep 0.3; rm {library}; wait'
    clock, truth, _ = attached(["sh", "-c", script, "sh", *child], "-0.5,s0.1,-0.1,s0.1")
    assert not os.path.exists(library)
    assert clock["clock_s"] == about(truth)


@pytest.mark.parametrize("name", ["libbatches\n.so", "libbatches (deleted).so", "libbatches.so (deleted)",
                                  "libbatches\\012\x1b[31m.so"])
def test_odd_names(attached, tmp_path, name):
    library = tmp_path / name
    shutil.copy(LIBRARY, library)
    clock, truth, _ = attached([*helpers.workload("marked"), "-w", library], "s0.1,-0.1x3")
    assert clock["clock_s"] == about(truth)


def test_another_mount_namespace(attached, tmp_path):
    """In a container the path leads elsewhere, here to another library."""
    shutil.copy(LIBRARY, tmp_path / "copy")
    (tmp_path / "libbatches.so").write_bytes(b"")
    inside = f'mount --bind "{tmp_path}/copy" "{tmp_path}/libbatches.so" && exec "$@"'
    command = ["unshare", "-m", "sh", "-c", inside, "sh", *helpers.workload("marked"), "-w",
               tmp_path / "libbatches.so"]
    if subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        pytest.skip("no mount namespaces here")
    clock, truth, _ = attached(command, "s0.1,-0.1x3")
    assert clock["clock_s"] == about(truth)


def test_killed_inside(whystall, spawn):
    """Its clock stands still after that."""
    child = spawn(*helpers.workload("marked"), "-w", LIBRARY, "s60")
    pid = child.expect("ready")
    other = spawn("sleep", "60")  # the run goes on
    tracer = whystall.attach("-v", "-i", "0.1", "-p", f"{pid},{other.pid}", "-d", "2s", env=ROW)
    child.go()
    start = time.monotonic()
    time.sleep(0.4)
    child.process.kill()
    child.process.wait()
    inside_s = time.monotonic() - start
    assert clock_of(tracer.report(), pid)["clock_s"] == pytest.approx(inside_s, abs=0.05)


def write_garbage(path, kind):
    data = pathlib.Path(LIBRARY).read_bytes()
    if kind == "text":
        data = b"#!/bin/sh\n" * 1000
    elif kind == "cut":
        data = data[:len(data) // 3]
    elif kind == "ones":
        data = data[:64] + b"\xff" * (len(data) - 64)
    path.write_bytes(data)


@pytest.mark.parametrize("kind", ["text", "cut", "ones"])
def test_no_library(whystall, tmp_path, kind):
    """A job may map what it likes under a library's name."""
    path = tmp_path / "libbatches.so"
    write_garbage(path, kind)
    script = (f"import mmap, time\nf = open({str(path)!r}, 'rb')\n"
              "m = mmap.mmap(f.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC)\n"
              "time.sleep(0.5)\n")
    result = whystall.start("-v", "-i", "0.1", "-O", "json", "--", "/usr/bin/python3", "-c", script, env=ROW).finish()
    assert result.status == 0, result
    assert "libbatches.so: its input markers cannot be watched" in result.stderr \
        or "libbatches.so exports no input marker" in result.stderr
    (clock,) = helpers.Report(result.stdout).data["debug"]["clocks"]
    assert not clock["marked"]
    assert clock["frameworks"] == ["python"]


def test_library_without_the_function(whystall):
    result = whystall.start("-v", "-i", "0.1", "-O", "json", "--", *helpers.workload("marked"), *FOUND, LIBRARY, "s0.1",
                            env={"WHYSTALL_MARKERS": "libbatches*:no_such_function"}).finish()
    assert result.status == 0, result
    assert "libbatches.so exports no input marker that is known" in result.stderr


@pytest.fixture
def fuse_library(cleanup, tmp_path):
    """The library on a file system that a program serves: `once`: it answers the first one who opens it alone."""
    def make(how):
        if not os.path.exists("/dev/fuse"):
            pytest.skip("no /dev/fuse")
        server = subprocess.Popen([*helpers.workload("fuse_delay"), LIBRARY, how, "0", str(tmp_path)],
                                  stderr=subprocess.DEVNULL)
        cleanup.callback(subprocess.run, ["umount", "-l", str(tmp_path)], check=False)
        cleanup.callback(server.wait, 10)
        cleanup.callback(server.kill)
        file = tmp_path / "libbatches.so"
        helpers.wait_until(lambda: file.exists() or server.poll() is not None, "the FUSE file")
        if server.poll() is not None:
            pytest.skip("FUSE cannot be mounted here")
        return file, server
    return make


@pytest.mark.parametrize("how, why", [("once", "its file system does not answer"),
                                      ("always", "a program serves its file system")])
def test_file_system_of_the_job(whystall, spawn, cleanup, fuse_library, how, why):
    """One that never answers holds up neither the end nor, after two seconds, the intervals."""
    library, server = fuse_library(how)
    child = spawn(*helpers.workload("marked"), "-w", library, "s60")
    pid = child.expect("ready")
    start = time.monotonic()
    tracer = whystall.start("-v", "-i", "0.1", "-d", "1s", "-O", "json", "-p", str(pid), env=ROW)
    cleanup.callback(server.kill)  # first of all, or whystall could not be ended either
    result = tracer.finish()
    assert time.monotonic() - start < 15
    assert result.status == 0, result
    assert result.stderr.count(f"libbatches.so: its input markers cannot be watched: {why}") == 1
    assert not clock_of(helpers.Report(result.stdout), pid)["marked"]


MAP_MANY = """
import ctypes, os, sys, time
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
count, copies, files = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
for path in files:
    fd = os.open(path, os.O_RDONLY)
    for i in range(count):
        assert libc.mmap(None, 4096, 5, 2, fd, i % 2 * 8192) != 2 ** 64 - 1
    os.close(fd)
for i in range(copies):
    if os.fork() == 0:
        time.sleep(60)
print("ready", os.getpid(), flush=True)
time.sleep(60)
"""


def test_budget_of_a_look(whystall, spawn, tmp_path):
    """A job of 9 processes with some 16 MB of /proc/PID/maps each, which is not read all at once."""
    path = tmp_path / ("x" * 200)
    path.write_bytes(b" " * 16384)
    child = spawn("/usr/bin/python3", "-c", MAP_MANY, "50000", "8", path, start_new_session=True)
    pid = child.expect("ready")
    try:
        tracer = whystall.attach("-i", "10", "-p", str(pid), env=ROW)
        counters = pathlib.Path(f"/proc/{tracer.process.pid}/io").read_text(encoding="utf-8")
        read_bytes = int(counters.split()[1])
        assert tracer.finish(signal.SIGINT).status == 0
    finally:
        os.killpg(pid, signal.SIGKILL)
    assert read_bytes < 48 << 20


def test_detached_when_unmapped(whystall, spawn, tmp_path, cleanup):
    """Once no process has the library any more, its file system can be unmounted."""
    if subprocess.run(["mount", "-t", "tmpfs", "none", str(tmp_path)], check=False).returncode:
        pytest.skip("cannot mount here")
    cleanup.callback(subprocess.run, ["umount", "-l", str(tmp_path)], check=False, stderr=subprocess.DEVNULL)
    library = shutil.copy(LIBRARY, tmp_path)
    child = spawn(*helpers.workload("marked"), "-w", library, "s0.3")
    other = spawn("sleep", "60")  # the run goes on
    pid = child.expect("ready")
    tracer = whystall.attach("-v", "-i", "0.1", "-p", f"{pid},{other.pid}", env=ROW)
    child.go()
    child.line()
    child.process.wait()
    helpers.wait_until(lambda: subprocess.run(["umount", str(tmp_path)], check=False).returncode == 0, "umount", 10)
    result = tracer.finish(signal.SIGINT)
    assert result.status == 0
    assert clock_of(helpers.Report(result.stdout), pid)["marked"]
    assert "libbatches.so: mapped by no process any more" in result.stderr


def test_garbage_takes_no_place(attached, tmp_path):
    """64 files under the library's name that are none, then one that is."""
    files = [tmp_path / f"libbatches{i}.so" for i in range(64)]
    for file in files:
        write_garbage(file, "text")
    marked_one = [*helpers.workload("marked"), "-w", LIBRARY]
    script = 'exec 3<&0; /usr/bin/python3 -c "$0" 1 0 "${@:%d}" >/dev/null & sleep 0.5; "${@:1:%d}" <&3; kill $!' % (
        len(marked_one) + 2, len(marked_one) + 1)
    clock, truth, _ = attached(["bash", "-c", script, MAP_MANY, *marked_one, "-1.0,s0.3", *files])
    assert clock["marked"]
    assert clock["clock_s"] == about(truth)


def test_too_many_libraries_are_told(whystall, spawn, tmp_path):
    files = [shutil.copy(LIBRARY, tmp_path / f"libbatches{i}.so") for i in range(66)]
    child = spawn("/usr/bin/python3", "-c", MAP_MANY, "1", "0", *files)
    pid = child.expect("ready")
    result = whystall.start("-i", "0.2", "-d", "3s", "-p", str(pid), env=ROW).finish()
    assert result.status == 0, result
    assert result.stderr.count("more than 64 libraries") == 1


@pytest.mark.parametrize("row", ["nonsense", ":next_batch", "libbatches*.so:", "x" * 600 + ":y"])
def test_malformed_row_is_told(whystall, row):
    result = whystall.start("--", "true", env={"WHYSTALL_MARKERS": row}).finish()
    assert result.stderr.count("WHYSTALL_MARKERS is not GLOB:SYMBOL") == 1


def effective(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    (line,) = [line for line in status.splitlines() if line.startswith("CapEff:")]
    return int(line.split()[1], 16)


def test_privileges(whystall):
    """CAP_SYS_ADMIN is kept where it is needed."""
    job = whystall.attach("-p", str(os.getpid()))
    assert effective(job.process.pid) & 1 << CAP_SYS_ADMIN
    host = whystall.attach("-a")
    assert not effective(host.process.pid) & 1 << CAP_SYS_ADMIN
    rows = whystall.start("stat", "1").attached()
    assert not effective(rows.process.pid) & 1 << CAP_SYS_ADMIN
    for tracer in (job, host, rows):
        assert tracer.finish(signal.SIGINT).status == 0


def test_nothing_stays(whystall, marked):
    before = helpers.bpf_programs()
    if before is None:
        pytest.skip("needs bpftool")
    marked("s0.1")
    helpers.no_programs_since(before)
