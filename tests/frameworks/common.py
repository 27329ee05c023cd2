# SPDX-License-Identifier: BSD-2-Clause
"""What the loops share: data to read, work to do, and the course of the loop, which is the ground truth."""
import contextlib
import ctypes
import json
import mmap
import os
import signal
import threading
import time

DIRECT_BLOCK = 4096
STRIDE = 1 << 20  # between two reads: no readahead helps


def spin(seconds):
    """Runs for so long, however long that takes."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def die_with_parent():
    """For a child process: no worker is left behind, whatever became of its trainer."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def add_source_options(parser):
    parser.add_argument("--file", help="what is read")
    parser.add_argument("--reads", type=int, default=0, help="of the file, for each sample")
    parser.add_argument("--read-kib", type=int, default=4)
    parser.add_argument("--how", choices=["buffered", "mmap", "direct"], default="buffered")
    parser.add_argument("--warm", action="store_true", help="the file is in the page cache and stays there")
    parser.add_argument("--url", help="fetched for each sample")
    parser.add_argument("--cpu-ms", type=float, default=0, help="of processor time for each sample")
    parser.add_argument("--sample-bytes", type=int, default=1000)


def add_loop_options(parser):
    parser.add_argument("--seconds", type=float, default=8, help="that the loop takes")
    parser.add_argument("--step-ms", type=float, default=0, help="asleep: an accelerator's part of a step")
    parser.add_argument("--step-cpu-ms", type=float, default=0, help="of processor time, in Python")
    parser.add_argument("--loop-in-thread", action="store_true", help="the first thread waits for its end")


def run_loop(run, options):
    """The whole of a script: in its first thread, or in another one."""
    if not options.loop_in_thread:
        run(options)
        return
    loop = threading.Thread(target=run, args=(options,))
    loop.start()
    loop.join()


def taken_from(source_queue):
    while True:
        yield source_queue.get()


class Source:
    """Where one producer has its samples from. Opened at its first sample, in the process that reads."""

    def __init__(self, options, number=0, of=1):
        self.options = options
        self.start = number / max(1, of)
        self.fd = self.at = self.size = self.memory = self.buffer = self.session = None

    def open(self):
        flags = os.O_DIRECT if self.options.how == "direct" else 0
        self.fd = os.open(self.options.file, os.O_RDONLY | flags)
        self.size = os.fstat(self.fd).st_size
        # Each producer has a part of its own.
        self.at = int(self.start * self.size) // DIRECT_BLOCK * DIRECT_BLOCK
        if self.options.how == "mmap":
            self.memory = mmap.mmap(self.fd, 0, mmap.MAP_SHARED, mmap.PROT_READ)
            # Without this a page fault brings pages around it, and 64 KiB are 16 faults or one.
            self.memory.madvise(mmap.MADV_RANDOM)
        elif self.options.how == "direct":
            self.buffer = mmap.mmap(-1, self.options.read_kib << 10)

    def read(self):
        if self.fd is None:
            self.open()
        length = self.options.read_kib << 10
        at = self.at if self.at + length <= self.size else 0
        if self.options.how == "mmap":
            self.memory[at:at + length]
            self.memory.madvise(mmap.MADV_DONTNEED, at, length)
        elif self.options.how == "direct":
            os.preadv(self.fd, [self.buffer], at)
        else:
            os.pread(self.fd, length, at)
        if not self.options.warm:
            os.posix_fadvise(self.fd, at, length, os.POSIX_FADV_DONTNEED)
        self.at = at + max(STRIDE, length)
        if self.at + length > self.size:
            self.at = 0

    def fetch(self):
        if self.session is None:
            import requests  # pylint: disable=import-outside-toplevel; some kinds of Python lack it
            self.session = requests.Session()
        # With a limit on the time, as every client has: it waits in poll(2), not in recv(2).
        self.session.get(self.options.url, timeout=30).raise_for_status()

    def sample(self):
        for _ in range(self.options.reads):
            self.read()
        if self.options.url:
            self.fetch()
        spin(self.options.cpu_ms / 1000)
        return bytes(self.options.sample_bytes)

    def endless(self):
        while True:
            yield self.sample()


def run_delay_s():
    """How long the calling thread was ready to run and did not."""
    with open("/proc/thread-self/schedstat", encoding="ascii") as file:
        return int(file.read().split()[1]) / 1e9


class Course:
    """When the trainer asked for input, and how long it ran itself meanwhile."""

    def __init__(self):
        self.calls = []
        self.delay_s = 0.0
        self.folder = os.environ.get("WHYSTALL_COURSES")

    def say(self, name, data):
        if self.folder:
            path = os.path.join(self.folder, f"{os.getpid()}.{name}")
            with open(path + ".new", "w", encoding="ascii") as file:
                json.dump(data, file)
            os.rename(path + ".new", path)

    def begin(self):
        self.delay_s = run_delay_s()
        self.say("begun", time.time())

    def add(self, begin, end, ran):
        self.calls.append((begin, end, ran))

    def next(self, iterator):
        begin, ran = time.time(), time.thread_time()
        batch = next(iterator)
        self.add(begin, time.time(), time.thread_time() - ran)
        return batch

    def end(self, begin):
        self.say("course", {"pid": os.getpid(), "begin": begin, "end": time.time(), "calls": self.calls,
                            "run_delay_s": run_delay_s() - self.delay_s})


def plain_step(options):
    """A step that needs no framework."""
    def step(_):
        spin(options.step_cpu_ms / 1000)
        if options.step_ms:
            time.sleep(options.step_ms / 1000)
    return step


class Enough(Exception):
    """Raised by a step: the loop ends here."""


def train(iterator, step, seconds):
    """The loop. The first batch belongs to the start-up, and so does what the first step sets up."""
    course = Course()
    step(course.next(iterator))
    course.begin()
    begin = time.time()
    with contextlib.suppress(Enough):
        while time.time() - begin < seconds:
            step(course.next(iterator))
    course.end(begin)


def write_durably(path, data):
    """As a checkpoint is written."""
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def leave():
    """At once: threads in endless loops, queues that nobody will read."""
    os._exit(0)


