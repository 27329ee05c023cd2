# SPDX-License-Identifier: BSD-2-Clause
"""Where the time of threads goes without BPF: programs that spend known time in known states, and BPF's own account of
the same seconds."""
import json
import math
import types

import pytest

import helpers
from test_ledger import CLASSES, STATES as KNOWN, check_sum

STATE_S = 1.5
LOOKS_S = 20  # as many looks as are taken in a second

# Without those that /proc does not tell; one of io_uring's for all: they are `other`.
STATES = {name: kind for name, kind in KNOWN.items() if not name.startswith("uring") and name != "sleep_interrupted"}
STATES["uring_timeout"] = "other"


@pytest.fixture
def in_state(whystall):
    def run(*arguments):
        report, output = whystall.traced(
            "--no-bpf", "--", *helpers.workload("states"), "-t", str(STATE_S), *map(str, arguments))
        assert report.data["tool"]["source"] == "proc"
        told = json.loads(output)
        row = report.row(pid=told["pid"])
        check_sum(row)
        return types.SimpleNamespace(row=row, time=row["time_s"], told=told)
    return run


def check_state(found, name):
    """Up to a tenth of a second at each end is not seen."""
    spent, told = found.time, found.told
    assert spent["wall"] == pytest.approx(told["life_s"], abs=0.25)
    assert spent["cpu"] == pytest.approx(told["cpu_ns"] / 1e9, abs=0.15)
    asleep = spent["wall"] - spent["cpu"] - spent["runqueue"]
    if name == "cpu":
        assert asleep <= 0.3
    else:
        assert spent[name] >= 0.8 * asleep and asleep > 1


@pytest.mark.parametrize("state", STATES)
def test_state(in_state, state):
    check_state(in_state(state), STATES[state])


def test_read_from_fuse(in_state, fuse_file):
    check_state(in_state("read", fuse_file(20000)), "storage_read")


def test_pages_mapped_from_fuse(in_state, fuse_file):
    check_state(in_state("map", fuse_file(20000)), "storage_fault")


def error_s(share, seconds):
    """Of a share that was found by looking, three standard errors; a look stands for what lies around it."""
    looks = LOOKS_S * seconds
    return seconds * 3 * math.sqrt(max(share * (1 - share), 1 / looks) / looks)


def test_beside_bpf(whystall, spawn, fuse_file):
    """Both watch the same loader at the same time: what is exact agrees, what is sampled is within its error."""
    seconds = 8
    loader = spawn(*helpers.workload("loader.py"), "--workers", "2", "--file", str(fuse_file(5000)),
                   "--reads", "1", "--cpu-ms", "4", "--step-ms", "2", "--seconds", str(seconds + 4))
    helpers.wait_until(lambda: len(helpers.children_of(loader.pid)) >= 2, "its workers")
    tracers = [whystall.attach(source, "-p", str(loader.pid), "-O", "json", "-d", f"{seconds}s")
               for source in ("--bpf", "--no-bpf")]
    results = [tracer.finish() for tracer in tracers]
    loader.wait()
    bpf, proc = ({row["pid"]: row["time_s"] for row in json.loads(result.stdout)["processes"]
                  if row["pid"] and row.get("role") != "server"} for result in results)
    assert set(bpf) == set(proc) and len(bpf) >= 3
    for pid, exact in bpf.items():
        sampled = proc[pid]
        for name in CLASSES:
            share = exact[name] / exact["wall"]
            # The two do not begin and end at once.
            allowed = 0.15 * exact["wall"] / seconds + (
                0.05 * exact[name] if name in ("cpu", "runqueue") else error_s(share, exact["wall"]))
            assert sampled[name] == pytest.approx(exact[name], abs=allowed), (name, exact, sampled)


def test_verdict_on_storage(whystall, fuse_file):
    report, output = whystall.traced(
        "--no-bpf", "--", *helpers.workload("loader.py"), "--file", str(fuse_file(5000)), "--reads", "1",
        "--step-ms", "1")
    told = json.loads(output)
    (verdict,) = report.data["verdicts"]
    assert (verdict["pid"], verdict["class"]) == (told["pid"], "storage"), verdict
    assert verdict["confidence"] in ("low", "medium")
    assert verdict["input_bound_pct"] == pytest.approx(
        100 * told["waited_s"] / told["loop_s"], abs=5 + verdict["input_bound_uncertainty_pct"])
    # Which file or mount it was is not known.
    assert {place["kind"] for place in verdict["where"]} <= {"process"}
