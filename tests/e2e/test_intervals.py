# SPDX-License-Identifier: BSD-2-Clause
"""What whystall asks the kernel for in an interval, whatever it watches. Times are for `make bench`: here calls are counted."""
import json
import signal
import statistics
import subprocess

import pytest

import helpers

INTERVAL = "0.1"
INTERVALS = 40  # roles are found anew in the first eight and every eighth one then, which takes more calls
FEW, MANY = 4, 64

# In one interval at most: for input markers 32 copies of their parents are looked at (128 KiB, each counted with
# 4 at least), 10 calls each; 32 trainers are asked what they may have, 8 calls each; and what is read of the
# host and of control groups.
MOST_CALLS = 32 * 10 + 32 * 8 + 400


@pytest.fixture
def colleagues(spawn, loop):
    """Processes of a job that wake each other, and do I/O."""
    def start(count):
        child = spawn(*helpers.workload("colleagues.py"), str(count), loop.target)
        child.expect("ready")
        return child
    return start


def calls_of(tracer):
    """In each of some intervals, without the first two: what does not change is asked for each process once."""
    counted = subprocess.run([*helpers.workload("calls"), str(tracer.process.pid), str(INTERVALS)],
                             stdout=subprocess.PIPE, check=True, timeout=helpers.PATIENCE_S)
    return [json.loads(line) for line in counted.stdout.splitlines()][2:]


def quiet(intervals, name):
    """In an interval that looks at nothing in turn: of the quarter with the fewest, the most."""
    return statistics.quantiles([calls[name] for calls in intervals], n=4)[0]


def assert_no_more(many, few):
    """A batch has hundreds of edges."""
    for name, more in (("bpf", 1), ("openat", 0), ("all", 2)):
        assert quiet(many, name) <= quiet(few, name) + more, (name, many, few)


def test_no_call_for_a_process_or_a_key(whystall, colleagues):
    """In some intervals processes are looked at in turn, never more than so many."""
    found = []
    for count in (MANY, FEW):
        child = colleagues(count)
        tracer = whystall.attach("-v", "-i", INTERVAL, "-p", str(child.pid))
        found.append(calls_of(tracer))
        child.process.stdin.close()
        report = tracer.report()
        assert len([row for row in report.processes if len(row["io"] or []) >= 2]) >= count
        assert len(report.data["debug"]["edges"]) >= 2 * count
        assert max(calls["all"] for calls in found[-1]) <= MOST_CALLS, found[-1]
    assert_no_more(*found)


def test_no_call_for_a_process_or_a_key_in_rows(whystall, colleagues):
    found = []
    for count in (MANY, FEW):
        child = colleagues(count)
        tracer = whystall.start("stat", "-p", str(child.pid), INTERVAL, stdout=subprocess.DEVNULL).attached()
        found.append(calls_of(tracer))
        tracer.finish(signal.SIGINT)
        child.kill()
        assert max(calls["all"] for calls in found[-1]) <= MOST_CALLS, found[-1]
    assert_no_more(*found)
