# SPDX-License-Identifier: BSD-2-Clause
"""The static binary, alone in an empty folder with /proc and /sys: what is copied into a container."""
import csv
import io
import os
import shutil
import signal
import subprocess
import tempfile

import pytest

import helpers

STATIC = helpers.ROOT / "build" / "static" / "whystall"
MOST_BYTES = 3_000_000
BLOCK = 4096
NOBODY = "65534:65534"
# The mounts are of a namespace of their own, and end with it.
ENTER = """mount -t proc proc "$1/proc" && mount -t sysfs -o ro sysfs "$1/sys" && shift && exec "$@" """


@pytest.fixture(scope="module")
def binary():
    if not STATIC.exists():
        pytest.skip("no static binary here: make static")
    return STATIC


class Chroot:
    """A folder with the binary and nothing else."""

    def __init__(self, folder, binary, cleanup):
        self.folder = folder
        self.cleanup = cleanup
        shutil.copy(binary, folder / "whystall")
        for name in ("proc", "sys"):
            (folder / name).mkdir()

    def command(self, *args, user=None):
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", ENTER, "sh", str(self.folder),
                "chroot", *([f"--userspec={user}"] if user else []), str(self.folder), "/whystall",
                *map(str, args)]

    def run(self, *args, user=None):
        done = subprocess.run(self.command(*args, user=user), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, check=False, timeout=helpers.PATIENCE_S,
                              env=helpers.environment())
        return helpers.Result(helpers.signal_status(done.returncode), done.stdout, done.stderr)

    def around(self, child, *args):
        """A run that begins before the child's work and ends by SIGINT after it: standard output."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            tracer = subprocess.Popen(self.command(*args), stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                      env=helpers.environment())
            self.cleanup.callback(end, tracer)
            read = lambda file: os.pread(file.fileno(), 1 << 22, 0).decode()
            helpers.wait_until(lambda: "tracing" in read(err) or tracer.poll() is not None, "whystall to attach")
            child.go()
            assert child.wait() == 0
            tracer.send_signal(signal.SIGINT)
            assert tracer.wait(helpers.PATIENCE_S) == 0, read(err)
            return read(out)


def end(process):
    if process.poll() is None:
        process.terminate()
        process.wait(10)


@pytest.fixture
def chroot(traceable, binary, public_folder, cleanup):
    return Chroot(public_folder, binary, cleanup)


@pytest.fixture
def reader(spawn, loop):
    """Waits, reads 211 blocks of an idle disk, and ends."""
    child = spawn(*helpers.workload("blockread"), "-w", "-n", "211", loop.target)
    child.expect("ready")
    return child


def test_needs_no_library(binary):
    headers = subprocess.run(["readelf", "-lW", binary], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert "LOAD" in headers
    assert "INTERP" not in headers and "DYNAMIC" not in headers


def test_is_small(binary):
    assert binary.stat().st_size < MOST_BYTES


@pytest.mark.parametrize("user", [None, NOBODY])
def test_version_and_help(chroot, user):
    version = chroot.run("--version", user=user)
    assert version == helpers.Result(0, helpers.run("--version").stdout, "")
    assert chroot.run("--help", user=user) == helpers.Result(0, helpers.run("--help").stdout, "")


def test_doctor(chroot):
    """Input markers too: the function that is watched for a trial is found in a stripped binary."""
    inside, outside = chroot.run("doctor"), helpers.run("doctor")
    assert inside.status == 0 and inside.stderr == ""
    assert inside.stdout == outside.stdout


def test_stat(chroot):
    result = chroot.run("stat", "-q", "-O", "csv", "--bpf", "200ms", "2")
    assert result.status == 0 and result.stderr == "", result
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [row["device"] for row in rows] == ["total", "total"]
    assert all(float(row["read_mb_s"]) >= 0 for row in rows)


def test_stat_of_a_process(chroot, reader, loop):
    text = chroot.around(reader, "stat", "--bpf", "-O", "csv", "-p", reader.pid, "-D", loop.name, "100ms")
    moved = sum(float(row["requests_s"]) for row in csv.DictReader(io.StringIO(text)))
    # Rates over a tenth of a second each; the last interval is shorter.
    assert moved > 0


def test_report(chroot, reader, loop):
    report = helpers.Report(chroot.around(reader, "--bpf", "-O", "json", "-p", reader.pid))
    assert report.per_pid("bytes", loop.name, "read") == {reader.pid: 211 * BLOCK}
    assert report.row(pid=reader.pid)["comm"] == "blockread"


def test_program_as_the_caller(chroot, binary):
    """No /etc/passwd to look the caller up in: a number will do."""
    done = subprocess.run(
        [*chroot.command("-q", "-O", "json", "--", "/whystall", "--version")], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, timeout=helpers.PATIENCE_S,
        env=helpers.environment({"SUDO_UID": "65534", "SUDO_GID": "65534"}))
    assert done.returncode == 0, done
    assert done.stdout.startswith("whystall ")


def test_bpf_not_permitted(chroot):
    result = chroot.run("stat", "--bpf", "1", "2", user=NOBODY)
    assert result.status == 77 and result.stdout == ""
    assert result.stderr.startswith("whystall: ") and result.stderr.count("\n") == 1


def test_stat_without_bpf(chroot, rootless):
    """By itself, as an ordinary user, with one line that says so."""
    result = chroot.run("stat", "-O", "csv", "200ms", "2", user=NOBODY)
    assert result.status == 0, result
    assert "BPF" in result.stderr
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert len(rows) == 2
    assert "read_mean_us" in rows[0] and "read_p50_us" not in rows[0]
    assert all(float(row["read_mb_s"]) >= 0 for row in rows)


def test_report_of_a_process_without_bpf(chroot, rootless, spawn, loop):
    child = spawn(*helpers.workload("blockread"), "-wh", "-n", "211", loop.target)
    child.expect("ready")
    report = chroot.run("--no-bpf", "-O", "json", "-d", "300ms", "-p", child.pid)
    assert report.status == 0, report
    report = helpers.Report(report.stdout)
    assert report.data["tool"]["source"] == "proc"
    assert report.row(pid=child.pid)["comm"] == "blockread"
