# SPDX-License-Identifier: BSD-2-Clause
"""Jobs that hang, on something that the test knows, and others that only look so."""
import os
import pty
import shutil
import signal
import subprocess
import time

import pytest

import helpers

AFTER_S = 3
LATEST_S = 15  # from attaching to the answer, with the default of --stuck-after
STUCK = helpers.workload("stuck.py")


def told(tracer):
    """Waits until it says so, while the job still hangs: what it said."""
    def said():
        assert tracer.process.poll() is None
        text = tracer.written(tracer.stderr).decode()
        return text if "is stuck" in text or "may be stuck" in text else None
    return helpers.wait_until(said, "whystall to say that the job is stuck")


def verdict_on(report, pid):
    (verdict,) = [row for row in report.data["verdicts"] if row["pid"] == pid]
    return verdict


def waits_of(verdict):
    return {row["tid"]: row for row in verdict["waits"]}


@pytest.fixture
def stuck(whystall):
    """The verdict on a job that hangs now: told within the time, and at the end."""
    def run(pid, *options, after_s=AFTER_S):
        tracer = whystall.attach("--stuck-after", str(after_s), *options, "-p", str(pid))
        start = time.monotonic()
        text = told(tracer)
        took = time.monotonic() - start
        print(f"told {took:.1f} s after attaching, with --stuck-after {after_s}")
        assert took < after_s + LATEST_S - 10
        verdict = verdict_on(tracer.report(signal.SIGINT), pid)
        assert verdict["class"] == "stuck", verdict
        assert f"process {pid} is stuck" in text or f"process {pid} may be stuck" in text
        assert verdict["input_bound_pct"] is None
        assert all(row["since_s"] >= after_s for row in verdict["waits"])
        return verdict
    return run


@pytest.fixture
def job(spawn):
    """A job that works, and the PIDs that it wrote."""
    def start(*command, lines):
        child = spawn(*command)
        child.expect("ready")
        child.go()
        return child, [int(child.line().split()[1]) for _ in range(lines)]
    return start


@pytest.fixture
def workers(job, cleanup):
    def start(*args, count=1):
        child, pids = job(*STUCK, *args, lines=count)
        for pid in pids:
            cleanup.callback(end, pid)
        time.sleep(0.5)
        return child, pids
    return start


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def end(pid):
    if alive(pid):
        os.kill(pid, signal.SIGKILL)


def stop(pid):
    os.kill(pid, signal.SIGSTOP)
    helpers.wait_until(lambda: "State:\tT" in open(f"/proc/{pid}/status", encoding="ascii").read(), "a stop")


def test_stopped_worker(stuck, workers):
    """With the default of --stuck-after; it hangs when whystall comes."""
    child, (_, second) = workers("ordered", count=2)
    stop(second)
    time.sleep(1)
    verdict = stuck(child.pid, after_s=10)
    waits = waits_of(verdict)
    assert waits[child.pid]["waits_for_tid"] == second
    assert waits[child.pid]["syscall"] == "read" and waits[child.pid]["object"].startswith("pipe:[")
    assert waits[child.pid]["class"] == "ipc"
    assert waits[child.pid]["since_s"] > 10.5
    assert verdict["confidence"] == "high"
    assert any(f"{second} python3 is stopped" in line for line in verdict["evidence"])
    (advice,) = verdict["advice"]
    assert advice["do"].endswith(f"kill -CONT {second}")


def test_stopped_after_attaching(whystall, workers):
    """Seen to work, then to hang, then to go on: at the end it is not stuck."""
    child, (first, second) = workers("ordered", count=2)
    tracer = whystall.attach("--stuck-after", str(AFTER_S), "-p", str(child.pid))
    time.sleep(1.5)
    stop(first)
    text = told(tracer)
    assert f"{first} python3 is stopped" in text and f"for thread {first}" in text
    os.kill(first, signal.SIGCONT)
    helpers.wait_until(lambda: b"the job goes on" in tracer.written(tracer.stderr), "the job to go on")
    time.sleep(1)
    report = tracer.report(signal.SIGINT)
    assert verdict_on(report, child.pid)["class"] != "stuck"
    assert all(verdict["waits"] == [] for verdict in report.data["verdicts"])
    assert alive(second)


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
def test_all_wait_with_timeouts(whystall, workers, number):
    """Threads that wake only to go back to sleep are no sign of life."""
    child, (first, _) = workers("polling", count=2)
    tracer = whystall.attach("--stuck-after", str(AFTER_S), "-p", str(child.pid))
    time.sleep(1)
    os.kill(first, number)
    told(tracer)
    verdict = verdict_on(tracer.report(signal.SIGINT), child.pid)
    assert verdict["class"] == "stuck", verdict
    assert any(f"{first} python3 is " in line for line in verdict["evidence"])
    assert waits_of(verdict)[child.pid]["since_s"] >= AFTER_S


def test_program(whystall, cleanup):
    """The same with a program that whystall starts, and no verdict when it hangs for less."""
    tracer = whystall.start("--stuck-after", "2s", "--", *STUCK, "ordered").attached()
    helpers.wait_until(lambda: tracer.written(tracer.stdout).count(b"worker ") == 2, "its workers")
    pids = [int(line.split()[1]) for line in tracer.written(tracer.stdout).splitlines() if line.startswith(b"worker ")]
    for pid in pids:
        cleanup.callback(end, pid)
    worker = pids[-1]
    time.sleep(1)
    stop(worker)
    text = told(tracer)
    assert f"{worker} python3 is stopped" in text
    os.kill(worker, signal.SIGCONT)
    helpers.wait_until(lambda: b"the job goes on" in tracer.written(tracer.stderr), "the job to go on")
    result = tracer.finish(signal.SIGTERM)
    assert "Verdict for" in result.stdout and ": stuck" not in result.stdout, result


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_worker(whystall, stuck, workers, when):
    """Nobody looks after it, so that the trainer waits for ever."""
    child, (first, _) = workers("ordered", count=2)
    if when == "before":
        os.kill(first, signal.SIGKILL)
        verdict = stuck(child.pid)
    else:
        tracer = whystall.attach("--stuck-after", str(AFTER_S), "-p", str(child.pid))
        time.sleep(1)
        os.kill(first, signal.SIGKILL)
        told(tracer)
        verdict = verdict_on(tracer.report(signal.SIGINT), child.pid)
    assert verdict["class"] == "stuck" and verdict["confidence"] == "high"
    assert any(f"process {first} python3 is gone: killed by signal 9" in line for line in verdict["evidence"])
    assert waits_of(verdict)[child.pid]["syscall"] == "read"


def test_worker_that_was_looked_after(whystall, spawn):
    """A pool's, whose task is gone with it: it is named, but that this is the cause is not certain."""
    child = spawn(*STUCK, "pool")
    child.expect("ready")
    tracer = whystall.attach("--stuck-after", str(AFTER_S), "-p", str(child.pid))
    child.go()
    text = told(tracer)
    verdict = verdict_on(tracer.report(signal.SIGINT), child.pid)
    assert verdict["class"] == "stuck" and verdict["confidence"] == "low"
    assert " python3 ended " in text
    assert any(" python3 ended " in line for line in verdict["evidence"])


def test_names_are_escaped(whystall, spawn, tmp_path):
    program = tmp_path / "\x1b[2J\n)R 1"
    shutil.copy(*helpers.workload("lock_cycle"), program)
    child = spawn(program, "2")
    child.expect("ready")
    child.go()
    result = whystall.start("--stuck-after", "1s", "-d", "3s", "-p", str(child.pid)).finish()
    assert "a cycle: " in result.stderr and "Verdict for" in result.stdout
    assert r"\x1b[2J\x0a)R 1 waits for" in result.stdout
    assert "\x1b" not in result.stdout + result.stderr


@pytest.mark.parametrize("plan, count", [("2", 2), ("3", 3), ("robust", 2)])
def test_lock_cycle(stuck, job, plan, count):
    child, threads = job(*helpers.workload("lock_cycle"), plan, lines=count)
    time.sleep(0.3)
    verdict = stuck(child.pid)
    waits = waits_of(verdict)
    assert set(waits) == {child.pid, *threads}
    assert waits[child.pid]["waits_for_tid"] in threads
    assert {waits[tid]["waits_for_tid"] for tid in threads} == set(threads)
    assert all(row["class"] == "lock" and row["syscall"] == "futex" for row in verdict["waits"])
    (line,) = [line for line in verdict["evidence"] if line.startswith("a cycle: ")]
    assert all(f"{tid} lock_cycle waits for {waits[tid]['waits_for_tid']}" in line for tid in threads)


def evidence_of(whystall, pid):
    report = whystall.report("--stuck-after", "1s", "-d", "4s", "-p", str(pid))
    return [(verdict["class"], *verdict["evidence"]) for verdict in report.data["verdicts"]]


def test_owner_is_no_thread(whystall, job):
    """The number in a mutex may be of before a fork, and what looks like a mutex may be none."""
    child, _ = job(*helpers.workload("lock_cycle"), "ended", lines=1)
    assert "held the mutex" not in str(evidence_of(whystall, child.pid))


def script(job, text):
    child, _ = job("/usr/bin/python3", "-c", "import sys\nprint('ready 0', flush=True)\nsys.stdin.readline()\n" + text,
                   lines=0)
    time.sleep(0.5)
    return child


@pytest.mark.parametrize("text", [
    "import os, tempfile\np = tempfile.mktemp()\nos.mkfifo(p)\ntry: open(p)\nfinally: os.unlink(p)",
    "import subprocess, threading, http.server as h\nsubprocess.Popen(['false'])\n"
    "s = h.HTTPServer(('127.0.0.1', 0), h.BaseHTTPRequestHandler)\n"
    "t = threading.Thread(target=s.serve_forever, args=(1000,))\nt.start()\nt.join()",
    "import threading\ne = threading.Event()\nt = threading.Thread(target=e.wait, args=(40,))\nt.start()\ne.wait(3600)",
    "import os, select\nr, w = os.pipe()\nselect.select([r], [], [])",
], ids=["fifo", "server-with-a-failed-child", "time-limits", "own-pipe"])
def test_only_idle(whystall, job, text):
    """Somebody else may end these waits, or time, or a signal."""
    child = script(job, text)
    assert not any(found[0] == "stuck" for found in evidence_of(whystall, child.pid))


def test_locks_of_python(stuck, job):
    """They have no owner that could be read: all who could let one go wait."""
    child, threads = job(*STUCK, "locks", lines=2)
    time.sleep(0.3)
    verdict = stuck(child.pid)
    assert set(waits_of(verdict)) == {child.pid, *threads}
    assert verdict["confidence"] == "low"


@pytest.fixture
def fuse(cleanup, tmp_path):
    """A file on a file system whose reads take that long, and the program that serves it."""
    def make(delay_us):
        if not os.path.exists("/dev/fuse"):
            pytest.skip("no /dev/fuse")
        server = subprocess.Popen([*helpers.workload("fuse_delay"), str(1 << 20), str(delay_us), "0", str(tmp_path)],
                                  stderr=subprocess.DEVNULL)
        cleanup.callback(server.wait, 10)
        cleanup.callback(subprocess.run, ["umount", "-l", str(tmp_path)], check=False)
        cleanup.callback(server.kill)
        file = tmp_path / "disk.img"
        helpers.wait_until(lambda: file.exists() or server.poll() is not None, "the FUSE file")
        if server.poll() is not None:
            pytest.skip("FUSE cannot be mounted here")
        return file, server
    return make


def test_read_that_never_comes_back(stuck, workers, cleanup, fuse):
    file, server = fuse(3600 * 10**6)
    child, (worker,) = workers("read", str(file))
    cleanup.callback(server.kill)  # first of all: the worker cannot be ended before
    verdict = stuck(child.pid)
    waits = waits_of(verdict)
    assert waits[child.pid]["waits_for_tid"] == worker
    assert (waits[worker]["class"], waits[worker]["syscall"], waits[worker]["object"]) == \
        ("storage_read", "read", str(file))
    assert any(f"mounted on {file.parent}, does not answer" in line for line in verdict["evidence"])
    (minor,) = [line.split()[2].split(":")[1] for line in open("/proc/self/mountinfo", encoding="utf-8")
                if line.split()[4] == str(file.parent)]
    assert f"/sys/fs/fuse/connections/{minor}/abort" in verdict["advice"][0]["do"]


def not_stuck(whystall, pid, seconds):
    tracer = whystall.attach("--stuck-after", "2s", "-d", str(seconds), "-p", str(pid))
    result = tracer.finish()
    assert result.status == 0, result
    assert "be stuck" not in result.stderr and "is stuck" not in result.stderr
    report = helpers.Report(result.stdout)
    assert all(verdict["class"] != "stuck" for verdict in report.data["verdicts"])


@pytest.mark.parametrize("args", [("compute", "5"), ("sleepy", "3.5")])
def test_slow_but_living(whystall, workers, args):
    child, _ = workers(*args)
    not_stuck(whystall, child.pid, 9)


def test_slow_reads(whystall, workers, cleanup, fuse):
    file, server = fuse(1500000)
    child, _ = workers("read", str(file))
    cleanup.callback(server.kill)
    not_stuck(whystall, child.pid, 8)


SERVER = """
import socket, threading
listener = socket.create_server(("127.0.0.1", 0))
def serve():
    while True:
        listener.accept()
thread = threading.Thread(target=serve)
thread.start()
print("ready", flush=True)
thread.join()
"""


@pytest.mark.parametrize("command", [["cat"], ["sleep", "60"], ["/usr/bin/python3", "-c", SERVER],
                                     ["sh", "-c", "cat; true"]])
def test_idle(whystall, spawn, command):
    """It waits for the world outside, which does not make it stuck."""
    child = spawn(*command)
    time.sleep(0.5)
    not_stuck(whystall, child.pid, 5)


def test_idle_shell(whystall, cleanup):
    pid, terminal = pty.fork()
    if not pid:
        os.execvp("sh", ["sh", "-i"])
    cleanup.callback(os.waitpid, pid, 0)
    cleanup.callback(os.close, terminal)
    cleanup.callback(os.kill, pid, signal.SIGKILL)
    time.sleep(0.5)
    not_stuck(whystall, pid, 5)


def test_bad_time(whystall):
    result = whystall.start("--stuck-after", "soon", "--", "true").finish()
    assert result.status == 64 and "--stuck-after takes a time" in result.stderr
