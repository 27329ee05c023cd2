# SPDX-License-Identifier: BSD-2-Clause
"""Why the trainer waits, against a loop whose waiting and whose cause are known."""
import json
import os
import signal
import time

import pytest

import helpers
from test_ledger import SlowServer

POINTS = 3  # of the waiting share


@pytest.fixture
def verdict_on(whystall):
    """The verdict on the loader with these options, and what the loader itself found."""
    def run(*options, count=1):
        report, output = whystall.traced("--", *helpers.workload("loader.py"), *map(str, options))
        told = json.loads(output)
        verdicts = report.data["verdicts"]
        assert len(verdicts) == count, verdicts
        if not count:
            return None
        assert verdicts[0]["pid"] == told["pid"]
        return check(verdicts[0], told)
    return run


def check(verdict, told):
    """What holds for all of them: the share, and that blame adds up."""
    if verdict["class"] == "unknown":
        assert verdict["input_bound_pct"] is None and verdict["reason"]
        return verdict
    assert verdict["input_bound_pct"] == pytest.approx(100 * told["waited_s"] / told["loop_s"], abs=POINTS)
    assert sum(verdict["blame_pct"].values()) == pytest.approx(100, abs=0.1) \
        or not any(verdict["blame_pct"].values())
    assert verdict["evidence"]
    return verdict


def test_starved_by_storage(verdict_on, fuse_file):
    file = fuse_file(5000)
    verdict = verdict_on("--file", file, "--reads", 1, "--step-ms", 1)
    assert verdict["class"] == "storage"
    assert verdict["blame_pct"]["storage"] >= 80
    assert any(str(file) in line for line in verdict["evidence"])
    assert any("above the block layer" in line for line in verdict["evidence"])


def test_starved_by_preprocessing(verdict_on):
    verdict = verdict_on("--workers", 1, "--cpu-ms", 10, "--step-ms", 2)
    assert verdict["class"] == "cpu"
    assert verdict["blame_pct"]["cpu"] >= 80


def test_not_input_bound(verdict_on):
    verdict = verdict_on("--cpu-ms", 2, "--step-ms", 10)
    assert verdict["class"] == "not-input-bound"
    assert not any(verdict["blame_pct"].values())


def test_storage_behind_a_long_step(verdict_on, fuse_file):
    """Workers that wait for storage nearly all the time, and yet nobody waits for them."""
    verdict = verdict_on("--file", fuse_file(5000), "--reads", 1, "--step-ms", 10)
    assert verdict["class"] == "not-input-bound"


def test_starved_by_the_network(verdict_on, cleanup):
    server = SlowServer(cleanup)
    verdict = verdict_on("--url", f"http://127.0.0.1:{server.port}/", "--step-ms", 1)
    assert verdict["class"] == "network"


def test_more_workers_than_processors(verdict_on):
    """They wait for one another's processors longer than they run."""
    verdict = verdict_on("--workers", 8, "--cpu-ms", 20)
    assert verdict["class"] == "runqueue"


def test_in_turns(verdict_on, fuse_file):
    """Without prefetch: neither side is slow, they never work at the same time."""
    verdict = verdict_on("--turns", "--file", fuse_file(5000), "--reads", 1, "--step-ms", 5)
    assert verdict["class"] == "pipeline"


def test_checkpoints(verdict_on, disk_folder):
    verdict = verdict_on("--cpu-ms", 0.1, "--step-ms", 0.1, "--checkpoint", disk_folder / "model")
    assert verdict["class"] == "checkpoint"


def test_threads_that_read(verdict_on, fuse_file):
    """Threads of the trainer's process might as well be part of its step."""
    verdict = verdict_on("--threads", "--file", fuse_file(5000), "--reads", 1, "--step-ms", 1)
    assert verdict["class"] == "unknown"
    assert "own process" in verdict["reason"]


def test_threads_that_are_waited_for_by_nobody(verdict_on, fuse_file):
    verdict = verdict_on("--threads", "--file", fuse_file(5000), "--reads", 1, "--step-ms", 20)
    assert verdict["class"] == "not-input-bound"


@pytest.mark.parametrize("how", [["--lock"], ["--batches", "20"], ["--own"]], ids=["lock", "replaced", "own"])
def test_what_cannot_be_told(verdict_on, fuse_file, how):
    """Workers that take turns, or are replaced, leave the same traces as ones that idle. A trainer that reads has one
    thread for its input and its step."""
    verdict = verdict_on(*how, "--file", fuse_file(5000), "--reads", 1, "--step-ms", 1, "--workers", 4)
    assert verdict["class"] == "unknown"


def test_one_interpreter_lock(verdict_on):
    """Threads that compute: input and everything else wait for one lock."""
    verdict = verdict_on("--threads", "--workers", 3, "--cpu-ms", 5, "--step-cpu-ms", 2)
    assert verdict["class"] == "unknown"
    assert "lock" in verdict["reason"]


def test_too_short(verdict_on):
    verdict = verdict_on("--workers", 1, "--cpu-ms", 5, "--seconds", 1)
    assert verdict["class"] == "unknown"
    assert "too little" in verdict["reason"]


def test_nobody_waits_for_anybody(whystall):
    report = whystall.report("--", "sh", "-c", "sleep 1; true")
    assert report.data["verdicts"] == []


def test_attached_in_mid_run(whystall, spawn, fuse_file):
    child = spawn(*helpers.workload("loader.py"), "--file", fuse_file(5000), "--reads", "1", "--step-ms", "1",
                  "--seconds", "60")
    time.sleep(1)
    try:
        report = whystall.attach("-p", str(child.pid), "-d", "5").report()
    finally:
        for pid in helpers.children_of(child.pid):
            os.kill(pid, signal.SIGKILL)
    (verdict,) = report.data["verdicts"]
    assert verdict["pid"] == child.pid
    assert verdict["class"] == "storage"


def test_in_text(whystall, fuse_file):
    """It comes first."""
    result = whystall.start("-q", "--", *helpers.workload("loader.py"), "--file", fuse_file(5000), "--reads", "1",
                            "--step-ms", "1").finish()
    lines = result.stdout.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("Verdict for "))
    assert ": storage: " in lines[at]
    assert at <= 3  # the program has written a line too
