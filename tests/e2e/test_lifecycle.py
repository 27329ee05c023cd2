# SPDX-License-Identifier: BSD-2-Clause
"""The traced program's own life: its status, user, signals; and what a run leaves behind."""
import json
import os
import pathlib
import pwd
import shutil
import signal
import subprocess

import pytest

import helpers

NOBODY = 65534
SYSCTLS = ("bpf_stats_enabled", "unprivileged_bpf_disabled", "task_delayacct", "sched_schedstats",
           "perf_event_paranoid", "kptr_restrict", "perf_event_max_sample_rate")


def sysctls():
    values = {}
    for name in SYSCTLS:
        path = pathlib.Path("/proc/sys/kernel", name)
        if path.exists():
            values[name] = path.read_text()
    return values


def pinned():
    return sorted(os.listdir("/sys/fs/bpf")) if os.path.isdir("/sys/fs/bpf") else []


@pytest.fixture
def leaves_nothing(traceable):
    programs, settings, pins = helpers.bpf_programs(), sysctls(), pinned()
    yield
    assert sysctls() == settings
    assert pinned() == pins
    if programs is not None:
        helpers.no_programs_since(programs)


@pytest.mark.parametrize("script, status", [
    ("exit 0", 0), ("exit 3", 3), ("exit 255", 255), ("kill -TERM $$", 143), ("kill -KILL $$", 137)])
def test_status_of_the_program(whystall, leaves_nothing, script, status):
    assert whystall.report("--", "sh", "-c", script, status=status).processes


def test_sysctls_during_a_run(whystall, spawn, leaves_nothing):
    before = sysctls()
    tracer = whystall.attach("-p", str(os.getpid()))
    assert sysctls() == before
    tracer.report(signal.SIGINT)


def test_runs_as_the_calling_user(whystall, public_folder):
    try:
        user = pwd.getpwuid(NOBODY)
    except KeyError:
        pytest.skip("no user 65534")
    script = "id -u; id -g; id -G; pwd; grep CapEff /proc/self/status"
    _, output = whystall.traced(
        "--", "sh", "-c", script, cwd=public_folder,
        env={"SUDO_UID": str(NOBODY), "SUDO_GID": str(user.pw_gid), "SUDO_USER": user.pw_name})
    uid, gid, groups, folder, capabilities = output.splitlines()
    assert (int(uid), int(gid)) == (NOBODY, user.pw_gid)
    assert set(map(int, groups.split())) == set(os.getgrouplist(user.pw_name, user.pw_gid))
    assert os.path.samefile(folder, public_folder)
    assert int(capabilities.split()[1], 16) == 0


def test_groups_of_a_user_that_no_file_knows(whystall, public_folder):
    """As with a directory service: those of the process below which whystall runs, a shell that called sudo."""
    nobody_knows = 1999999
    script = "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))"
    shell = ["setpriv", f"--ruid={nobody_knows}", "--euid=0", "--rgid=12", "--egid=0", "--groups=12,4711,4712",
             "/usr/bin/python3", "-c", script]
    sudo = ["setpriv", "--reuid=0", "--regid=0", "--clear-groups"]
    done = subprocess.run(
        [*shell, *sudo, helpers.WHYSTALL, "-q", "-o", "/dev/null", "--", "id", "-G"], stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL, text=True, check=True, cwd=public_folder, timeout=helpers.PATIENCE_S,
        env=helpers.environment({"SUDO_UID": str(nobody_knows), "SUDO_GID": "12"}))
    assert set(map(int, done.stdout.split())) == {12, 4711, 4712}


def test_program_inherits_nothing_of_the_tracer(whystall):
    """No BPF descriptor, no blocked or ignored signal."""
    script = "ls /proc/self/fd; grep -E 'SigBlk|SigIgn' /proc/self/status"
    plain = subprocess.run(["sh", "-c", script], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                           text=True, check=True).stdout
    _, output = whystall.traced("--", "sh", "-c", script)
    assert output == plain


def test_duration_ends_the_measurement_not_the_program(whystall, spawn, tmp_path, leaves_nothing):
    """The report is there while the program still waits to be let go; its status still counts."""
    report, gate = tmp_path / "report.json", tmp_path / "gate"
    os.mkfifo(gate)
    tracer = whystall.start("-O", "json", "-o", report, "-d", "300ms", "--",
                            "sh", "-c", 'read line < "$0"; exit 3', gate)
    def complete():
        try:
            return json.loads(report.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
    data = helpers.wait_until(complete, "the report")
    assert data["window"]["seconds"] >= 0.3
    assert tracer.process.poll() is None
    gate.write_text("go\n")
    assert tracer.finish().status == 3


def test_sigterm_is_forwarded(whystall, leaves_nothing):
    tracer = whystall.attach("--", "sleep", "600")
    report = tracer.report(signal.SIGTERM, status=143)
    assert report.rows(comm="sleep")


def test_sigterm_lets_the_program_choose(whystall, leaves_nothing):
    tracer = whystall.start("-O", "json", "-o", "/dev/null", "--", "sh", "-c",
                            "trap 'exit 5' TERM; echo set; while :; do sleep 0.05; done").attached()
    helpers.wait_until(lambda: tracer.written(tracer.stdout), "the trap")
    assert tracer.finish(signal.SIGTERM).status == 5


def test_interrupt_from_the_terminal(whystall, leaves_nothing):
    """A terminal sends SIGINT to the whole foreground group."""
    tracer = whystall.attach("--", "sleep", "600", start_new_session=True)
    helpers.wait_until(lambda: helpers.children_of(tracer.process.pid), "the program")
    os.killpg(tracer.process.pid, signal.SIGINT)
    assert tracer.report(status=130).rows(comm="sleep")


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_a_run_by_pid(whystall, spawn, leaves_nothing, stop):
    child = spawn("sleep", "600")
    tracer = whystall.attach("-p", str(child.pid))
    assert tracer.report(stop).rows(pid=child.pid)
    assert child.process.poll() is None, "the traced process must live on"


def test_duration_of_a_run_by_pid(whystall, spawn, leaves_nothing):
    child = spawn("sleep", "600")
    report = whystall.report("-d", "400ms", "-p", str(child.pid))
    assert report.data["window"]["seconds"] >= 0.4
    assert child.process.poll() is None


def test_ends_with_the_job(whystall, spawn, leaves_nothing):
    child = spawn("sh", "-c", "read go")
    tracer = whystall.attach("-p", str(child.pid))
    child.go()
    assert child.wait() == 0
    assert tracer.report().row(pid=child.pid)["end_s"] > 0


def test_kill_9_leaves_the_program_running(whystall, spawn, loop):
    """And nothing of whystall: no program in the kernel, no other process."""
    programs = helpers.bpf_programs()
    if programs is None:
        pytest.skip("needs bpftool")
    child = spawn(helpers.WHYSTALL, "-O", "json", "-o", "/dev/null", "--",
                  *helpers.workload("blockread"), "-wh", "-n", "11", loop.target)
    program = child.expect("ready")
    assert helpers.bpf_programs() - programs, "the tracer must have loaded something"
    assert helpers.children_of(child.pid) == [program]
    child.process.kill()
    assert child.process.wait() == -signal.SIGKILL
    helpers.no_programs_since(programs)
    before = helpers.diskstats(loop.name)
    child.go()
    assert child.expect("done") == program
    assert helpers.diskstats_since(loop.name, before).reads == 11
    child.go()
    helpers.wait_until(lambda: not os.path.exists(f"/proc/{program}"), "the program's own end")


def test_program_starts_after_the_attach(whystall, loop):
    """Its very first request is counted: nothing of it runs untraced."""
    report = whystall.report("--", *helpers.workload("blockread"), "-n", "1", loop.target)
    assert report.total("requests", device=loop.name) == 1
    row = report.row(comm="blockread")
    assert row["start_s"] is not None and row["end_s"] is not None


def test_program_is_found_in_path(whystall, tmp_path):
    tool = tmp_path / "sometool"
    shutil.copy("/bin/true", tool)
    whystall.report("--", "sometool", env={"PATH": f"{tmp_path}:{os.environ['PATH']}"})


def test_quiet_and_verbose(whystall, spawn):
    child = spawn("sleep", "600")
    quiet = helpers.run("-q", "-d", "100ms", "-p", str(child.pid), "-O", "json")
    assert (quiet.status, quiet.stderr) == (0, "")
    loud = helpers.run("-v", "-d", "100ms", "-p", str(child.pid), "-O", "json")
    assert loud.status == 0
    assert len(loud.stderr) > 0
    helpers.Report(loud.stdout)


def test_no_colour_without_a_terminal(whystall, spawn):
    child = spawn("sleep", "600")
    for env in ({}, {"NO_COLOR": "1"}):
        shown = helpers.run("-d", "100ms", "-p", str(child.pid), env=env)
        assert shown.status == 0
        assert "\x1b" not in shown.stdout + shown.stderr


def test_caller_ignores_the_end_of_children(traceable):
    """With SIGCHLD ignored the kernel reaps children itself; status and end must not be lost."""
    script = ("import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN);"
              "os.execv(sys.argv[1], sys.argv[1:])")

    def run(*program):
        return subprocess.run(
            ["/usr/bin/python3", "-c", script, helpers.WHYSTALL, "-q", "-o", "/dev/null", "--", *program],
            stdout=subprocess.PIPE, text=True, timeout=helpers.PATIENCE_S, check=False)

    assert run("false").returncode == 1
    # PROGRAM still gets what the caller set.
    ignored = int(run("grep", "SigIgn", "/proc/self/status").stdout.split()[1], 16)
    assert ignored & (1 << (signal.SIGCHLD - 1))


@pytest.mark.parametrize("half", ["SUDO_UID", "SUDO_GID"])
def test_half_a_caller_is_not_root(whystall, half):
    done = whystall.start("-q", "-o", "/dev/null", "--", "id", env={half: str(NOBODY)}).finish()
    assert done.status == 1
    assert "uid=" not in done.stdout


def test_stat_of_a_short_program_has_a_row(whystall, loop):
    done = whystall.start("stat", "-q", "-O", "csv", "-D", loop.name, "10", "--",
                          *helpers.workload("blockread"), "-n", "17", loop.target).finish()
    assert done.status == 0
    # The workload tells its PID on the same standard output.
    assert any(line.split(",")[1:2] == [loop.name] for line in done.stdout.splitlines())


def test_empty_cgroup_is_refused(whystall):
    assert whystall.start("-q", "-c", "", "-d", "1").finish().status == 64


def test_full_disk_does_not_abandon_the_program(whystall, tmp_path, leaves_nothing):
    ended = tmp_path / "ended"
    done = whystall.start("-q", "-d", "0.2", "-o", "/dev/full", "--", "sh", "-c",
                          f"sleep 1; echo > {ended}").finish()
    assert done.status == 1
    assert ended.exists(), "whystall left before its program"


def test_closed_standard_output_is_not_the_report_file(traceable, tmp_path):
    """A file opened on a free descriptor 1 must be replaced whole all the same."""
    output = tmp_path / "rows.csv"
    output.write_text("x" * 5000)
    done = subprocess.run([helpers.WHYSTALL, "stat", "-q", "-O", "csv", "-o", output, "0.2", "1"],
                          preexec_fn=lambda: os.close(1), timeout=helpers.PATIENCE_S, check=False)
    assert done.returncode == 0
    assert "x" not in output.read_text()
