# SPDX-License-Identifier: BSD-2-Clause
"""Several hardware queues: requests that start, are issued and end on several processors at the same time.

Null devices answer at once (a soft interrupt) or after a while (a timer), so that nothing but the counting takes time.
Counters without atomic adds, or slots in flight that two requests share, fall short here.
"""
import collections
import os

import pytest

import helpers
from fio import Fio
from test_bytes import devices_are_diskstats, per_pid_is_fio

# Primes and all different, see fio.py.
IOS = (1009, 1201, 1409, 1601)
SOFT_INTERRUPT, TIMER = 1, 2
# On a preemptible kernel a task that is preempted inside a program keeps others on its processor from running it: hence one
# task on each, see test_preempted.py for more.
MOST_MISSED = 0.01


def pinned(folder, target, **options):
    """fio with four jobs, each on a processor of its own, that read and write."""
    assert os.cpu_count() >= 4
    return Fio(folder, target, **{"engine": "libaio", "rw": "randrw", "ios": IOS, "iodepth": 32,
                                  "cpus_allowed": "0-3", "cpus_allowed_policy": "split", **options})


def all_is_counted(report, device, fio, before):
    kernel = helpers.diskstats_since(device.name, before)
    assert helpers.diskstats(device.name).in_flight == 0
    assert kernel.reads + kernel.read_merges == fio.ios("read")
    assert kernel.writes + kernel.write_merges == fio.ios("write")
    for op in ("read", "write"):
        per_pid_is_fio(report, device.name, fio, op)
    devices_are_diskstats(report, device.name, kernel)


def nothing_is_lost(report, *devices):
    """Each request is in both histograms, but for those whose issue or completion was missed."""
    requests, missed = 0, collections.Counter()
    for io in (io for device in devices for io in report.io(device=device.name)):
        requests += io["requests"]
        for latency in ("queue", "device"):
            missed[latency] += io["requests"] - sum(bucket[latency] for bucket in io["histogram"])
    loss = dict(report.loss)
    assert missed["queue"] == missed["device"] == loss.pop("events_missed") <= MOST_MISSED * requests
    assert not any(loss.values()), loss


def traced(whystall, devices, *command):
    """Nothing else is counted: what is in flight on other devices when it starts would be a loss."""
    return whystall.report(*(f"-D{device.name}" for device in devices), "--", *command)


@pytest.mark.parametrize("irqmode, scheduler, depth", [
    (SOFT_INTERRUPT, "none", 128), (SOFT_INTERRUPT, "mq-deadline", 1),
    (TIMER, "none", 1), (TIMER, "mq-deadline", 128)])
def test_processes(whystall, null_devices, tmp_path, irqmode, scheduler, depth):
    device = null_devices(irqmode=irqmode)[0].scheduler(scheduler)
    fio = pinned(tmp_path, device.target, iodepth=depth)
    before = helpers.diskstats(device.name)
    report = traced(whystall, [device], *fio.command)
    all_is_counted(report, device, fio, before)
    nothing_is_lost(report, device)


@pytest.mark.parametrize("scheduler", ["none", "mq-deadline"])
def test_threads_of_one_process(whystall, null_devices, tmp_path, scheduler):
    """All four processors add to the same row."""
    device = null_devices(irqmode=SOFT_INTERRUPT)[0].scheduler(scheduler)
    fio = pinned(tmp_path, device.target, thread=1)
    before = helpers.diskstats(device.name)
    report = traced(whystall, [device], *fio.command)
    kernel = helpers.diskstats_since(device.name, before)
    for op in ("read", "write"):
        (moved,) = report.per_pid("bytes", device.name, op).values()
        assert moved == sum(fio.job_bytes(op))
    devices_are_diskstats(report, device.name, kernel)
    nothing_is_lost(report, device)


def test_two_devices_with_shared_tags(whystall, null_devices, tmp_path):
    """One set of tags for two devices, and one for all queues: a tag alone tells no request."""
    devices = null_devices(irqmode=TIMER, shared_tags=1, shared_tag_bitmap=1)
    folders = [tmp_path / device.name for device in devices]
    for folder in folders:
        folder.mkdir()
    loads = [pinned(folder, device.scheduler("none").target, ios=IOS[:2], cpus_allowed=processors)
             for folder, device, processors in zip(folders, devices, ("0-1", "2-3"))]
    before = [helpers.diskstats(device.name) for device in devices]
    script = tmp_path / "both"
    script.write_text("".join(f"{' '.join(fio.command)} &\n" for fio in loads) + "wait\n")
    report = traced(whystall, devices, "sh", script)
    for device, fio, earlier in zip(devices, loads, before):
        all_is_counted(report, device, fio, earlier)
    nothing_is_lost(report, *devices)
