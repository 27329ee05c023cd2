# SPDX-License-Identifier: BSD-2-Clause
"""What container runtimes take away: users, paths below /proc, system calls. What is left must work, what is
missing is said or left empty, and nothing is made up.
"""
import csv
import io
import json
import os
import shutil
import signal
import subprocess

import pytest

import helpers

NOBODY, OTHER = 65534, 65533
BLOCK = 4096
TRACING_CALLS = "bpf,perf_event_open,process_vm_readv,ptrace"

READER = """
import os, sys, time
file = os.open(sys.argv[1], os.O_RDONLY)
os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
while os.read(file, 1 << 20):
    pass
print("done", os.getpid(), flush=True)
time.sleep(float(sys.argv[2]))
"""


def as_user(uid):
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]


def after(script):
    return ["sh", "-c", script + ' && exec "$@"', "sh"]


def mounted(script):
    """A mount namespace of its own, after this script; the mounts end with it."""
    return ["unshare", "--mount", "--propagation", "private", *after(script)]


def refusing(calls):
    return [*helpers.workload("refuse"), calls]


USER_NAMESPACE = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"]
MASKED = "mount --bind /dev/null /proc/diskstats && mount -t tmpfs -o ro none /proc/pressure"
READ_ONLY = " && ".join(
    f"mount --rbind {path} {path} && mount -o remount,bind,ro,nosuid,nodev,noexec {path}"
    for path in ("/proc", "/sys"))
HIDDEN = "mount -t proc -o hidepid=2 proc /proc"

# What is put before whystall. None of these may use BPF.
WITHOUT_BPF = {
    "user": as_user(NOBODY),
    "user namespace": as_user(NOBODY) + USER_NAMESPACE,
    "seccomp": refusing(TRACING_CALLS),
    "seccomp, user": as_user(NOBODY) + refusing(TRACING_CALLS),
    "masked, user": mounted(MASKED) + as_user(NOBODY),
    "read-only, user": mounted(READ_ONLY) + as_user(NOBODY),
    "hidepid, user": mounted(HIDDEN) + as_user(NOBODY),
    "masked, read-only, seccomp, user namespace":
        as_user(NOBODY) + USER_NAMESPACE + after(f"{READ_ONLY} && {MASKED}") + refusing(TRACING_CALLS),
}
# In these root may, and whystall works as ever.
WITH_BPF = {
    "masked": mounted(MASKED),
    "read-only": mounted(READ_ONLY),
    "hidepid": mounted(HIDDEN),
    "no perf_event_open": refusing("perf_event_open"),
    "no process_vm_readv": refusing("process_vm_readv,ptrace"),
}


class Container:
    """Runs the copied binary behind a prefix of commands."""

    def __init__(self, name, prefix, binary, folder):
        self.name = name
        self.prefix = prefix
        self.binary = binary
        self.folder = folder

    def call(self, *command, **options):
        done = subprocess.run(
            [*self.prefix, *map(str, command)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, check=False, cwd="/", env=helpers.environment(),
            timeout=helpers.PATIENCE_S, **options)
        return helpers.Result(helpers.signal_status(done.returncode), done.stdout, done.stderr)

    def run(self, *args):
        return self.call(self.binary, *args)


@pytest.fixture
def new_container(traceable, public_folder):
    def make(name, prefix):
        if not shutil.which("setpriv"):
            pytest.skip("needs setpriv")
        binary = public_folder / "whystall"
        if not binary.exists():
            shutil.copy(helpers.WHYSTALL, binary)
            binary.chmod(0o755)
        container = Container(name, prefix, binary, public_folder)
        tried = container.call("true")
        if tried.status:
            pytest.skip(f"cannot make this container: {tried.stderr.strip()}")
        return container
    return make


@pytest.fixture(params=WITHOUT_BPF)
def container(request, new_container):
    return new_container(request.param, WITHOUT_BPF[request.param])


@pytest.fixture(params=WITH_BPF)
def permitted(request, new_container):
    return new_container(request.param, WITH_BPF[request.param])


def csv_rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def complaint(result):
    """One line, whystall's own."""
    lines = result.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("whystall: "), result
    return lines[0]


def doctor(container):
    """It says what is there and what is not, whatever that is."""
    result = container.run("doctor", "-O", "json")
    assert result.status == 0 and result.stderr == "", result
    data = json.loads(result.stdout)
    checks = {check["name"]: check for check in data["checks"]}
    assert all(check["remedy"] for check in checks.values() if not check["ok"])
    masked = "masked" in container.name
    assert checks["without BPF: disks"]["ok"] is not masked
    assert checks["without BPF: pressure"]["ok"] is not masked or not os.path.exists("/proc/pressure/io")
    # The host itself may hide them.
    hidden = container.call("test", "-e", "/proc/1/stat").status != 0
    assert hidden or container.name != "hidepid, user"
    assert checks["without BPF: other users"]["ok"] is not hidden
    for name in ("bytes", "processor time"):
        assert checks[f"without BPF: {name}"]["ok"]
    return data["sources"], checks


# With BPF, where something else is missing.

def test_doctor_where_permitted(permitted):
    sources, checks = doctor(permitted)
    assert sources == {"bpf": True, "proc": True}
    assert checks["input markers"]["ok"] is (permitted.name != "no perf_event_open")


def test_stat_where_permitted(permitted):
    result = permitted.run("stat", "--bpf", "-O", "csv", "200ms", "2")
    assert result.status == 0, result
    assert ("/proc/diskstats" in result.stderr) is (permitted.name == "masked")
    rows = csv_rows(result.stdout)
    assert len(rows) == 2
    # The device's own utilisation comes from the kernel's disk statistics alone.
    assert all((row["util_pct"] == "") is (permitted.name == "masked") for row in rows), rows


def test_report_where_permitted(permitted, loop):
    program = [*helpers.workload("blockread"), "-n", "11", loop.target]
    output = permitted.folder / "report.json"
    result = permitted.run("-q", "--bpf", "-O", "json", "-o", output, "--", *program)
    assert result.status == 0, result
    report = helpers.Report(output.read_text(encoding="utf-8"))
    (row,) = report.rows(comm="blockread")
    assert [(io["op"], io["bytes"]) for io in row["io"] if io["device"] == loop.name] == [("read", 11 * BLOCK)]
    known = report.device(loop.name)["diskstats_read_bytes"]
    assert (known is None) is (permitted.name == "masked")


# Where BPF is refused.

def test_doctor(container):
    sources, checks = doctor(container)
    assert sources == {"bpf": False, "proc": True}
    assert not checks["attach"]["ok"]


def test_bpf_is_refused_with_one_line(container):
    for args in (["stat", "--bpf", "1", "2"], ["--bpf", "-d", "1", "--", "true"]):
        result = container.run(*args)
        assert result.status == 77 and result.stdout == "", result
        assert "BPF" in complaint(result)


def test_version(container):
    assert container.run("--version").status == 0


# Without BPF.

def test_stat_by_itself(container, rootless):
    """Disks from the kernel's statistics; where those are masked, empty or a reason, never 0."""
    result = container.run("stat", "-O", "csv", "200ms", "2")
    if "masked" in container.name:
        assert result.status in (0, 77), result
        assert "/proc/diskstats" in result.stderr
        assert all(row["read_mb_s"] == row["requests_s"] == row["util_pct"] == ""
                   for row in csv_rows(result.stdout))
        return
    assert result.status == 0, result
    assert "BPF" in result.stderr
    rows = csv_rows(result.stdout)
    assert len(rows) == 2
    assert all(float(row["read_mb_s"]) >= 0 and float(row["util_pct"]) >= 0 for row in rows)


def test_program(container, rootless, disk_folder):
    """What a program of its own reads, in any of these: as the kernel counts it, exactly."""
    size = 8 << 20
    disk_folder.chmod(0o755)
    data = disk_folder / "data"
    data.write_bytes(os.urandom(size))
    subprocess.run(["sync", "-f", str(data)], check=True)
    if container.call("test", "-r", data).status:
        pytest.skip("an ordinary user may not enter the folder of the build")
    output = container.folder / "out"
    output.mkdir()
    output.chmod(0o777)
    report = output / "report.json"
    result = container.run("-O", "json", "-o", report, "--", "/usr/bin/python3", "-c", READER, data, "2.5")
    assert result.status == 0, result
    report = helpers.Report(report.read_text(encoding="utf-8"))
    assert report.data["tool"]["source"] == "proc"
    (row,) = [row for row in report.processes if row["cmdline"] and READER.split()[0] in row["cmdline"]]
    (read,) = [io for io in row["io"] if io["op"] == "read"]
    assert read["bytes"] >= size
    assert read.get("requests") is None, "not known, and not 0"
    assert read.get("device_us") is None or read["device_us"]["p99"] is None
    assert row["time_s"]["cpu"] > 0


@pytest.fixture
def reader_of_another(spawn, loop):
    """Another user's, which /proc tells an ordinary user little of."""
    os.chown(loop.target, OTHER, OTHER)
    child = spawn(*as_user(OTHER), *helpers.workload("blockread"), "-wh", "-n", "211", loop.target)
    child.expect("ready")
    return child


def test_process_of_another_user(new_container, rootless, reader_of_another):
    """Its threads' states can be seen; its bytes cannot, and are absent."""
    container = new_container("user", WITHOUT_BPF["user"])
    result = container.run("-O", "json", "-d", "1s", "-p", reader_of_another.pid)
    if result.status:
        assert result.status == 77
        assert str(reader_of_another.pid) in complaint(result)
        return
    row = helpers.Report(result.stdout).row(pid=reader_of_another.pid)
    assert all(io["bytes"] is None for io in row["io"] or [])


def test_hidden_process(new_container, rootless, reader_of_another):
    """hidepid: there is no such process, for all that this user can tell."""
    container = new_container("hidepid, user", WITHOUT_BPF["hidepid, user"])
    result = container.run("-d", "1s", "-p", reader_of_another.pid)
    assert result.status in (1, 77), result
    assert str(reader_of_another.pid) in result.stderr


def test_no_figures_of_a_process(new_container, rootless, spawn):
    """/proc/PID/io masked: empty in rows and reports, not 0."""
    child = spawn(*as_user(NOBODY), "sleep", "60")
    container = new_container("masked, user",
                              mounted(f"mount --bind /dev/null /proc/{child.pid}/io") + as_user(NOBODY))
    rows = container.run("stat", "-O", "csv", "-p", child.pid, "200ms", "2")
    assert rows.status == 0, rows
    assert all(row["read_mb_s"] == row["write_mb_s"] == "" for row in csv_rows(rows.stdout)), rows
    report = container.run("-O", "json", "-d", "1s", "-p", child.pid)
    assert report.status == 0, report
    assert all(io["bytes"] is None for io in helpers.Report(report.stdout).row(pid=child.pid)["io"] or [])


def test_end_by_signal(new_container, rootless, cleanup):
    container = new_container("user", WITHOUT_BPF["user"])
    process = subprocess.Popen([*container.prefix, container.binary, "stat", "-O", "csv", "100ms"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    cleanup.callback(process.stdout.close)
    cleanup.callback(process.kill)
    process.stdout.readline()
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    assert process.wait(helpers.PATIENCE_S) == 0
