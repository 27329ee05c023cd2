# SPDX-License-Identifier: BSD-2-Clause
"""fio as load and as ground truth: what each of its jobs did, by its own JSON."""
import functools
import json
import shutil
import subprocess

import pytest

# Primes and all different: a job's bytes say which job it was.
IOS_PER_JOB = (503, 701, 907, 1103)


@functools.lru_cache(maxsize=None)
def engine_works(engine, filename):
    """fio may lack an engine, and a host may forbid it (io_uring_disabled, seccomp)."""
    if not shutil.which("fio"):
        return False
    probe = subprocess.run(
        ["fio", "--name=probe", f"--filename={filename}", f"--ioengine={engine}", "--rw=read",
         "--direct=1", "--bs=4k", "--size=64k"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return probe.returncode == 0


class Fio:
    """The command line of one fio run and, after it, its figures."""

    def __init__(self, folder, filename, engine="psync", rw="randread", ios=IOS_PER_JOB[:1], **options):
        if not engine_works(engine, str(filename)):
            pytest.skip(f"fio cannot use {engine} here")
        self.output = folder / "fio.json"
        given = {"filename": filename, "ioengine": engine, "rw": rw, "direct": 1, "bs": "4k",
                 "size": "64m", "norandommap": 1, "group_reporting": 0, **options}
        self.command = ["fio", "--output-format=json", f"--output={self.output}", "--name=global"]
        self.command += [f"--{key}={value}" for key, value in given.items()]
        for index, count in enumerate(ios):
            self.command += [f"--name=job{index}", f"--number_ios={count}"]

    def jobs(self, direction):
        with open(self.output, encoding="utf-8") as file:
            jobs = json.load(file)["jobs"]
        assert all(job["error"] == 0 for job in jobs)
        return [job[direction] for job in jobs]

    def job_bytes(self, direction):
        moved = sorted(job["io_bytes"] for job in self.jobs(direction))
        assert moved and all(moved), "fio did nothing"
        return moved

    def ios(self, direction):
        return sum(job["total_ios"] for job in self.jobs(direction))

    def percentile_us(self, direction, percentile):
        (job,) = self.jobs(direction)
        return job["clat_ns"]["percentile"][f"{percentile:.6f}"] / 1000

    def mean_us(self, direction):
        (job,) = self.jobs(direction)
        return job["clat_ns"]["mean"] / 1000
