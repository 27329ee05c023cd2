# SPDX-License-Identifier: BSD-2-Clause
"""Why the trainer waits, against a loop whose waiting and whose cause are known."""
import json
import os
import signal
import subprocess
import time

import pytest

import helpers
from conftest import MIB, filled_file
from test_owner import in_cgroup
from test_ledger import SlowServer

POINTS = 3  # of the waiting share


@pytest.fixture
def verdict_on(whystall):
    """The verdict on the loader with these options, and what the loader itself found."""
    def run(*options, count=1, group=None):
        command = [*helpers.workload("loader.py"), *map(str, options)]
        report, output = whystall.traced("--", *(in_cgroup(group, command) if group else command))
        told = json.loads(output)
        verdicts = report.data["verdicts"]
        assert len(verdicts) == count, verdicts
        if not count:
            return None
        assert verdicts[0]["pid"] == told["pid"]
        return check(verdicts[0], told)
    return run


def pct_of(verdict, kind):
    """{name: part of the blame} of its places of this kind."""
    return {place["name"]: place["pct"] for place in verdict["where"] if place["kind"] == kind}


def advised(verdict):
    return [advice["do"] for advice in verdict["advice"]]


def check_places(verdict):
    """Causes of one kind do not add up to more than the blame that they share."""
    blame = verdict["blame_pct"]
    for kind in ("device", "mount", "file"):
        assert sum(pct_of(verdict, kind).values()) <= blame["storage"] + 0.1
    workers = [place["pct"] for place in verdict["where"] if place["kind"] == "process" and "role" not in place]
    assert sum(workers) <= 100 - blame["pipeline"] + 0.1
    assert all(place["name"].startswith(f'{place["pid"]} ') for place in verdict["where"]
               if place["kind"] == "process")


def check(verdict, told):
    """What holds for all of them: the share, and that blame adds up."""
    assert all(advice["do"] and advice["because"] for advice in verdict["advice"])
    if verdict["class"] == "unknown":
        assert verdict["input_bound_pct"] is None and verdict["reason"]
        assert verdict["advice"] == []
        return verdict
    check_places(verdict)
    if verdict["class"] == "checkpoint":
        pass  # by the loop's own figures it waits between its writes, for less than a millisecond each time
    elif verdict["input_bound_pct"] is None:
        assert any("cannot be told" in line for line in verdict["evidence"])
    else:
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
    assert any(f"reading {file}" in line for line in verdict["evidence"])
    assert any("above the block layer" in line for line in verdict["evidence"])
    assert pct_of(verdict, "file")[str(file)] >= 80
    assert pct_of(verdict, "mount")[str(file.parent)] >= 80
    assert not pct_of(verdict, "device")  # FUSE is on none
    assert "use more workers (2 now)" in advised(verdict)  # each read takes 5 ms, however many there are


# {change: options with which it is really so}
REALLY = {"storage": ["--reads", 0], "workers_x2": ["--workers", 4]}


def test_what_if(whystall, fuse_file):
    """Said after one run, against the same loop really run without its reads, and with twice the workers."""
    def rate(output):
        told = json.loads(output)
        return told["batches"] / told["loop_s"]

    options = ["--file", str(fuse_file(20000)), "--reads", 1, "--step-ms", 3, "--seconds", 8]
    report, output = whystall.traced("--", *helpers.workload("loader.py"), *map(str, options))
    (verdict,) = report.data["verdicts"]
    said = {entry["change"]: entry for entry in verdict["what_if"]}
    assert [entry["speedup"] for entry in verdict["what_if"]] \
        == sorted((entry["speedup"] for entry in said.values()), reverse=True)
    assert said["storage"]["bound_by"] == "trainer" and said["workers_x2"]["bound_by"] == "device"
    (more_workers,) = (advice for advice in verdict["advice"] if "more workers" in advice["do"])
    assert more_workers["speedup"] == said["workers_x2"]["speedup"]
    for change, changed in REALLY.items():
        done = subprocess.run([*helpers.workload("loader.py"), *map(str, options + changed)], check=True,
                              stdout=subprocess.PIPE, text=True)
        assert said[change]["speedup"] == pytest.approx(rate(done.stdout) / rate(output), rel=0.15), change


def test_what_if_a_serial_server_had_more_workers(verdict_on, fuse_file):
    """It looks like a slow one to whoever counts waits only: nothing is said of more workers."""
    verdict = verdict_on("--file", fuse_file(5000, serial=True), "--reads", 1, "--step-ms", 1)
    told = {entry["change"] for entry in verdict["what_if"] if entry["speedup"] >= 1.03}
    assert "storage" in told and "workers_x2" not in told


def test_starved_by_a_serial_server(verdict_on, fuse_file):
    """More workers would wait for one another."""
    verdict = verdict_on("--file", fuse_file(5000, serial=True), "--reads", 1, "--step-ms", 1)
    assert verdict["class"] == "storage"
    assert not any("more workers" in line for line in advised(verdict))
    assert any("faster storage" in line for line in advised(verdict))


def test_starved_by_an_io_limit(verdict_on, mounted_loop, throttle):
    """128 reads a second, of a device that takes 10,000: more workers would wait for the same limit."""
    file = filled_file(mounted_loop.folder / "data", 16 * MIB)
    verdict = verdict_on("--file", file, "--direct", "--reads", 1, "--step-ms", 1,
                         group=throttle(mounted_loop, 512 << 10))
    assert verdict["class"] == "storage"
    assert pct_of(verdict, "device")[mounted_loop.name] >= 80
    assert any("device p99" in line and "above the block layer" in line for line in verdict["evidence"])
    assert "I/O limit" in advised(verdict)[0]
    said = {entry["change"]: entry for entry in verdict["what_if"]}
    assert said["workers_x2"]["speedup"] < 1.1 and said["workers_x2"]["bound_by"] == "limit"
    assert said["storage"]["speedup"] > 2
    assert not any("more workers" in line for line in advised(verdict))


def test_starved_by_preprocessing(verdict_on):
    verdict = verdict_on("--workers", 1, "--cpu-ms", 10, "--step-ms", 2)
    assert verdict["class"] == "cpu"
    assert verdict["blame_pct"]["cpu"] >= 80
    assert any("computing" in line for line in verdict["evidence"])
    if len(os.sched_getaffinity(0)) > 1:
        assert "use more workers (1 now)" in advised(verdict)
    assert not pct_of(verdict, "file")
    assert len(pct_of(verdict, "process")) == 1


def test_not_input_bound(verdict_on):
    verdict = verdict_on("--cpu-ms", 2, "--step-ms", 10)
    assert verdict["class"] == "not-input-bound"
    assert not any(verdict["blame_pct"].values())
    assert verdict["where"] == [] and verdict["advice"] == []


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
    processors = len(os.sched_getaffinity(0))
    workers = max(8, 4 * processors)
    verdict = verdict_on("--workers", workers, "--cpu-ms", 20)
    assert verdict["class"] == "runqueue"
    (advice,) = verdict["advice"]
    assert "fewer workers" in advice["do"] and f"({workers} now)" in advice["do"]
    assert f"{workers} workers share {processors} processors" in advice["because"]
    assert any("waiting for a processor" in line for line in verdict["evidence"])


def test_in_turns(verdict_on, fuse_file):
    """Without prefetch: neither side is slow, they never work at the same time."""
    verdict = verdict_on("--turns", "--file", fuse_file(5000), "--reads", 1, "--step-ms", 5)
    assert verdict["class"] == "pipeline"
    assert any("ahead" in line for line in advised(verdict))
    assert not any("more workers" in line for line in advised(verdict))


def test_checkpoints(verdict_on, disk_folder):
    verdict = verdict_on("--cpu-ms", 0.1, "--step-ms", 0.1, "--checkpoint", disk_folder / "model")
    assert verdict["class"] == "checkpoint"
    assert any("checkpoints" in line for line in advised(verdict))


def test_threads_that_read(verdict_on, fuse_file):
    """Threads of the trainer's own process that read make its input."""
    verdict = verdict_on("--threads", "--file", fuse_file(5000), "--reads", 1, "--step-ms", 1)
    assert verdict["class"] == "storage"


def test_threads_that_are_waited_for_by_nobody(verdict_on, fuse_file):
    verdict = verdict_on("--threads", "--file", fuse_file(5000), "--reads", 1, "--step-ms", 20)
    assert verdict["class"] == "not-input-bound"


def test_one_that_reads_at_a_time(verdict_on, fuse_file):
    """Four workers and one lock around the read: more workers would not help, nor a faster trainer."""
    verdict = verdict_on("--lock", "--file", fuse_file(5000), "--reads", 1, "--step-ms", 1, "--workers", 4)
    assert verdict["class"] == "lock"
    assert verdict["blame_pct"]["lock"] >= 60
    assert "lock" in verdict["advice"][0]["do"]


def test_workers_that_are_replaced(verdict_on, fuse_file):
    """One after the other, each for 20 batches."""
    verdict = verdict_on("--batches", 20, "--file", fuse_file(5000), "--reads", 1, "--step-ms", 1)
    assert verdict["class"] == "storage"


def test_no_workers(verdict_on, fuse_file):
    """What the trainer waits for when it reads is told from its step."""
    verdict = verdict_on("--own", "--file", fuse_file(5000), "--reads", 1, "--step-ms", 1)
    assert verdict["class"] == "storage"
    assert verdict["blame_pct"]["storage"] >= 99


def test_no_workers_that_compute(verdict_on):
    """What it computes for its input is not."""
    verdict = verdict_on("--own", "--cpu-ms", 5, "--step-cpu-ms", 5)
    assert verdict["class"] == "unknown"
    assert "not separable" in verdict["reason"]


def test_one_interpreter_lock(verdict_on):
    """Threads that compute: input and everything else wait for one lock."""
    verdict = verdict_on("--threads", "--workers", 3, "--cpu-ms", 15, "--step-cpu-ms", 5)
    assert verdict["class"] == "lock"
    assert verdict["input_bound_pct"] is None
    assert any("processes" in advice["do"] for advice in verdict["advice"])


def test_named(whystall, fuse_file):
    """--trainer: it is judged, and nothing else, whatever it does."""
    report, output = whystall.traced("-i", "500ms", "--", "sh", "-c",
                                     f"echo $$; {' '.join(helpers.workload('loader.py'))} --cpu-ms 5 --step-ms 20; true")
    shell, told = output.splitlines()
    assert [verdict["pid"] for verdict in report.data["verdicts"]] == [json.loads(told)["pid"]]
    child = whystall.start("-q", "-O", "json", "--trainer", "99999999", "--", "true").finish()
    assert child.status == 0 and json.loads(child.stdout)["verdicts"] == []
    assert int(shell) != json.loads(told)["pid"]


def test_startup(verdict_on, fuse_file):
    """What takes long before the first batch is told apart: 3 s of reads, before a loop that computes."""
    verdict = verdict_on("--file", fuse_file(20000), "--prepare", 150, "--cpu-ms", 10, "--workers", 1)
    assert verdict["startup_class"] == "storage"
    assert verdict["startup_s"] >= 3
    assert verdict["class"] in ("cpu", "runqueue")
    assert any("before the first batch" in line and "storage" in line for line in verdict["evidence"])


def test_each_interval(verdict_on, fuse_file):
    verdict = verdict_on("--file", fuse_file(5000), "--reads", 1, "--step-ms", 1, "--seconds", 8)
    intervals = verdict["interval_classes"]
    assert sum(intervals.values()) >= 4
    assert intervals["storage"] >= 0.75 * sum(intervals.values())


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
    file = fuse_file(5000)
    result = whystall.start("-q", "--", *helpers.workload("loader.py"), "--file", file, "--reads", "1",
                            "--step-ms", "1").finish()
    lines = result.stdout.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("Verdict for "))
    assert ": storage: " in lines[at] and "highly input-bound (" in lines[at]
    assert at <= 3  # the program has written a line too
    end = lines.index("", at)
    assert any(line.startswith(f"  where: {file.parent} ") for line in lines[at:end])
    assert any(line.startswith("  do: use more workers") and "; because " in line for line in lines[at:end])
    (what_if,) = (line for line in lines[at:end] if line.startswith("  what if: "))
    assert "storage free: " in what_if and "(then the trainer's own step binds)" in what_if
    assert "4 workers instead of 2: " in what_if
