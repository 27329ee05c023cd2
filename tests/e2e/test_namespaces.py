# SPDX-License-Identifier: BSD-2-Clause
"""PID namespaces: the target in one, whystall in one; and a fresh mount of /proc or none."""
import subprocess

import pytest

import helpers

BLOCK = 4096


@pytest.fixture
def unshare(traceable):
    if subprocess.run(["unshare", "-p", "--fork", "--mount-proc", "true"], check=False,
                      stderr=subprocess.DEVNULL).returncode:
        pytest.skip("cannot make a PID namespace")
    return ["unshare", "-p", "--fork"]


def test_target_started_in_its_own(whystall_both, loop, unshare):
    """It sees itself as PID 1; the report names it as the host does."""
    report, output = whystall_both.traced(
        "--", *unshare, *helpers.workload("blockread"), "-n", "11", loop.target)
    assert output == "done 1\n"
    row = report.row(comm="blockread")
    parent = report.row(comm="unshare")
    assert row["pid"] > 1
    assert row["ppid"] == parent["pid"]
    assert report.per_pid("bytes", loop.name, "read") == {row["pid"]: 11 * BLOCK}


def test_target_found_in_its_own(whystall_both, spawn, loop, unshare):
    child = spawn(*unshare, *helpers.workload("blockread"), "-w", "-n", "11", loop.target)
    assert child.expect("ready") == 1
    (inner,) = helpers.children_of(child.pid)
    tracer = whystall_both.attach("-p", str(inner))
    child.go()
    assert child.wait() == 0
    report = tracer.report()
    assert report.per_pid("bytes", loop.name, "read") == {inner: 11 * BLOCK}


def inside(unshare, options, tmp_path, *command):
    """whystall as a container runs it: below the namespace's first process."""
    output = tmp_path / "report.json"
    done = subprocess.run(
        [*unshare, *options, "sh", "-c", '"$@"; exit $?', "sh", helpers.WHYSTALL, "-q", "-O", "json",
         "-o", str(output), *command],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, check=False,
        env=helpers.environment(), timeout=helpers.PATIENCE_S)
    return done, output


def test_whystall_inside_one(traceable, loop, unshare, tmp_path):
    """PIDs are those of the namespace, as the program itself sees them."""
    done, output = inside(unshare, ["--mount-proc"], tmp_path,
                          "--", *helpers.workload("blockread"), "-n", "11", loop.target)
    assert done.returncode == 0, done
    seen = int(done.stdout.split()[1])
    assert seen < 100
    report = helpers.Report(output.read_text(encoding="utf-8"))
    assert report.per_pid("bytes", loop.name, "read") == {seen: 11 * BLOCK}
    assert report.row(pid=seen)["comm"] == "blockread"


def test_pid_option_inside_one(traceable, loop, unshare, tmp_path):
    """-p takes the namespace's PIDs too."""
    script = '"$0" -n 11 -w "$1" < "$2" & exec 3> "$2"; shift 2; "$@" -p $! & tracer=$!; ' \
             'sleep 3; echo >&3; wait $tracer'
    gate, output = tmp_path / "gate", tmp_path / "report.json"
    subprocess.run(["mkfifo", str(gate)], check=True)
    done = subprocess.run(
        [*unshare, "--mount-proc", "sh", "-c", script, *helpers.workload("blockread"), loop.target,
         str(gate), helpers.WHYSTALL, "-q", "-O", "json", "-o", str(output)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
        env=helpers.environment(), timeout=helpers.PATIENCE_S)
    assert done.returncode == 0, done
    seen = int(done.stdout.split()[1])
    report = helpers.Report(output.read_text(encoding="utf-8"))
    assert report.per_pid("bytes", loop.name, "read") == {seen: 11 * BLOCK}


def test_whystall_inside_one_with_the_wrong_proc(traceable, loop, unshare, tmp_path):
    """/proc of another namespace would give wrong names: refused with the reason, nothing started."""
    started = tmp_path / "started"
    done, _ = inside(unshare, [], tmp_path, "--", "touch", str(started))
    assert done.returncode == 77, done
    assert done.stderr.startswith("whystall: ")
    assert "/proc" in done.stderr
    assert not started.exists()


def test_others_are_not_named_inside_one(traceable, spawn, loop, unshare, tmp_path):
    """-a inside a namespace: a process outside has no PID there and must not borrow one."""
    child = spawn(*helpers.workload("blockread"), "-w", "-n", "211", loop.target)
    child.expect("ready")
    done, output = None, tmp_path / "report.json"
    tracer = subprocess.Popen(
        [*unshare, "--mount-proc", helpers.WHYSTALL, "-O", "json", "-o", str(output), "-a", "-d", "1s"],
        stderr=subprocess.PIPE, text=True, env=helpers.environment())
    with tracer:
        first = tracer.stderr.readline()
        if "tracing" not in first:
            tracer.wait(helpers.PATIENCE_S)
            assert tracer.returncode == 77, "refusing with a reason is the other right answer"
            return
        child.go()
        assert child.wait() == 0
        done = tracer.wait(helpers.PATIENCE_S)
    assert done == 0
    report = helpers.Report(output.read_text(encoding="utf-8"))
    assert report.device(loop.name)["read_bytes"] == 211 * BLOCK
    assert child.pid not in report.per_pid("bytes", loop.name, "read")
