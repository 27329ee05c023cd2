# SPDX-License-Identifier: BSD-2-Clause
"""What every test needs: running whystall, reading its report, and the kernel's own figures."""
import collections
import json
import os
import pathlib
import select
import shutil
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
WHYSTALL = os.environ.get("WHYSTALL", str(ROOT / "build" / "whystall"))
WORKLOADS = ROOT / "tests" / "workloads"

# Against hangs only: no test measures speed.
PATIENCE_S = 60

Result = collections.namedtuple("Result", "status stdout stderr")
DiskStats = collections.namedtuple(
    "DiskStats",
    "reads read_merges read_sectors read_ms writes write_merges write_sectors write_ms "
    "in_flight io_ms queue_ms discards discard_merges discard_sectors discard_ms flushes flush_ms")


def workload(name):
    """The command of a workload: a script as it lies there, or a C program that `make` compiled."""
    script = WORKLOADS / name
    if script.suffix == ".py":
        return ["/usr/bin/python3", str(script)]
    program = pathlib.Path(os.environ.get("WHYSTALL_WORKLOADS", ROOT / "build" / "tests")) / name
    assert program.exists(), f"{program} is missing: run make"
    return [str(program)]


def wait_until(condition, what, timeout_s=PATIENCE_S):
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.005)
    raise AssertionError(f"waited {timeout_s} s for {what}")


def unmount(folder):
    """Waits while it is busy: io_uring lets go of its files from a work queue, after its process."""
    wait_until(lambda: subprocess.run(["umount", str(folder)], check=False).returncode == 0,
               f"umount {folder}")


def signal_status(status):
    """A shell's view of a Popen status: 128+N for signal N."""
    return 128 - status if status < 0 else status


def environment(extra=None):
    """Without a sudo of the tests' own caller: tests say themselves who the calling user is."""
    clean = {key: value for key, value in os.environ.items()
             if not key.startswith("SUDO_") and key != "WHYSTALL_WITHOUT"}
    return {**clean, **(extra or {})}


class Child:
    """A workload that talks over stdin and stdout, ended by its PID."""

    def __init__(self, command, **options):
        options.setdefault("env", environment())
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)
        self.pid = self.process.pid
        self.pending = b""

    def line(self):
        """The next line of its output; '' at the end."""
        deadline = time.monotonic() + PATIENCE_S
        while b"\n" not in self.pending:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self.process.stdout], [], [], max(left, 0))
            assert ready, f"{self.process.args}: no line within {PATIENCE_S} s"
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                break
            self.pending += data
        line, _, self.pending = self.pending.partition(b"\n")
        return line.decode()

    def expect(self, word):
        """Waits for the line 'WORD PID' and returns the PID that the workload itself sees."""
        line = self.line()
        assert line.startswith(word + " "), f"{self.process.args}: {line!r} in place of {word!r}"
        return int(line.split()[1])

    def go(self):
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def wait(self):
        status = self.process.wait(PATIENCE_S)
        return signal_status(status)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Tracer:
    """A running whystall."""

    def __init__(self, *args, env=None, stdout=None, **options):
        self.stdout = tempfile.TemporaryFile()
        self.stderr = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [WHYSTALL, *map(os.fspath, args)], stderr=self.stderr,
            stdout=self.stdout if stdout is None else stdout,
            env=environment(env), **{"stdin": subprocess.DEVNULL, **options})

    def written(self, file):
        return os.pread(file.fileno(), 1 << 26, 0)

    def attached(self):
        """Waits for the line that says the programs are attached."""
        def ready():
            text = self.written(self.stderr)
            assert b"tracing" in text or self.process.poll() is None, \
                f"ended with {self.process.returncode} before it was attached: {text.decode()}"
            return b"tracing" in text
        wait_until(ready, "whystall to attach")
        return self

    def finish(self, stop=None):
        """Sends the signal, if one is given, and waits for the end."""
        if stop is not None:
            self.process.send_signal(stop)
        status = self.process.wait(PATIENCE_S)
        return Result(signal_status(status), self.written(self.stdout).decode(),
                      self.written(self.stderr).decode(errors="replace"))

    def report(self, stop=None, status=0):
        result = self.finish(stop)
        assert result.status == status, result
        return Report(result.stdout)

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.stdout.close()
        self.stderr.close()


def run(*args, env=None, **options):
    """One run of whystall to its end."""
    tracer = Tracer(*args, env=env, **options)
    try:
        return tracer.finish()
    finally:
        tracer.close()


class Report:
    """The JSON report, with sums that a test compares with its ground truth."""

    def __init__(self, text):
        self.data = json.loads(text)
        assert self.data["schema"] == "whystall.report/1"
        self.processes = self.data["processes"]
        self.loss = self.data["loss"]

    def rows(self, pid=None, comm=None):
        """Without servers, of which the test itself may be one."""
        return [row for row in self.processes
                if pid in (None, row["pid"]) and comm in (None, row["comm"]) and row.get("role") != "server"]

    def row(self, **selection):
        rows = self.rows(**selection)
        assert len(rows) == 1, (selection, self.processes)
        return rows[0]

    def io(self, pid=None, device=None, op=None, cause=None):
        return [io for row in self.rows(pid) for io in row["io"] or []
                if device in (None, io["device"]) and op in (None, io["op"])
                and cause in (None, io["cause"])]

    def total(self, key, **selection):
        return sum(io[key] for io in self.io(**selection))

    def per_pid(self, key, device, op):
        """Every PID that has such a row, with its figure: {pid: figure}; the rows of nobody are 0."""
        figures = collections.Counter()
        for row in self.processes:
            for io in row["io"] or []:
                if (io["device"], io["op"]) == (device, op):
                    figures[row["pid"]] += io[key]
        return dict(figures)

    def device(self, name):
        devices = [device for device in self.data["devices"] if device["name"] == name]
        assert len(devices) == 1, (name, self.data["devices"])
        return devices[0]

    def nothing_lost(self):
        """Losses that an idle or a busy host must not have; requests in flight at attach are not ours."""
        return all(self.loss[key] == 0
                   for key in ("requests_untracked", "processes_dropped", "keys_folded"))


def diskstats(name):
    with open("/proc/diskstats", encoding="ascii") as file:
        for line in file:
            fields = line.split()
            if fields[2] == name:
                figures = [int(field) for field in fields[3:3 + len(DiskStats._fields)]]
                figures += [0] * (len(DiskStats._fields) - len(figures))
                return DiskStats(*figures)
    raise AssertionError(f"{name} is not in /proc/diskstats")


def diskstats_since(name, before):
    return DiskStats(*(after - old for after, old in zip(diskstats(name), before)))


def disk_of(path):
    """The whole disk under a path: (name, major:minor), or None (overlay, btrfs, tmpfs)."""
    number = os.stat(path).st_dev
    entry = pathlib.Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")
    if not entry.exists():
        return None
    entry = entry.resolve()
    if (entry / "partition").exists():
        entry = entry.parent
    return entry.name, (entry / "dev").read_text().strip()


def udev_settle():
    """Where udev runs it reads a new block device; on an idle device nobody else must read."""
    if shutil.which("udevadm"):
        subprocess.run(["udevadm", "settle", "--timeout=10"], check=False,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def bpf_programs():
    """The identities of all loaded BPF programs, or None without bpftool."""
    bpftool = shutil.which("bpftool", path="/usr/sbin:/usr/bin:/sbin:/bin")
    if not bpftool:
        return None
    shown = subprocess.run([bpftool, "-j", "prog", "show"], stdout=subprocess.PIPE, check=True)
    return {program["id"] for program in json.loads(shown.stdout)}


def no_programs_since(before):
    """The kernel frees programs after a grace period, so that this may take a moment."""
    wait_until(lambda: not bpf_programs() - before, "BPF programs to be freed", 20)


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(child) for child in file.read().split()]
