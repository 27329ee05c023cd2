# SPDX-License-Identifier: BSD-2-Clause
"""One run of one loop, alone or under build/whystall, from its surroundings to its course."""
import contextlib
import json
import os
import pathlib
import shlex
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.append(str(ROOT / "tests" / "e2e"))
import grid  # pylint: disable=wrong-import-position
import helpers  # pylint: disable=wrong-import-position
import surroundings  # pylint: disable=wrong-import-position

SYSTEM_PYTHON = "/usr/bin/python3"
LIMIT_S = 120  # of a case, against hangs only
ATTACHED_S = 6  # of a loop that takes 8


class Broken(Exception):
    """The run has no result: the loop or whystall itself failed."""


# What may come of a run that goes wrong.
FAILURES = (Broken, AssertionError, OSError, ValueError, subprocess.CalledProcessError)


def descendants(pid):
    found = []
    with contextlib.suppress(OSError):
        for path in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
            for child in path.read_text(encoding="ascii").split():
                found += [int(child), *descendants(child)]
    return found


def end_tree(process):
    """A process and all it started: some of them have sessions of their own."""
    for pid in [*descendants(process.pid), process.pid] if process.poll() is None else ():
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


class Run:
    """One run of one case, from its surroundings to its report."""

    def __init__(self, case, python, stack):
        self.case, self.stack = case, stack
        self.place = surroundings.Place(stack)
        self.folder = self.place.folder()
        self.log = stack.enter_context(open(self.folder / "stderr", "w+", encoding="utf-8", errors="replace"))
        for put in case.around:
            put(self.place)
        script, *options = shlex.split(case.loop.format(**self.place.names))
        self.loop = [*self.place.prefix, python, "-B", str(HERE / script), *options]

    def start(self, command):
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.log, start_new_session=True,
            env=helpers.environment({"WHYSTALL_COURSES": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"}))
        self.stack.callback(end_tree, process)
        return process

    def finish(self, process, what):
        try:
            status = process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            raise Broken(f"{what} did not end within {LIMIT_S} s\n{self.written()}") from None
        if status:
            raise Broken(f"{what} ended with {status}\n{self.written()}")

    def written(self):
        self.log.seek(0)
        return "\n".join(self.log.read().splitlines()[-20:])

    def whystall(self, *arguments):
        report = self.folder / "report.json"
        self.finish(self.start([helpers.WHYSTALL, "-q", "-O", "json", "-o", str(report), *arguments]), "whystall")
        return json.loads(report.read_text(encoding="utf-8"))

    def begun(self, process):
        """Waits until the trainers are in their loops; their PIDs."""
        deadline = time.monotonic() + LIMIT_S
        while True:
            begun = list(self.folder.glob("*.begun"))
            if len(begun) >= self.case.trainers:
                return [path.stem for path in begun]
            if process.poll() is not None or time.monotonic() > deadline:
                raise Broken(f"the loop did not begin\n{self.written()}")
            time.sleep(0.05)

    def alone(self):
        self.finish(self.start(self.loop), "the loop")

    def traced(self, *options):
        """whystall's report."""
        if not self.case.attach:
            return self.whystall(*options, "--", *self.loop)
        process = self.start(self.loop)
        pids = self.begun(process)
        time.sleep(0.5)
        report = self.whystall(*options, "-p", ",".join(pids), "-d", f"{ATTACHED_S}s")
        self.finish(process, "the loop")
        return report

    def courses(self):
        courses = [json.loads(path.read_text(encoding="ascii")) for path in sorted(self.folder.glob("*.course"))]
        if len(courses) != self.case.trainers:
            raise Broken(f"{len(courses)} trainers wrote their course, not {self.case.trainers}\n{self.written()}")
        return courses


def undisturbed(*_):
    """The last of the stack's callbacks, which are called in reverse: signals count again."""
    watch_signals()


def watch_signals():
    """SIGTERM as Ctrl-C. The first one counts: what is undone then is not disturbed by a second one."""
    def interrupt(*_):
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)


def python_of(case, python):
    """Raises Missing."""
    if case.python == grid.VENV:
        return python
    if subprocess.run([SYSTEM_PYTHON, "-c", "import torch"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                      check=False).returncode:
        raise surroundings.Missing(f"{SYSTEM_PYTHON} has no PyTorch")
    return SYSTEM_PYTHON
