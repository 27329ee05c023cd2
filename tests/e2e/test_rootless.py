# SPDX-License-Identifier: BSD-2-Clause
"""Without BPF: the same from /proc, as a user without any privilege."""
import csv
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import pytest

import fio
import helpers
from conftest import Whystall

NOBODY = 65534
BLOCK = 4096

# For each line "N" on stdin: so many reads of 4 KiB past the page cache, then "done PID BYTES", the bytes by its
# own /proc/self/io. "fork N": the same in a child that it waits for. "end": leaves.
READER = r"""
import mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECT)
buffer = mmap.mmap(-1, 4096)
def read(count):
    for index in range(count):
        os.preadv(fd, [buffer], index % 1024 * 4096)
def counted():
    with open("/proc/self/io", encoding="ascii") as file:
        return int(file.read().split("\nread_bytes: ")[1].split()[0])
print("ready", os.getpid(), flush=True)
for line in sys.stdin:
    if line.startswith("end"):
        break
    count = int(line.split()[-1])
    child = os.fork() if line.startswith("fork") else -1
    if child <= 0:
        read(count)
    if child > 0:
        os.waitpid(child, 0)
    print("done", os.getpid(), counted(), flush=True)
    if child == 0:
        # Until it is told, so that whoever looks can see it.
        sys.stdin.readline()
        os._exit(0)
"""


@pytest.fixture
def dropped(public_folder):
    """Options of Popen for a process without privileges."""
    public_folder.chmod(0o777)
    if os.geteuid() != 0:
        return {"cwd": "/"}
    return {"cwd": "/", "user": NOBODY, "group": NOBODY, "extra_groups": []}


@pytest.fixture
def rootless(dropped, public_folder, cleanup, monkeypatch):
    """whystall as nobody, from where nobody may read it."""
    binary = public_folder / "whystall"
    shutil.copy(helpers.WHYSTALL, binary)
    binary.chmod(0o755)
    monkeypatch.setattr(helpers, "WHYSTALL", str(binary))

    class Rootless(Whystall):
        def start(self, *args, **options):
            return super().start(*args, **{**dropped, **options})

        def traced(self, *args, status=0, **options):
            result = self.start("-q", "-O", "json", "-o", public_folder / "report.json", *args,
                                **options).finish()
            assert result.status == status, result
            text = (public_folder / "report.json").read_text(encoding="utf-8")
            return helpers.Report(text), result.stdout
    return Rootless(cleanup)


@pytest.fixture
def data(public_folder):
    """A file that nobody may read, on a disk."""
    path = public_folder / "data"
    path.write_bytes(os.urandom(4096 * BLOCK))
    path.chmod(0o644)
    if not helpers.disk_of(path):
        pytest.skip("temporary files lie on no block device")
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_DIRECT))
    except OSError:
        pytest.skip("no O_DIRECT on temporary files")
    return path


@pytest.fixture
def reader(data, spawn, dropped):
    """A running READER; `.read("N")` has it read and returns its PID and its own count of bytes."""
    child = spawn("/usr/bin/python3", "-c", READER, data, **dropped)
    child.expect("ready")

    def read(line):
        child.process.stdin.write(f"{line}\n".encode())
        child.process.stdin.flush()
        word, pid, counted = child.line().split()
        assert word == "done"
        return int(pid), int(counted)
    child.read = read
    return child


def read_bytes(pid):
    with open(f"/proc/{pid}/io", encoding="ascii") as file:
        return int(dict(line.split(": ") for line in file.read().splitlines())["read_bytes"])


def one_reason(stderr):
    """One line says why, one that it has begun."""
    lines = stderr.splitlines()
    assert len(lines) == 2, stderr
    assert re.match("whystall: no BPF: .*not permitted.*; reading /proc", lines[0]), stderr
    assert "tracing" in lines[1], stderr


def test_program(rootless, data):
    """Its bytes are those of its own /proc/PID/io, its exit status is its own."""
    script = READER.replace("for line in sys.stdin", "for line in ['311', '200', 'end']")
    report, output = rootless.traced("--", "/usr/bin/python3", "-c", script, data)
    _, pid, counted = output.splitlines()[-1].split()
    assert report.data["tool"]["source"] == "proc"
    row = report.row(pid=int(pid))
    assert row["comm"] == "python3" and row["cmdline"].startswith("/usr/bin/python3 -c")
    assert report.total("bytes", op="read") == int(counted) >= 511 * BLOCK
    assert row["time_s"]["cpu"] > 0
    assert sum(value for key, value in row["time_s"].items() if key != "wall") == \
        pytest.approx(row["time_s"]["wall"])
    result = rootless.start("--", "sh", "-c", "exit 5").finish()
    assert result.status == 5, result
    one_reason(result.stderr)


def test_reason_is_quiet(rootless):
    assert rootless.start("-q", "--", "true").finish().stderr == ""


def test_running_process(rootless, reader):
    reader.read("7")
    tracer = rootless.attach("-p", str(reader.pid))
    before = read_bytes(reader.pid)
    reader.read("311")
    time.sleep(1.2)
    reader.read("100")
    moved = read_bytes(reader.pid) - before
    report = tracer.report(signal.SIGINT)
    assert moved == 411 * BLOCK
    assert report.total("bytes", pid=reader.pid, op="read") == moved
    assert report.row(pid=reader.pid)["end_s"] is None


def test_child_is_found_and_counted_once(rootless, reader):
    """The kernel adds its bytes to its parent's, which is no second reading."""
    tracer = rootless.attach("-p", str(reader.pid))
    child, _ = reader.read("fork 503")
    assert child != reader.pid
    time.sleep(1.5)
    reader.process.stdin.write(b"\n")
    reader.process.stdin.flush()
    assert reader.line().split()[:2] == ["done", str(reader.pid)]
    assert read_bytes(reader.pid) >= 503 * BLOCK, "the kernel's count has it twice"
    time.sleep(1.5)
    reader.read("101")
    report = tracer.report(signal.SIGINT)
    assert report.row(pid=child)["ppid"] == reader.pid
    assert report.row(pid=child)["end_s"] is not None
    assert report.total("bytes", pid=child, op="read") == 503 * BLOCK
    assert report.total("bytes", pid=reader.pid, op="read") == 101 * BLOCK


def test_child_between_two_looks(rootless, reader):
    """One that nobody saw counts for the parent that waited for it."""
    tracer = rootless.attach("-p", str(reader.pid), "-i", "30s")
    child, _ = reader.read("fork 503")
    reader.process.stdin.write(b"\n")
    reader.process.stdin.flush()
    reader.line()
    report = tracer.report(signal.SIGINT)
    assert report.total("bytes", op="read") == 503 * BLOCK
    assert {row["pid"] for row in report.rows()} <= {reader.pid, child}


def test_fio(rootless, data, public_folder):
    """What fio says it has read, by processes that it starts and waits for."""
    run = fio.Fio(public_folder, data, ios=fio.IOS_PER_JOB, size="4m")
    subprocess.run(run.command, check=True, stdout=subprocess.DEVNULL)
    (public_folder / "fio.json").unlink()
    report = rootless.report("--", *run.command)
    truth = sum(run.job_bytes("read"))
    # And what it had to read of its own program.
    assert truth <= report.total("bytes", op="read") <= truth + (512 << 10)


def test_fork_storm(rootless, data, public_folder, dropped, spawn):
    """Processes that vanish while they are read: no failure, and nothing counted twice."""
    log = public_folder / "log"
    program = public_folder / "fork_storm"
    shutil.copy(helpers.workload("fork_storm")[0], program)
    child = spawn(program, "churn", data, log, "100000", **dropped)
    tracer = rootless.attach("-p", str(child.pid), "-i", "20ms")
    time.sleep(2)
    report = tracer.report(signal.SIGINT)
    child.go()
    child.wait()
    readers = len(log.read_text(encoding="ascii").splitlines())
    assert readers > 10
    assert len(report.rows()) > 3
    assert 0 < report.total("bytes", op="read") <= readers * BLOCK + (1 << 20)


def test_process_that_ends_at_once(rootless):
    for _ in range(5):
        child = subprocess.Popen(["sleep", "0.02"])
        result = rootless.start("-q", "-O", "json", "-p", str(child.pid)).finish()
        child.wait()
        assert result.status in (0, 1), result
        if result.status == 0:
            # An ordinary user may not read the counters of a zombie.
            assert helpers.Report(result.stdout).row(pid=child.pid)["io"] in ([], None)
        else:
            assert len(result.stderr.splitlines()) == 1, result


def test_last_descendant_ends_the_run(rootless, spawn, dropped):
    child = spawn("sh", "-c", "sleep 2 & sleep 1.3", **dropped)
    report = rootless.start("-O", "json", "-p", str(child.pid)).report()
    assert len(report.rows(comm="sleep")) == 2
    assert report.data["window"]["seconds"] > 1.5


def test_another_users_process(rootless, traceable, spawn):
    """Its time can be seen, its bytes cannot: they are not 0."""
    child = spawn("sleep", "600")
    result = rootless.start("-O", "json", "-d", "300ms", "-p", str(child.pid)).finish()
    assert result.status == 0, result
    assert "may not be read" in result.stderr
    row = helpers.Report(result.stdout).row(pid=child.pid)
    assert not row["io"]
    assert row["time_s"]["wall"] == pytest.approx(0.3, abs=0.25)


def test_hidden_process(rootless, traceable, dropped, public_folder):
    """hidepid, which /proc of this host must not get: one line and 77 for another's process, and one's own programs
    as ever."""
    script = 'mount -t proc -o hidepid=2 proc /proc || exit 99; sleep 600 & ' \
             'setpriv --reuid=65534 --regid=65534 --clear-groups "$@" -p $!; status=$?; kill $!; exit $status'
    inside = ["unshare", "-m", "-p", "-f", "sh", "-c"]

    def hidden(with_script, *args):
        done = subprocess.run(
            [*inside, with_script, "sh", public_folder / "whystall", *args], cwd="/",
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
            env=helpers.environment(), timeout=helpers.PATIENCE_S)
        if done.returncode == 99:
            pytest.skip("cannot mount /proc with hidepid")
        return done
    before = pathlib.Path("/proc/self/mounts").read_text(encoding="utf-8")
    done = hidden(script, "-d", "1s")
    assert pathlib.Path("/proc/self/mounts").read_text(encoding="utf-8") == before
    assert done.returncode == 77, done
    assert "hidden" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    done = hidden(script.replace("-p $!", "-- sleep 0.2"), "-q", "-O", "json")
    assert done.returncode == 0, done
    assert helpers.Report(done.stdout).row(comm="sleep")["time_s"]["wall"] > 0.1


def test_only_bpf(rootless, public_folder):
    started = public_folder / "started"
    for args in (["-a", "-d", "1"], ["stat", "1", "1"], ["--", "touch", str(started)]):
        at = 1 if args[0] == "stat" else 0
        result = rootless.start(*args[:at], "--bpf", *args[at:]).finish()
        assert result.status == 77, result
        assert len(result.stderr.splitlines()) == 1 and "sudo" in result.stderr
    assert not started.exists()


def test_stat_rows(rootless, reader):
    result = rootless.start("stat", "-O", "csv", "-p", str(reader.pid), "200ms", "3").finish()
    assert result.status == 0, result
    one_reason(result.stderr)
    rows = list(csv.DictReader(result.stdout.splitlines()))
    assert len(rows) == 3
    assert float(rows[-1]["on_cpu"]) >= 0
    result = rootless.start("stat", "-O", "csv", "200ms", "2").finish()
    assert result.status == 0, result
    assert len(result.stdout.splitlines()) == 3


def test_cost_is_told(rootless):
    result = rootless.start("-v", "--no-bpf", "--", "sleep", "1").finish()
    assert result.status == 0, result
    told = re.search(r"whystall itself used ([0-9.]+) % of one processor, for ([0-9]+) looks", result.stderr)
    assert told, result.stderr
    assert float(told[1]) < 50
    assert 5 <= int(told[2]) <= 30


def test_rate_of_looks(rootless):
    result = rootless.start("-v", "--looks", "100", "--", "sleep", "1").finish()
    told = re.search(r"for ([0-9]+) looks", result.stderr)
    assert 20 <= int(told[1]) <= 140


def test_own_namespaces(rootless, dropped, public_folder):
    """A container without privileges: user and PID namespaces, a /proc of its own."""
    unshare = ["unshare", "-U", "-r", "-p", "-f", "--mount-proc"]
    if subprocess.run([*unshare, "true"], check=False, stderr=subprocess.DEVNULL, **dropped).returncode:
        pytest.skip("cannot make a user namespace")
    output = public_folder / "report.json"
    done = subprocess.run(
        [*unshare, "sh", "-c", '"$@"; exit $?', "sh", public_folder / "whystall", "-O", "json", "-o", output,
         "--", "sh", "-c", "sleep 0.2; echo $$"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
        env=helpers.environment(), timeout=helpers.PATIENCE_S, **dropped)
    assert done.returncode == 0, done
    one_reason(done.stderr)
    report = helpers.Report(output.read_text(encoding="utf-8"))
    assert report.row(pid=int(done.stdout))["comm"] == "sh"
    assert report.data["tool"]["source"] == "proc"


LOOPS = {"cpu": ("--workers", "1", "--cpu-ms", "10", "--step-ms", "2"),
         "not-input-bound": ("--workers", "2", "--cpu-ms", "2", "--step-ms", "10")}


@pytest.mark.parametrize("expected", LOOPS)
def test_verdict(rootless, public_folder, expected):
    """The cause by looks alone, the share within their error, and what is not known is not said."""
    loader = shutil.copy(helpers.WORKLOADS / "loader.py", public_folder)
    report, output = rootless.traced("--", "/usr/bin/python3", loader, *LOOPS[expected])
    told = json.loads(output)
    (verdict,) = report.data["verdicts"]
    assert (verdict["pid"], verdict["class"]) == (told["pid"], expected), verdict
    assert verdict["confidence"] in ("low", "medium")
    share = 100 * told["waited_s"] / told["loop_s"]
    assert verdict["input_bound_pct"] == pytest.approx(
        share, abs=5 + verdict["input_bound_uncertainty_pct"])
    # That nothing is to be gained can be told; a gain by these rests on who waits for whom.
    assert all(what["speedup"] < 1.03 for what in verdict["what_if"] if what["change"] in ("lock", "prefetch"))


def test_without_bpf_as_root(whystall, reader):
    """The same by choice, where BPF would work; --bpf is the other one."""
    tracer = whystall.attach("--no-bpf", "-n", "python3", "-p", str(reader.pid))
    reader.read("311")
    report = tracer.report(signal.SIGINT)
    assert report.data["tool"]["source"] == "proc"
    assert report.total("bytes", pid=reader.pid, op="read") == 311 * BLOCK
    assert whystall.report("--bpf", "--", "true").data["tool"]["source"] == "bpf"


def test_control_group(whystall, spawn, new_cgroup, cgroup2):
    """Those that join later belong, and those that leave stay."""
    group = new_cgroup(cgroup2)
    early, late = spawn("sleep", "600"), spawn("sleep", "600")
    (group / "cgroup.procs").write_text(str(early.pid))
    tracer = whystall.attach("--no-bpf", "-c", group)
    time.sleep(1.5)
    (group / "cgroup.procs").write_text(str(late.pid))
    time.sleep(1.5)
    (cgroup2 / "cgroup.procs").write_text(str(early.pid))
    report = tracer.report(signal.SIGINT)
    assert {row["pid"] for row in report.rows()} == {early.pid, late.pid}
    assert report.row(pid=early.pid)["end_s"] is None
