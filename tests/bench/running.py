# SPDX-License-Identifier: BSD-2-Clause
"""Processes of the bench: each in a session of its own, ended with all that it started."""

import contextlib
import os
import pathlib
import pty
import select
import signal
import subprocess
import sys
import time

PATIENCE_S = 60
END_S = 20
ASK_AGAIN_S = 1


class Failed(Exception):
    """Measuring itself failed: a message for people."""


class Signals:
    """Signals that end the bench. While a process is being started they wait: it must be known before anything is
    put back, so that it is ended too. Once one has come the others are ignored: nothing interrupts putting back."""

    held = False
    pending = None
    caught = ()

    @classmethod
    def catch(cls, *numbers):
        """SIGHUP stays ignored under nohup."""
        cls.caught = [number for number in numbers
                      if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN]
        for number in cls.caught:
            signal.signal(number, cls.arrived)

    @classmethod
    def arrived(cls, number, _=None):
        if cls.held:
            cls.pending = number
        else:
            for caught in cls.caught:
                signal.signal(caught, signal.SIG_IGN)
            sys.exit(128 + number)

    @classmethod
    @contextlib.contextmanager
    def hold(cls):
        outer, cls.held = cls.held, True
        try:
            yield
        finally:
            cls.held = outer
            if cls.pending and not outer:
                number, cls.pending = cls.pending, None
                cls.arrived(number)


def descendants(pid):
    """Also those in sessions of their own, as fio's jobs are."""
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, task.read_text(encoding="ascii").split()):
                found += [child, *descendants(child)]
    return found


def run(*command, **options):
    """The output of a command that ends by itself."""
    try:
        done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, errors="replace", check=False,
                              start_new_session=True, **options)
    except OSError as error:
        raise Failed(f"{command[0]}: {error.strerror}") from error
    if done.returncode:
        raise Failed(f"{' '.join(map(str, command))}: status {done.returncode}: {done.stderr.strip()[-500:]}")
    return done.stdout


class Running:
    """A process whose output is read line by line. `terminal`: one that writes in blocks unless to a terminal.
    `ready`: what it says when it has begun; seconds until then are in `ready_s`."""

    def __init__(self, command, terminal=False, ready=None, **options):
        self.command = [str(word) for word in command]
        self.text = ""
        self.output = None
        try:
            with Signals.hold():
                self.start(terminal, options)
            self.ready_s = self.wait_for(ready) if ready else None
        except BaseException:
            self.stop()
            raise

    def start(self, terminal, options):
        self.output, theirs = pty.openpty() if terminal else os.pipe()
        self.started_s = time.monotonic()
        try:
            self.process = subprocess.Popen(self.command, **{
                "stdin": subprocess.DEVNULL, "stdout": theirs, "stderr": theirs, "start_new_session": True, **options})
        except OSError as error:
            os.close(self.output)
            self.output = None
            raise Failed(f"{self.command[0]}: {error.strerror}") from error
        finally:
            os.close(theirs)
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, error, *_):
        """What it was measured with must have been there to the end."""
        status = self.process.poll()
        self.stop()
        if status is not None and not error:
            raise Failed(f"{self.command[0]} ended by itself, status {status}: {self.said()}")

    def said(self):
        return " ".join(self.text.split())[-300:]

    def read(self, timeout_s):
        """Appends what comes within that time to the text; False at the end."""
        if not select.select([self.output], [], [], timeout_s)[0]:
            return True
        try:
            data = os.read(self.output, 65536)
        except OSError:  # a terminal that nobody holds any more
            data = b""
        self.text += data.decode(errors="replace")
        return bool(data)

    def wait_for(self, word, patience_s=PATIENCE_S):
        """Seconds from its start until it has written the word."""
        deadline = time.monotonic() + patience_s
        while word not in self.text.lower():
            left_s = deadline - time.monotonic()
            if left_s <= 0 or not self.read(left_s):
                raise Failed(f"{self.command[0]} never said {word!r}, but: {self.said()}")
        return time.monotonic() - self.started_s

    def stop(self, how=signal.SIGINT):
        """Ends it as a user would, so that it can report; what is left of its descendants then is killed."""
        if self.output is None:
            return
        with Signals.hold():
            family = self.family() if self.process.poll() is None else []
            self.end(how)
            for pid in family:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            os.close(self.output)
            self.output = None

    def family(self):
        return descendants(self.pid)

    def end(self, how):
        """Asks more than once: biolatency sleeps on where the signal comes just before its sleep."""
        deadline = time.monotonic() + END_S
        ask_s = 0
        while self.process.poll() is None and time.monotonic() < deadline:
            if time.monotonic() > ask_s:
                self.process.send_signal(how)
                ask_s = time.monotonic() + ASK_AGAIN_S
            if not self.read(0.01):
                time.sleep(0.01)
        self.process.kill()
        self.process.wait()


class Gate(Running):
    """A shell that runs a load's command when told to, and stays, so that a tool can be attached to it before and
    read after."""

    SCRIPT = 'echo ready; read go || exit; "$@" >/dev/null; echo "done $?"; read end'

    def __init__(self, load):
        self.patience_s = load.lasts_s + PATIENCE_S
        super().__init__(["sh", "-c", self.SCRIPT, "sh", *load.command], ready="ready\n", stdin=subprocess.PIPE)

    def go(self):
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        self.wait_for("done ", self.patience_s)
        self.wait_for("\n", self.patience_s)
        status = self.text.rpartition("done ")[2].split()[0]
        if status != "0":
            raise Failed(f"{' '.join(self.command[4:])}: status {status}: {self.text.strip()[-500:]}")

    def family(self):
        """fio may be starting its jobs. Who is stopped starts nothing more."""
        found, new = set(), {self.pid}
        while new:
            for pid in new:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
            found |= new
            new = set(descendants(self.pid)) - found
        return found - {self.pid}

    def stop(self, how=signal.SIGKILL):
        super().stop(how)
        self.process.stdin.close()
