# SPDX-License-Identifier: BSD-2-Clause
"""Processes of the bench: each in a session of its own, ended with all that it started."""

import contextlib
import os
import pty
import select
import signal
import subprocess
import time

PATIENCE_S = 60


class Failed(Exception):
    """Measuring itself failed: a message for people."""


def run(*command, **options):
    """The output of a command that ends by itself."""
    try:
        done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, errors="replace", check=False, **options)
    except OSError as error:
        raise Failed(f"{command[0]}: {error.strerror}") from error
    if done.returncode:
        raise Failed(f"{' '.join(map(str, command))}: status {done.returncode}: {done.stderr.strip()[-500:]}")
    return done.stdout


class Running:
    """A process whose output is read line by line. `terminal`: one that writes in blocks unless to a terminal."""

    def __init__(self, command, terminal=False, **options):
        self.command = [str(word) for word in command]
        self.text = ""
        self.started_s = time.monotonic()
        if terminal:
            self.output, theirs = pty.openpty()
        else:
            self.output, theirs = os.pipe()
        try:
            self.process = subprocess.Popen(self.command, **{
                "stdin": subprocess.DEVNULL, "stdout": theirs, "stderr": theirs, "start_new_session": True, **options})
        except OSError as error:
            os.close(self.output)
            raise Failed(f"{command[0]}: {error.strerror}") from error
        finally:
            os.close(theirs)
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

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
                said = " ".join(self.text.split())[-300:]
                raise Failed(f"{self.command[0]} never said {word!r}, but: {said}")
        return time.monotonic() - self.started_s

    def stop(self, how=signal.SIGINT):
        """Ends it as a user would, so that it can report; what does not end is killed, with its descendants."""
        if self.output is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(how)
            deadline = time.monotonic() + 20
            while self.process.poll() is None and time.monotonic() < deadline:
                if not self.read(0.02):
                    time.sleep(0.02)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.output)
        self.output = None


class Gate(Running):
    """A shell that runs a command when told to, and stays, so that a tool can be attached to it before and
    read after."""

    SCRIPT = 'echo ready; read go; "$@" >/dev/null; echo "done $?"; read end'

    def __init__(self, command):
        super().__init__(["sh", "-c", self.SCRIPT, "sh", *command], stdin=subprocess.PIPE)
        self.wait_for("ready\n")

    def go(self, patience_s=PATIENCE_S):
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        self.wait_for("done ", patience_s)
        self.wait_for("\n", patience_s)
        status = self.text.rpartition("done ")[2].split()[0]
        if status != "0":
            raise Failed(f"{' '.join(self.command[4:])}: status {status}: {self.text.strip()[-500:]}")

    def stop(self, how=signal.SIGKILL):
        self.process.stdin.close()
        super().stop(how)
