# SPDX-License-Identifier: BSD-2-Clause
"""Bad input and bad surroundings: one clear line, the right status, nothing started or left."""
import os
import re
import shutil
import subprocess

import pytest

import helpers

USAGE, RUNTIME, NOT_PERMITTED = 64, 1, 77


def one_line(result, status):
    assert result.status == status, result
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert re.match(r"whystall( stat| doctor)?: ", lines[0]), lines
    assert result.stdout == ""
    return lines[0]


@pytest.mark.parametrize("args", [
    ["-a", "--threads"], ["-p", "1", "--threads", "-O", "csv"],
    ["--no-such-option"], ["-O", "xml", "-a"], ["-p", "abc"], ["-p", "12abc"], ["-p", "-5"], ["-p", ""],
    ["-p", "0"], ["-p", "1,,2"], ["-p", "99999999999999999999"],
    ["-i", "0", "-a"], ["-i", "-1", "-a"], ["-i", "1parsec", "-a"], ["-i", "", "-a"], ["-i", "nan", "-a"],
    ["-i", "inf", "-a"], ["-i", "99999999999999999999", "-a"],
    ["-d", "0", "-a"], ["-d", "-1s", "-a"], ["-d", "5 parsecs", "-a"], ["-d", "1KiB", "-a"],
    ["--bpf", "--no-bpf", "-a"], ["--no-bpf", "--bpf", "-a"], ["--looks", "0", "-a"], ["--looks", "1e9", "-a"],
    ["--max-keys", "0", "-a"], ["--max-keys", "-1", "-a"], ["--max-keys", "many", "-a"],
    ["--max-keys", "99999999999999999999", "-a"], ["-a", "surplus"],
    ["stat", "0"], ["stat", "1", "0"], ["stat", "1", "-1"], ["stat", "fast"], ["stat", "1", "2", "3"],
    ["stat", "1", "99999999999999999999"], ["stat", "1", "1.5"], ["stat", "-O", "xml"],
    ["doctor", "surplus"], ["doctor", "--no-such-option"], ["doctor", "-O", "xml"],
], ids=" ".join)
def test_usage_errors(args):
    result = helpers.run(*args)
    assert result.status == USAGE, result
    assert re.match(r"whystall( stat| doctor)?: ", result.stderr)
    assert result.stdout == ""


def test_nothing_selected(traceable):
    if any(name.startswith("nvidia") for name in os.listdir("/dev")) or os.path.exists("/dev/kfd"):
        pytest.skip("this host has a GPU, whose processes are the default")
    result = helpers.run("-d", "100ms")
    assert result.status in (USAGE, RUNTIME)
    for option in ("-p", "-c", "-n", "-a"):
        assert option in result.stderr


def dead_pid():
    child = subprocess.Popen(["true"])
    child.wait()
    return str(child.pid)


def test_no_such_pid(traceable):
    pid = dead_pid()
    assert pid in one_line(helpers.run("-p", pid), RUNTIME)
    assert "4194304" in one_line(helpers.run("-p", "4194304"), RUNTIME)


def test_one_pid_of_two_missing(traceable):
    assert helpers.run("-p", f"{os.getpid()},{dead_pid()}", "-d", "100ms").status == RUNTIME


def test_pid_that_exits_at_once(whystall):
    """Gone before, during or after the attach: a report, or one line; never a hang or a crash."""
    for _ in range(5):
        child = subprocess.Popen(["sleep", "0.02"])
        result = whystall.start("-q", "-O", "json", "-p", str(child.pid)).finish()
        child.wait()
        assert result.status in (0, RUNTIME), result
        if result.status == 0:
            assert helpers.Report(result.stdout).row(pid=child.pid)["io"] == []
        else:
            one_line(result, RUNTIME)


@pytest.mark.parametrize("args", [
    ["-D", "nosuchdevice", "-a"], ["-D", "/nosuchpath/x", "-a"], ["-D", "nosuch*", "-a"],
    ["-c", "/sys/fs/cgroup/nosuchcgroup"], ["-c", "/etc"],
    ["stat", "-D", "nosuchdevice", "1"]], ids=" ".join)
def test_what_does_not_exist(traceable, args):
    missing = next(arg for arg in args if "nosuch" in arg or arg == "/etc")
    assert missing in one_line(helpers.run(*args), RUNTIME)


@pytest.mark.parametrize("output", ["/nosuchfolder/report", "/"])
def test_unwritable_output_starts_nothing(traceable, tmp_path, output):
    started = tmp_path / "started"
    message = one_line(helpers.run("-o", output, "--", "touch", started), RUNTIME)
    assert output in message
    assert not started.exists()


@pytest.mark.parametrize("form", ["text", "json", "csv"])
def test_full_disk(whystall, spawn, form):
    child = spawn("sleep", "600")
    args = ["-q", "-O", form, "-d", "100ms", "-p", str(child.pid)]
    assert "No space left" in one_line(helpers.run("-o", "/dev/full", *args), RUNTIME)
    with open("/dev/full", "wb") as full:
        one_line(helpers.run(*args, stdout=full), RUNTIME)


@pytest.mark.parametrize("args", [["-q", "-d", "100ms"], ["-q", "-O", "json", "-d", "100ms"]], ids=" ".join)
def test_closed_stdout(whystall, spawn, args):
    child = spawn("sleep", "600")
    args = [*args, "-p", str(child.pid)]
    reader, writer = os.pipe()
    os.close(reader)
    one_line(helpers.run(*args, stdout=writer), RUNTIME)
    os.close(writer)
    closed = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", helpers.WHYSTALL, *args],
                            stderr=subprocess.PIPE, timeout=helpers.PATIENCE_S, check=False)
    assert closed.returncode == RUNTIME


def test_stat_into_a_closed_pipe(whystall):
    """As `stat | head` does: it ends by itself at the next row."""
    reader, writer = os.pipe()
    os.close(reader)
    result = helpers.run("stat", "50ms", "1000", stdout=writer)
    os.close(writer)
    one_line(result._replace(stderr=result.stderr.splitlines()[-1]), RUNTIME)


def test_program_not_found(traceable):
    message = one_line(helpers.run("-q", "--", "nosuchprogram-whystall"), 127)
    assert "nosuchprogram-whystall" in message
    assert "sudo env PATH=$PATH" in message


def test_program_not_executable(traceable, public_folder):
    plain = public_folder / "plain"
    plain.write_text("not a program\n")
    plain.chmod(0o644)
    assert str(plain) in one_line(helpers.run("-q", "--", plain), 126)
    assert str(public_folder) in one_line(helpers.run("-q", "--", public_folder), 126)


def test_no_program(traceable):
    assert helpers.run("--").status == USAGE


@pytest.fixture
def as_nobody(traceable, public_folder):
    binary = public_folder / "whystall"
    shutil.copy(helpers.WHYSTALL, binary)
    binary.chmod(0o755)
    if not shutil.which("setpriv"):
        pytest.skip("needs setpriv")
    def execute(*args):
        done = subprocess.run(
            ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs", binary, *args],
            cwd="/", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
            env=helpers.environment(), timeout=helpers.PATIENCE_S)
        return helpers.Result(done.returncode, done.stdout, done.stderr)
    return execute


def test_not_root(as_nobody, public_folder):
    """What works without root is tests/e2e/test_rootless.py's."""
    started = public_folder / "started"
    for args in (["--bpf", "-a", "-d", "1"], ["--bpf", "-p", str(os.getpid())], ["stat", "--bpf", "1", "1"],
                 ["--bpf", "--", "touch", str(started)]):
        one_line(as_nobody(*args), NOT_PERMITTED)
    assert not started.exists()


def test_help_needs_no_root(as_nobody):
    assert as_nobody("--help").status == 0
    assert as_nobody("--version").status == 0
    assert as_nobody("--no-such-option").status == USAGE


def test_no_btf(traceable):
    """The kernel's types hidden by a mount of our own; libbpf's further places do not exist here."""
    script = 'mount --bind /dev/null /sys/kernel/btf/vmlinux && exec "$@"'

    def blind(*args):
        done = subprocess.run(
            ["unshare", "-m", "sh", "-c", script, "sh", helpers.WHYSTALL, *args, "-a", "-d", "100ms"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
            timeout=helpers.PATIENCE_S)
        if "mount:" in done.stderr:
            pytest.skip("cannot hide the kernel's BTF")
        return helpers.Result(done.returncode, done.stdout, done.stderr)
    result = blind("--bpf")
    if result.status == 0:
        pytest.skip("libbpf found BTF elsewhere")
    assert "BTF" in one_line(result, NOT_PERMITTED)
    result = blind("-O", "json")
    assert result.status == 0, result
    assert "BTF" in result.stderr and "reading /proc" in result.stderr
    assert helpers.Report(result.stdout).data["tool"]["source"] == "proc"


@pytest.mark.parametrize("command", [[], ["stat"], ["doctor"]], ids=str)
def test_help(command):
    shown = helpers.run(*command, "--help")
    assert (shown.status, shown.stderr) == (0, "")
    options = ["--format"] if command == ["doctor"] else [
        "--pid", "--cgroup", "--name", "--all", "--device", "--format", "--output", "--max-keys", "--bpf", "--no-bpf",
        "--looks", "--quiet"]
    for option in options:
        assert option in shown.stdout
    assert "whystall" in shown.stdout


def test_version():
    shown = helpers.run("--version")
    assert (shown.status, shown.stderr) == (0, "")
    assert shown.stdout.startswith("whystall ")
    assert any(character.isdigit() for character in shown.stdout)


def test_help_into_a_full_disk():
    with open("/dev/full", "wb") as full:
        assert helpers.run("--help", stdout=full).status == RUNTIME
