# SPDX-License-Identifier: BSD-2-Clause
"""Who ends whose wait, against programs that are known to wait for one another."""
import json
import os

import pytest

import helpers

STATE_S = 0.5


@pytest.fixture
def edges_of(whystall):
    """The edges of a program in a state, with its own row: those of the thread that is in it."""
    def run(state, *arguments, seconds=STATE_S, **more):
        report, output = whystall.traced(
            "-v", "--", *helpers.workload("states"), "-t", str(seconds), state, *map(str, arguments), **more)
        row = report.row(pid=json.loads(output)["pid"])
        edges = [edge for edge in report.data["debug"]["edges"] if edge["wakee_pid"] == row["pid"]]
        return edges, row
    return run


def blocked_s(edges):
    return sum(sum(edge["blocked_s"].values()) for edge in edges)


def told(report):
    return report.data["debug"]["edges"]


@pytest.mark.parametrize("state, kind", [("pipe", "ipc"), ("unix", "ipc"), ("eventfd", "ipc"),
                                         ("epoll_pipe", "ipc"), ("wait", "ipc"), ("futex", "lock")])
def test_another_process_ends_each_wait(edges_of, state, kind):
    """Its helper does, whatever it waits on."""
    edges, row = edges_of(state)
    by_helper = [edge for edge in edges if edge["waker_pid"] not in (None, row["pid"], row["ppid"])]
    (edge,) = by_helper
    assert edge["waker_tid"] == edge["waker_pid"]
    assert edge["blocked_s"][kind] == pytest.approx(row["time_s"][kind], rel=0.02, abs=2e-3)
    assert blocked_s(edges) == pytest.approx(edge["blocked_s"][kind], abs=0.02)


def test_a_device_or_the_network_ends_it(edges_of):
    """Loopback too: an interrupt, on top of whoever ran. That one is not who it waited for."""
    edges, row = edges_of("tcp")
    assert row["time_s"]["network"] >= 0.9 * STATE_S
    assert blocked_s(edges) <= 0.01, edges


def test_a_timer_ends_it(whystall):
    """Waits for a pipe that nobody writes to, with a timeout, beside processes of the job that keep the processors
    busy: the timer interrupts one of these."""
    script = ("import multiprocessing, os, select\n"
              "def spin():\n"
              "    while True: pass\n"
              "for _ in range(3): multiprocessing.Process(target=spin, daemon=True).start()\n"
              "r, w = os.pipe()\n"
              "p = select.poll(); p.register(r, select.POLLIN)\n"
              "for _ in range(100): p.poll(5)\n"
              "print(os.getpid())\n")
    report, output = whystall.traced("-v", "--", "/usr/bin/python3", "-c", script)
    pid = int(output)
    spent = report.row(pid=pid)["time_s"]
    assert spent["ipc"] >= 0.3
    assert blocked_s(edge for edge in told(report) if edge["wakee_pid"] == pid) <= 0.15 * spent["ipc"]


def test_both_ways(edges_of, whystall):
    """Two on two processors that wake each other all the time, often before the other one is asleep."""
    if os.cpu_count() < 2:
        pytest.skip("needs two processors")
    edges, row = edges_of("ping_pong")
    (back,) = [edge for edge in edges if edge["waker_pid"] not in (None, row["ppid"])]
    assert back["waits"] > 10  # emulated processors do little
    assert back["blocked_s"]["ipc"] == pytest.approx(row["time_s"]["ipc"], rel=0.3, abs=0.02)


def test_served_from_outside_the_job(edges_of, fuse_file):
    """A FUSE server is no descendant; its thread is named."""
    edges, row = edges_of("read", fuse_file(5000))
    served = [edge for edge in edges if edge["waker_pid"] is None and edge["waker_tid"]]
    assert sum(edge["blocked_s"]["storage"] for edge in served) \
        == pytest.approx(row["time_s"]["storage_read"], rel=0.05)


def test_threads_of_one_process(whystall, tmp_path):
    """By thread, not by process: a consumer waits for its producer, not for the third one."""
    script = tmp_path / "threads.py"
    script.write_text(
        "import os, threading, time\n"
        "r, w = os.pipe()\n"
        "def produce():\n"
        "    for _ in range(20): time.sleep(0.02); os.write(w, b'x')\n"
        "def consume():\n"
        "    for _ in range(20): os.read(r, 1)\n"
        "def idle():\n"
        "    time.sleep(0.5)\n"
        "threads = [threading.Thread(target=f) for f in (consume, produce, idle)]\n"
        "for t in threads: t.start()\n"
        "for t in threads: t.join()\n"
        "print(*(t.native_id for t in threads))\n")
    report, output = whystall.traced("-v", "--", "/usr/bin/python3", script)
    consumer, producer, idle = map(int, output.split())
    blocked = {(edge["wakee_tid"], edge["waker_tid"]): edge["blocked_s"]["ipc"] for edge in told(report)}
    assert blocked[consumer, producer] >= 0.35
    assert blocked.get((consumer, idle), 0) <= 0.01


def test_more_edges_than_the_table_holds(whystall):
    """Each short-lived process is an edge to the one that waits for it."""
    script = "for i in $(seq 50); do /bin/true; done"
    report = whystall.report("-v", "--", "sh", "-c", script, env={"WHYSTALL_TABLES": "edges=16"})
    assert len(told(report)) <= 16
    assert report.loss["edges_dropped"] >= 20
    assert whystall.report("-v", "--", "sh", "-c", script).loss["edges_dropped"] == 0
