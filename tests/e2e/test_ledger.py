# SPDX-License-Identifier: BSD-2-Clause
"""Where the time of threads goes, against programs that spend known time in known states, and the kernel's
own schedstat and taskstats.
"""
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import time
import types

import pytest

import helpers
from conftest import MIB, set_for_a_while
from fio import Fio

STATE_S = 0.5
TRACING = pathlib.Path("/sys/kernel/tracing")
TELLS_FAULTS = b"btf_trace_mm_filemap_fault" in pathlib.Path("/sys/kernel/btf/vmlinux").read_bytes()
CLASSES = ["cpu", "runqueue", "storage_read", "storage_write", "storage_meta", "storage_fault",
           "network", "ipc", "lock", "gpu", "sleep", "other"]
STORAGE = [name for name in CLASSES if name.startswith("storage_")]

# Each state of tests/workloads/states.c that needs no file, and its class.
STATES = {
    "spin": "cpu", "sleep": "sleep", "poll_none": "sleep", "select_none": "sleep", "timerfd": "sleep",
    "epoll_timer": "sleep",
    "pipe": "ipc", "unix": "ipc", "eventfd": "ipc", "epoll_pipe": "ipc", "poll_pipe": "ipc",
    "pause": "ipc", "wait": "ipc", "vfork": "ipc", "message_queue": "ipc",
    "tcp": "network", "tcp_timeout": "network", "tcp_poll": "network", "epoll_mixed": "network",
    "epoll_many": "network", "select_tcp": "network",
    "futex": "lock", "flock": "lock", "stopped": "other", "sleep_interrupted": "sleep",
    "uring_timeout": "sleep", "uring_tcp": "network",
    "uring_idle": "sleep", "uring_many": "network",
}


def check_sum(row, life_s=None):
    """The classes are the lifetime, without a remainder."""
    spent = row["time_s"]
    assert list(spent) == ["wall", *CLASSES]
    assert sum(spent[name] for name in CLASSES) == pytest.approx(spent["wall"], rel=1e-9)
    if row.get("end_s") is not None and row["threads"] == 1 and row["start_s"] >= 0:
        # After what the kernel calls its exit it still gives back what it has.
        assert spent["wall"] >= 0.99 * (row["end_s"] - row["start_s"]) - 5e-3
        assert life_s is None or spent["wall"] <= 1.001 * life_s + 2e-2


def check_schedstat(row, told):
    """Equal to the kernel's counters: 0.5 % or 1 ms."""
    spent = row["time_s"]
    assert spent["cpu"] == pytest.approx(told["cpu_ns"] / 1e9, rel=5e-3, abs=1e-3)
    assert spent["runqueue"] == pytest.approx(told["runqueue_ns"] / 1e9, rel=5e-3, abs=1e-3)


def check_asleep(row, told, name, seconds=STATE_S):
    """All of its sleep is of one class."""
    spent = row["time_s"]
    asleep = spent["wall"] - (told["cpu_ns"] + told["runqueue_ns"]) / 1e9
    assert asleep >= 0.4 * seconds  # an emulated processor is slow
    others = [other for other in CLASSES if other not in ("cpu", "runqueue", name)]
    assert asleep - spent[name] <= 0.02 * seconds + 5e-3, spent
    assert sum(spent[other] for other in others) <= 0.02 * seconds + 5e-3, spent


def needs_faults(state):
    if state == "write_of_map" and not TELLS_FAULTS:
        pytest.skip("this kernel does not tell of faults: one inside a system call looks like that call")


@pytest.fixture
def in_state(whystall):
    """The report of a program that spends its time in a state, that process's row, and what it told."""
    def run(*arguments, options=(), seconds=STATE_S, one_thread=True, **more):
        report, output = whystall.traced(
            *options, "--", *helpers.workload("states"), "-t", str(seconds), *map(str, arguments),
            **more)
        told = json.loads(output)
        row = report.row(pid=told["pid"])
        for process in report.processes:
            if process["pid"]:
                check_sum(process, told["life_s"] if process["pid"] == told["pid"] else None)
        if one_thread:  # schedstat is the leader's
            check_schedstat(row, told)
        assert report.loss["threads_dropped"] == 0
        return types.SimpleNamespace(report=report, row=row, time=row["time_s"], told=told)
    return run


@pytest.mark.parametrize("state", STATES)
def test_state(in_state, state):
    result = in_state(state)
    if STATES[state] == "cpu":
        assert result.time["cpu"] >= STATE_S
        assert result.time["wall"] - result.time["cpu"] - result.time["runqueue"] <= 0.05
    else:
        check_asleep(result.row, result.told, STATES[state])


def test_open_of_a_named_pipe(in_state, tmp_path):
    result = in_state("open_fifo", tmp_path / "fifo")
    check_asleep(result.row, result.told, "ipc")


def test_more_runnable_than_processors(in_state):
    """Three that spin on one processor: each runs a third of the time, and is runnable for the rest."""
    result = in_state("crowded")
    assert result.time["runqueue"] >= 0.5 * STATE_S
    spinners = [row["time_s"] for row in result.report.processes if row["time_s"]["runqueue"] > 0.1]
    assert len(spinners) == 3
    for spent in spinners:
        assert spent["cpu"] + spent["runqueue"] >= 0.98 * spent["wall"]


def test_ping_pong_of_two_processors(in_state):
    """Each is woken while it is about to fall asleep. By the tracepoints alone a third of the cpu time would
    be missing here, and most of the waits would look like waits for a processor."""
    result = in_state("ping_pong")
    others = [name for name in CLASSES if name not in ("cpu", "runqueue", "ipc")]
    assert sum(result.time[name] for name in others) <= 0.05 * STATE_S
    assert result.time["ipc"] > 0.01 * STATE_S


def files_of(row):
    return {file["path"]: file["wait_s"] for file in row["files"]}


def test_read_from_fuse(in_state, fuse_file):
    """No request of any device: this is how NFS, Lustre and s3fs look."""
    file = fuse_file(5000)
    result = in_state("read", file)
    check_asleep(result.row, result.told, "storage_read")
    assert files_of(result.row)[str(file)] == pytest.approx(result.time["storage_read"], rel=0.02)
    assert [f["device"] for f in result.row["files"] if f["path"] == str(file)] == [None]
    job = result.report.data["job"]
    assert job["above_block_layer"] is True
    assert job["storage_wait_s"] >= result.time["storage_read"]
    assert job["block_s"] <= 0.5 * STATE_S


@pytest.mark.parametrize("state", ["map", "write_of_map"])
def test_pages_mapped_from_fuse(in_state, fuse_file, state):
    """Page faults that the kernel does not call I/O, also in a system call that writes them elsewhere."""
    needs_faults(state)
    file = fuse_file(5000)
    result = in_state(state, file)
    check_asleep(result.row, result.told, "storage_fault")
    assert files_of(result.row)[str(file)] == pytest.approx(result.time["storage_fault"], rel=0.05)


def test_workers_of_io_uring(in_state, fuse_file):
    """A worker looks names up, and a thread waits for it: of what kind its wait is, it cannot know. A worker
    without a request is in no sum."""
    file = fuse_file(5000)
    result = in_state("uring_stat", file.parent, one_thread=False)
    assert result.row["threads"] >= 2
    asleep = result.told["inside_s"] - (result.told["cpu_ns"] + result.told["runqueue_ns"]) / 1e9
    assert result.time["storage_meta"] >= 0.8 * asleep
    assert result.time["storage_read"] >= 0.9 * asleep
    others = [name for name in CLASSES if name not in ("cpu", "runqueue", "storage_read", "storage_meta")]
    assert sum(result.time[name] for name in others) <= 0.05


@pytest.mark.parametrize("hierarchy", ["cgroup2", "cgroup1"])
def test_frozen(whystall, spawn, new_cgroup, request, hierarchy):
    """Frozen in its sleep it does not sleep on; after that it does."""
    group = new_cgroup(request.getfixturevalue(hierarchy))
    switch = group / ("cgroup.freeze" if hierarchy == "cgroup2" else "freezer.state")
    freeze, thaw = ("1", "0") if hierarchy == "cgroup2" else ("FROZEN", "THAWED")
    if not switch.exists():
        pytest.skip("no cgroup v1 with a freezer")
    child = spawn("sleep", "60")
    (group / "cgroup.procs").write_text(str(child.pid))
    tracer = whystall.attach("-p", str(child.pid))
    time.sleep(0.4)
    switch.write_text(freeze)
    try:
        time.sleep(0.4)
    finally:
        switch.write_text(thaw)
    time.sleep(0.4)
    spent = tracer.report(signal.SIGINT).row(pid=child.pid)["time_s"]
    if hierarchy == "cgroup2":
        assert spent["other"] == pytest.approx(0.4, abs=0.1)
    assert spent["sleep"] + spent["other"] >= 0.99 * spent["wall"]
    assert spent["sleep"] >= 0.75


def test_names_looked_up_on_fuse(in_state, fuse_file):
    """The wait is in stat, and its place the folder."""
    file = fuse_file(5000)
    result = in_state("stat", file.parent)
    check_asleep(result.row, result.told, "storage_meta")
    assert files_of(result.row)[str(file.parent)] >= 0.95 * result.time["storage_meta"]


@pytest.mark.parametrize("state, kind", [("read_direct", "storage_read"), ("read", "storage_read"),
                                         ("map", "storage_fault"), ("write_of_map", "storage_fault")])
def test_read_from_a_device(in_state, fuse_disk, state, kind):
    """A device of known latency; its node is the file."""
    needs_faults(state)
    disk = fuse_disk(5000)
    result = in_state(state, disk.target)
    check_asleep(result.row, result.told, kind)
    path = f"({disk.name})" if kind == "storage_fault" else disk.target
    assert files_of(result.row)[path] == pytest.approx(result.time[kind], rel=0.05, abs=5e-3)
    assert result.report.data["job"]["above_block_layer"] is False


def test_asynchronous_reads(in_state, fuse_disk):
    """libaio: it waits in io_getevents, without a descriptor, for requests in flight."""
    disk = fuse_disk(5000)
    result = in_state("aio", disk.target)
    assert result.time["storage_read"] >= 0.7 * STATE_S
    assert files_of(result.row)[f"({disk.name})"] >= 0.95 * result.time["storage_read"]
    # As it exits the kernel waits a while until the context is free.
    others = [name for name in CLASSES if name not in ("cpu", "runqueue", "storage_read", "other")]
    assert sum(result.time[name] for name in others) <= 0.02


@pytest.mark.parametrize("engine", ["libaio", "io_uring"])
@pytest.mark.parametrize("depth", [1, 8])
def test_engines_of_fio(whystall, fuse_disk, tmp_path, engine, depth):
    disk = fuse_disk(5000)
    fio = Fio(tmp_path, disk.target, engine, ios=(200 * depth,), iodepth=depth, bs="4k")
    report = whystall.report("--", *fio.command)
    row = max((row for row in report.processes if row["pid"]),
              key=lambda row: sum(row["time_s"][name] for name in STORAGE))
    spent = row["time_s"]
    assert spent["storage_read"] >= 0.5
    assert spent["storage_read"] >= 0.9 * sum(spent[name] for name in STORAGE + ["other", "ipc"])


def test_fsync(in_state, disk_folder):
    result = in_state("fsync", disk_folder / "out")
    inside = result.told["inside_s"]
    ran = (result.told["cpu_ns"] + result.told["runqueue_ns"]) / 1e9
    assert inside - ran - 0.02 <= result.time["storage_write"] <= inside + 0.02
    parts = result.row["write_wait_s"]
    assert parts["fsync"] >= 0.95 * result.time["storage_write"]
    assert parts["dirty_limit"] <= 0.02
    assert files_of(result.row)[str(disk_folder / "out")] \
        == pytest.approx(result.time["storage_write"], rel=0.05, abs=5e-3)


def test_direct_writes(in_state, disk_folder):
    result = in_state("write_direct", disk_folder / "out")
    inside = result.told["inside_s"]
    ran = (result.told["cpu_ns"] + result.told["runqueue_ns"]) / 1e9
    assert inside - ran - 0.02 <= result.time["storage_write"] <= inside + 0.02
    assert result.row["write_wait_s"]["fsync"] <= 0.02


@pytest.fixture
def pauses_s(cleanup):
    """How long the kernel says by now that it has held writers back; None where there is no tracefs."""
    if not (TRACING / "events/writeback/balance_dirty_pages").exists():
        return lambda: None
    instance = TRACING / "instances" / f"whystall-test-{os.getpid()}"
    instance.mkdir()
    cleanup.callback(instance.rmdir)
    (instance / "events/writeback/balance_dirty_pages/enable").write_text("1")
    return lambda: sum(max(int(ms), 0) for ms in
                       re.findall(r"\bpause=(-?\d+)", (instance / "trace").read_text())) / 1000


def test_held_back_because_too_much_is_dirty(in_state, mounted_loop, cleanup, pauses_s):
    """A writer faster than its device; the kernel puts it to sleep in write()."""
    for key, value in (("dirty_bytes", 8 * MIB), ("dirty_background_bytes", MIB)):
        set_ratio_for_a_while(key, value, cleanup)
    result = in_state("write_much", mounted_loop.folder / "out", 32 * MIB, seconds=1)
    parts = result.row["write_wait_s"]
    told = pauses_s()
    if told == 0:
        pytest.skip("the kernel held nobody back")  # emulated: a slower writer than its device
    assert parts["dirty_limit"] > 1e-3
    assert told is None or parts["dirty_limit"] == pytest.approx(told, rel=0.5, abs=0.02)
    assert parts["dirty_limit"] > 5 * parts["fsync"]
    assert result.time["storage_write"] >= parts["dirty_limit"] >= 0.5 * result.time["storage_write"]


def set_ratio_for_a_while(key, value, cleanup):
    """vm.dirty_bytes and vm.dirty_ratio put each other to 0."""
    ratio = key.replace("bytes", "ratio")
    set_for_a_while(f"/proc/sys/vm/{ratio}", open(f"/proc/sys/vm/{ratio}", encoding="ascii").read(),
                    cleanup)
    path = f"/proc/sys/vm/{key}"
    try:
        with open(path, "w", encoding="ascii") as file:
            file.write(str(value))
    except OSError as error:
        pytest.skip(f"cannot set {path}: {error.strerror}")


def test_under_an_io_limit(whystall, new_loop, throttle):
    """Requests are fast, reads are slow: blk-throttle holds bios back before they become requests."""
    loop = new_loop()
    group = throttle(loop, 4 * MIB)
    program = helpers.workload("states")
    script = 'echo $$ > "$0/cgroup.procs"; exec "$@"'
    report, output = whystall.traced("--", "sh", "-c", script, group, *program, "-t", "2", "read_direct",
                                     loop.target)
    row = report.row(pid=json.loads(output)["pid"])
    assert row["time_s"]["storage_read"] >= 1
    job = report.data["job"]
    assert job["above_block_layer"] is True
    assert job["storage_wait_s"] > 2 * job["block_s"]
    (io,) = [io for io in row["io"] if io["device"] == loop.name]
    assert (io["queue_us"]["mean"] + io["device_us"]["mean"]) * io["requests"] / 1e6 < 1


def test_above_the_block_layer_in_text(whystall, fuse_file):
    file = fuse_file(5000)
    result = whystall.start("--", *helpers.workload("states"), "-t", "0.5", "read", file).finish()
    assert result.status == 0
    assert "Waiting above the block layer" in result.stdout
    assert f"reading {file}\n" in result.stdout
    lines = [line.split("  ")[-1] for line in result.stdout.splitlines() if " states " in line]
    assert any(line.startswith("storage_read ") for line in lines), "as the largest class"


def test_taskstats(whystall, disk, cleanup):
    """What the kernel has as delay by block I/O, counted since before the start. (It measures with the clock of
    the CPU; of a loop device, whose worker wakes the reader from another one, it told 2.1 s in 1 s.)"""
    set_for_a_while("/proc/sys/kernel/task_delayacct", 1, cleanup)
    report, output = whystall.traced("--", *helpers.workload("delays.py"), "1", disk.target)
    told = json.loads(output)
    spent = report.row(pid=told["pid"])["time_s"]
    storage = sum(spent[name] for name in STORAGE)
    assert told["count"] > 100
    # Python's own start has a few more.
    delay = told["delay_ns"] / 1e9
    assert delay > 0.1
    assert delay * 0.99 <= storage <= delay * 1.01 + 0.1


@pytest.fixture
def hogs(spawn):
    """Two unrelated processes for each processor, that only run."""
    for _ in range(2 * os.cpu_count()):
        spawn("sh", "-c", "while :; do :; done")


@pytest.mark.parametrize("state", ["pipe", "tcp_poll", "futex"])
def test_unrelated_busy_processes(in_state, hogs, state):
    """They change how long it waits for a processor, and nothing else."""
    result = in_state(state)
    others = [name for name in CLASSES if name not in ("cpu", "runqueue", STATES[state])]
    assert sum(result.time[name] for name in others) <= 0.02
    assert result.time[STATES[state]] >= 0.5 * STATE_S


def test_attached_in_mid_run(whystall, spawn, fuse_file):
    """Asleep, waiting for a file, and running when whystall comes, and still so when it goes."""
    file = fuse_file(3_000_000)
    program = helpers.workload("states")
    children = {kind: spawn(*program, "-t", "60", *state)
                for kind, state in {"sleep": ["sleep"], "ipc": ["wait"], "cpu": ["spin"],
                                    "storage_read": ["read", file]}.items()}
    found = {kind: helpers.wait_until(lambda child=child: helpers.children_of(child.pid), "a child")[0]
             for kind, child in children.items()}
    time.sleep(0.2)
    pids = ",".join(str(child.pid) for child in children.values())
    try:
        report = whystall.attach("-p", pids, "-d", "1").report()
    finally:
        for pid in found.values():
            for descendant in [*helpers.children_of(pid), pid]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(descendant, signal.SIGKILL)
    for kind, pid in found.items():
        spent = report.row(pid=pid)["time_s"]
        assert spent["wall"] == pytest.approx(report.data["window"]["seconds"], rel=0.01)
        parts = ["cpu", "runqueue"] if kind == "cpu" else [kind]
        assert sum(spent[part] for part in parts) >= 0.98 * spent["wall"], (kind, spent)


def test_threads_of_a_process_that_joins(whystall, spawn, new_cgroup, cgroup2, tmp_path):
    """It moves into the control group with all its threads, of which the kernel tells one."""
    group = new_cgroup(cgroup2)
    script = tmp_path / "threads.py"
    script.write_text("import os, threading, time\n"
                      "for _ in range(5): threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
                      "print('ready', os.getpid(), flush=True); input()\n")
    child = spawn("/usr/bin/python3", script)
    child.expect("ready")
    tracer = whystall.attach("-c", group, "-i", "1h")
    (group / "cgroup.procs").write_text(str(child.pid))
    time.sleep(1)
    row = tracer.report(signal.SIGINT).row(pid=child.pid)
    assert row["threads"] == 6
    assert row["time_s"]["sleep"] == pytest.approx(5 * row["time_s"]["ipc"], rel=0.05)
    assert row["time_s"]["ipc"] >= 0.9


def test_a_32_bit_program(whystall):
    """Its system calls have other numbers: 162 is no nanosleep to a 64-bit one. Counted, and not guessed."""
    if os.uname().machine != "x86_64":
        pytest.skip("a program for x86-64")
    (program,) = helpers.workload("sleep32")
    try:
        subprocess.run([program], check=True)
    except OSError as error:
        pytest.skip(f"this kernel runs no 32-bit programs: {error.strerror}")
    report = whystall.report("-v", "--", program)
    spent = report.row(comm="sleep32")["time_s"]
    assert spent["other"] >= 0.5
    assert spent["other"] >= 0.98 * (spent["wall"] - spent["cpu"] - spent["runqueue"])
    assert report.data["debug"]["compat_sleeps"] == 10


def test_thousands_of_short_threads(in_state):
    """Up to 50 at a time; none is left out, and their time is their process's."""
    result = in_state("short_threads", 4000, one_thread=False)
    assert result.row["threads"] == 4001
    assert result.time["sleep"] >= 4000 * 0.002
    assert result.report.loss["threads_dropped"] == 0


def test_five_thousand_threads(whystall):
    report, output = whystall.traced("--threads", "--", *helpers.workload("states"), "-t", "1",
                                     "many_threads", "5000")
    row = report.row(pid=json.loads(output)["pid"])
    assert report.loss["threads_dropped"] == 0
    assert row["time_s"]["lock"] >= 5000
    check_sum(row)
    assert len(row["thread_rows"]) == 5001
    for thread in row["thread_rows"]:
        assert sum(thread["time_s"][name] for name in CLASSES) \
            == pytest.approx(thread["time_s"]["wall"], rel=1e-9)
    total = sum(thread["time_s"]["wall"] for thread in row["thread_rows"])
    assert total == pytest.approx(row["time_s"]["wall"], rel=1e-6)


def test_more_threads_than_the_table_holds(whystall):
    """100 places: the job's first processes have two, and 99 threads find room. The others are counted."""
    report, output = whystall.traced("--", *helpers.workload("states"), "-t", "0.5", "many_threads", "200",
                                     env={"WHYSTALL_TABLES": "threads=100"})
    told = json.loads(output)
    assert report.loss["threads_dropped"] == 2 + 200 - 100
    row = report.row(pid=told["pid"])
    assert row["threads"] == 201
    assert row["time_s"]["lock"] == pytest.approx(98 * 0.5, rel=0.5)


def test_programs_in_a_row(in_state):
    """One process that calls exec ten times: its ledger goes on."""
    result = in_state("exec_chain", 10)
    assert result.time["sleep"] >= 11 * STATE_S / 10
    assert result.row["threads"] == 1


def test_exec_by_another_thread(in_state):
    """It takes the leader's place, and its ID; the leader has ended."""
    result = in_state("exec_of_thread", options=["--threads"], one_thread=False)
    spent = result.row["time_s"]
    assert spent["sleep"] >= STATE_S + 0.3
    assert result.told["pid"] in [row["tid"] for row in result.row["thread_rows"]]
    assert {row["comm"] for row in result.row["thread_rows"]} == {"states", "exe"}


def test_rows_of_threads(whystall, tmp_path):
    """Names that threads give themselves, one class each."""
    script = tmp_path / "threads.py"
    script.write_text(
        "import ctypes, os, threading, time\n"
        "prctl = ctypes.CDLL(None).prctl\n"
        "def work(name, action):\n"
        "    prctl(15, name.encode(), 0, 0, 0)\n"
        "    action()\n"
        "r, w = os.pipe()\n"
        "actions = {'sleeper': lambda: time.sleep(0.5), 'reader': lambda: os.read(r, 1)}\n"
        "threads = [threading.Thread(target=work, args=item) for item in actions.items()]\n"
        "for t in threads: t.start()\n"
        "threads[0].join(); os.write(w, b'x'); threads[1].join()\n"
        "print(os.getpid())\n")
    report, output = whystall.traced("--threads", "--", "/usr/bin/python3", script)
    rows = {row["comm"]: row for row in report.row(pid=int(output))["thread_rows"]}
    assert rows["sleeper"]["time_s"]["sleep"] >= 0.49
    assert rows["reader"]["time_s"]["ipc"] >= 0.48
    assert rows["python3"]["tid"] == int(output)


def test_without_threads(whystall):
    report = whystall.report("--", "true")
    assert all("thread_rows" not in row for row in report.processes)


def test_the_whole_host_has_no_ledger(whystall):
    report = whystall.report("-a", "-d", "0.2")
    assert "job" not in report.data
    assert all("time_s" not in row for row in report.processes)


class SlowServer:
    """Answers each HTTP request after a while."""
    DELAY_S = 0.02

    def __init__(self, cleanup):
        import http.server

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                time.sleep(SlowServer.DELAY_S)
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b"x" * 1000)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        cleanup.callback(server.server_close)
        cleanup.callback(server.shutdown)
        self.port = server.server_address[1]


HTTP_CLIENTS = {
    "urllib": "import urllib.request\nfor _ in range(30):\n"
              "    urllib.request.urlopen('http://127.0.0.1:PORT/', timeout=10).read()\n",
    "requests": "import requests\ns = requests.Session()\nfor _ in range(30):\n"
                "    s.get('http://127.0.0.1:PORT/', timeout=10).content\n",
    "asyncio": "import asyncio\nasync def main():\n"
               "    reader, writer = await asyncio.open_connection('127.0.0.1', PORT)\n"
               "    for _ in range(30):\n"
               "        writer.write(b'GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n')\n"
               "        await reader.readuntil(b'\\r\\n\\r\\n')\n"
               "        await reader.readexactly(1000)\n"
               "asyncio.run(main())\n",
}


@pytest.mark.parametrize("client", HTTP_CLIENTS)
def test_clients_of_http(whystall, cleanup, client):
    """None of them ever blocks in recv."""
    if client == "requests" and subprocess.run(["/usr/bin/python3", "-c", "import requests"], check=False,
                                               stderr=subprocess.DEVNULL).returncode:
        pytest.skip("needs python3-requests")
    server = SlowServer(cleanup)
    script = HTTP_CLIENTS[client].replace("PORT", str(server.port))
    report = whystall.report("--", "/usr/bin/python3", "-c", script)
    spent = report.row(comm="python3")["time_s"]
    assert spent["network"] >= 30 * SlowServer.DELAY_S
    assert sum(spent[name] for name in ("ipc", "lock", "sleep", "other")) <= 0.05, spent


@pytest.mark.parametrize("serial", [False, True])
def test_latency_by_concurrency(whystall, fuse_file, serial):
    """Four that read from a server of 10 ms a read: one that serves all at a time, or one after the other."""
    file = fuse_file(10_000, serial=serial)
    script = 'for i in 1 2 3 4; do "$@" & done; wait'
    report = whystall.report("-v", "--", "sh", "-c", script, "sh", *helpers.workload("states"), "-t", "1",
                             "read", file)
    (place,) = [place for place in report.data["debug"]["concurrency"]
                if place.get("mount") == str(file.parent)]
    means = {entry["beside"]: entry["mean_s"] for entry in place["classes"] if entry["reads"] >= 10}
    assert sum(entry["reads"] for entry in place["classes"]) >= 4 * 20
    assert max(means) == 3
    if serial:
        assert means[3] >= 0.03
    else:
        assert 0.01 <= means[3] <= 0.02


def test_device_latency_by_concurrency(whystall, fuse_disk, tmp_path):
    """Asynchronous reads at depth 4: nearly all begin with three others in flight."""
    disk = fuse_disk(5000)
    fio = Fio(tmp_path, disk.target, "libaio", ios=(200,), iodepth=4)
    report = whystall.report("-v", "-D", disk.name, "--", *fio.command)
    (place,) = [place for place in report.data["debug"]["concurrency"] if "device" in place]
    reads = {entry["beside"]: entry["reads"] for entry in place["classes"]}
    assert sum(reads.values()) == report.total("requests", device=disk.name, op="read")
    assert reads[3] >= 150
    assert max(reads) == 3


def test_waiting_clock(whystall, tmp_path):
    """A worker that runs only on request: all it does on its trainer's clock is to run."""
    script = tmp_path / "turns.py"
    script.write_text(
        "import os, time\n"
        "ask, answer = os.pipe(), os.pipe()\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    os.close(ask[1])\n"
        "    while os.read(ask[0], 1):\n"
        "        start = time.thread_time()\n"
        "        while time.thread_time() - start < 0.05: pass\n"
        "        os.write(answer[1], b'x')\n"
        "    os._exit(0)\n"
        "for _ in range(10):\n"
        "    os.write(ask[1], b'x'); os.read(answer[0], 1); time.sleep(0.05)\n"
        "print(os.getpid(), child)\n")
    report, output = whystall.traced("-v", "--", "/usr/bin/python3", script)
    trainer, worker = map(int, output.split())
    clocks = {clock["pid"]: clock for clock in report.data["debug"]["clocks"]}
    assert clocks[worker]["trainer_pid"] == clocks[trainer]["trainer_pid"] == trainer
    waited = clocks[trainer]["clock_s"]
    assert waited >= 0.5
    on_clock = clocks[worker]["time_s"]
    assert on_clock["wall"] == pytest.approx(waited, rel=0.02, abs=0.06)
    # The worker may have begun before the trainer sleeps.
    assert on_clock["cpu"] >= 0.45
    assert on_clock["ipc"] <= 0.1 * waited
    assert report.row(pid=worker)["time_s"]["ipc"] >= 0.45


def test_columns_of_stat(whystall, spawn):
    """Of three that sleep, one that waits for them, and its parent: threads in each state, on average."""
    child = spawn("sh", "-c", "sleep 60 & sleep 60 & sleep 60 & echo ready $$; wait")
    child.expect("ready")
    helpers.wait_until(lambda: len(helpers.children_of(child.pid)) == 3, "three children")
    time.sleep(0.1)
    try:
        result = whystall.start("stat", "-O", "json", "-p", str(child.pid), "0.5", "2").finish()
    finally:
        for pid in helpers.children_of(child.pid):
            os.kill(pid, signal.SIGKILL)
    assert result.status == 0
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(rows) == 2
    for row in rows:
        assert row["in_sleep"] == pytest.approx(3, abs=0.05)
        assert row["in_ipc"] == pytest.approx(1, abs=0.05)
        assert row["on_cpu"] == pytest.approx(0, abs=0.05)


def test_columns_of_stat_without_a_job(whystall):
    result = whystall.start("stat", "-O", "json", "0.2", "1").finish()
    assert json.loads(result.stdout)["on_cpu"] is None
    text = whystall.start("stat", "0.2", "1").finish().stdout
    assert "in_storage" not in text
