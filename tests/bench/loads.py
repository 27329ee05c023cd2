# SPDX-License-Identifier: BSD-2-Clause
"""Loads, and what they say themselves that they did."""

import json
import os
import pathlib
import re
import shutil

from running import Failed, run

MOST_JOBS = 8
MESSAGE_S = 30e-6  # at most


class Fio:
    """Random reads of 4 KiB, more than the device can do. Never a write: the device may be the user's."""

    def __init__(self, folder, device, seconds):
        self.results = pathlib.Path(folder) / "fio.json"
        self.lasts_s = seconds
        self.command = [
            "fio", "--name=load", f"--filename={device}", "--readonly", "--rw=randread", "--bs=4k", "--direct=1",
            "--ioengine=libaio", "--iodepth=32", f"--numjobs={min(os.cpu_count(), MOST_JOBS)}", "--norandommap",
            "--group_reporting", "--time_based", f"--runtime={round(seconds * 1000)}ms", "--output-format=json",
            f"--output={self.results}"]

    def done(self):
        """{"requests", "iops"} of the run that has just ended."""
        text = self.results.read_text(encoding="utf-8")
        read = json.loads(text[text.index("{"):])["jobs"][0]["read"]
        return {"requests": read["total_ios"], "iops": read["iops"]}


class Pipe:
    """Two threads that wake one another through pipes, on one processor: two switches and two wakeups for each message
    and its answer."""

    def __init__(self, folder, messages):
        self.results = pathlib.Path(folder) / "pipe.txt"
        self.lasts_s = messages * MESSAGE_S
        self.command = ["sh", "-c", f'taskset -c {min(os.sched_getaffinity(0))} perf bench sched pipe -T -l {messages} '
                        f'>"{self.results}" 2>&1']

    @staticmethod
    def why_absent():
        if not shutil.which("perf"):
            return "perf is not installed"
        if not shutil.which("taskset"):
            return "taskset is not installed"
        try:  # it can be a script that looks for the one of this kernel
            run("perf", "bench", "sched", "pipe", "-T", "-l", "1")
        except Failed as error:
            return f"does not start here: {error}"
        return None

    def done(self):
        """Microseconds per message; None where perf did not say."""
        found = re.search(r"([\d.]+) usecs/op", self.results.read_text(encoding="utf-8", errors="replace"))
        return float(found[1]) if found else None
