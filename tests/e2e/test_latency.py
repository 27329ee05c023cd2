# SPDX-License-Identifier: BSD-2-Clause
"""Latencies against fio's completion times and against a device with a known delay.

fio's clat at depth 1 is the whole call: clat = queue + device + the call's own time (entry, bio, wakeup).
So the device percentile can never be above fio's, and queue + device may be below it by the call's
own time only. To that comes one bucket on either side: 1/16 of a power of two, 6.25 %.
"""
import pytest

import helpers
from conftest import write_queue
from fio import Fio

BUCKET = 1.0625
# A percentile stands for its bucket: design.md section 8 allows 3.2 %.
PERCENTILE_ERROR = 0.032
CALL_US = 40
# The slowest 1 % of calls also wait for a CPU before or after the request's own time.
CALL_P99_US = 500


def read_row(report, device):
    """The load's row: on the machine's disk fio itself may have had to read a file of its own."""
    return max(report.io(device=device.name, op="read"), key=lambda io: io["requests"])


def shape_is_sound(report, io):
    for key in ("queue", "device"):
        figures = io[f"{key}_us"]
        order = [figures[name] for name in ("p50", "p90", "p99", "p999")]
        assert order == sorted(order)
        assert 0 < figures["mean"] <= figures["max"]
        assert figures["p999"] <= figures["max"] * (1 + PERCENTILE_ERROR)
        # A request whose D or C the kernel did not show to BPF is counted, in loss too, without latency.
        unknown = io["requests"] - sum(entry[key] for entry in io["histogram"])
        assert 0 <= unknown <= report.loss["events_missed"]
    limits = [entry["le_us"] for entry in io["histogram"]]
    assert limits == sorted(set(limits))
    for limit in limits:
        nanoseconds = round(limit * 1000)
        assert nanoseconds & (nanoseconds - 1) == 0, "buckets end at powers of two of nanoseconds"


@pytest.mark.parametrize("delay_us", [1000, 5000])
def test_known_delay(whystall_both, fuse_disk, delay_us):
    """Each read sleeps delay_us: never less, and p50 not near the next power of two."""
    device = fuse_disk(delay_us)
    report = whystall_both.report(
        "--", *helpers.workload("blockread"), "-n", "101", device.target)
    io = read_row(report, device)
    shape_is_sound(report, io)
    assert io["requests"] == 101
    assert delay_us * (1 - PERCENTILE_ERROR) <= io["device_us"]["p50"] < delay_us * 1.5
    assert delay_us <= io["device_us"]["mean"]
    assert delay_us <= io["device_us"]["max"]
    below = [entry for entry in io["histogram"] if entry["le_us"] < delay_us]
    assert sum(entry["device"] for entry in below) == 0
    assert io["queue_us"]["p50"] < delay_us / 2
    row = report.row(comm="blockread")
    assert row["block_s"] >= 101 * delay_us / 1e6


@pytest.mark.parametrize("percentile, call_us", [(50, CALL_US), (99, CALL_P99_US)])
def test_fio_on_a_known_delay(whystall, fuse_disk, tmp_path, percentile, call_us):
    """The call's own time is small beside 5 ms: the tolerance is really one bucket."""
    device = fuse_disk(5000)
    fio = Fio(tmp_path, device.target, ios=(211,))
    report = whystall.report("--", *fio.command)
    io = read_row(report, device)
    clat = fio.percentile_us("read", percentile)
    key = f"p{percentile}"
    assert io["device_us"][key] <= clat * BUCKET
    assert io["queue_us"][key] + io["device_us"][key] >= clat / BUCKET - call_us


def test_fio_on_the_disk(whystall_both, disk, tmp_path):
    fio = Fio(tmp_path, disk.target, ios=(2003,))
    report = whystall_both.report("--", *fio.command)
    io = read_row(report, disk)
    shape_is_sound(report, io)
    for percentile, call_us in ((50, CALL_US), (99, CALL_P99_US)):
        clat = fio.percentile_us("read", percentile)
        key = f"p{percentile}"
        assert 0 < io["device_us"][key] <= clat * BUCKET
        assert io["queue_us"][key] + io["device_us"][key] >= clat / BUCKET - call_us


@pytest.mark.parametrize("iostats", [1, 0])
def test_queue_latency_has_no_stale_start(whystall_both, loop, tmp_path, cleanup, iostats):
    """Depth 1 without a scheduler: a request is issued at once. 50 us is far above that, and far
    below the milliseconds of a start time left over from the tag's last request."""
    loop.scheduler("none")
    write_queue(loop.name, "iostats", iostats, cleanup)
    fio = Fio(tmp_path, loop.target, ios=(5003,))
    report = whystall_both.report("--", *fio.command)
    io = read_row(report, loop)
    assert io["requests"] == 5003
    assert io["queue_us"]["p99"] < 50
    assert io["queue_us"]["mean"] < 50


def test_time_in_the_scheduler_is_queue_latency(whystall_both, fuse_disk, tmp_path):
    """256 reads at a device that takes 128 at a time, serially, 1 ms each: a request waits about as
    long in the scheduler as in the device. The two means add up to the kernel's own (diskstats: ms in
    requests / requests); fio's clat would also hold the time until fio collects the result."""
    device = fuse_disk(1000).scheduler("mq-deadline")
    fio = Fio(tmp_path, device.target, "libaio", ios=(1013,), iodepth=256)
    before = helpers.diskstats(device.name)
    report = whystall_both.report("--", *fio.command)
    io = read_row(report, device)
    kernel = helpers.diskstats_since(device.name, before)
    shape_is_sound(report, io)
    mean_us = kernel.read_ms * 1000 / kernel.reads
    assert io["queue_us"]["mean"] + io["device_us"]["mean"] == pytest.approx(mean_us, rel=0.01)
    for key in ("queue_us", "device_us"):
        assert io[key]["mean"] > mean_us / 4


def test_reads_and_writes_have_their_own_histograms(whystall, loop, tmp_path):
    fio = Fio(tmp_path, loop.target, rw="randrw", ios=(1009,))
    report = whystall.report("--", *fio.command)
    for op in ("read", "write"):
        (io,) = report.io(device=loop.name, op=op)
        shape_is_sound(report, io)
        assert io["requests"] == fio.ios(op) > 0
