#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A small training job: one trainer, several workers that read real files.

It has the shape of a PyTorch DataLoader job without needing PyTorch. Each worker reads the
samples of its files in a new random order every epoch, "decodes" each one (a spin on the CPU)
and puts batches into a bounded queue; the trainer takes a batch, spins (its own Python) and
sleeps (the accelerator's part of the step). After an epoch the files' pages are dropped from the
cache, as if the dataset were larger than memory: every epoch reads the disk again. In the mode
"storage" it is read directly, which leaves the CPU little to do.
"""

import argparse
import mmap
import multiprocessing
import os
import queue
import random
import signal
import sys
import time
import typing
import zlib

BATCH_SAMPLES = 32
STEP_SPIN_S = 0.0003


class Mode(typing.NamedTuple):
    """What the loop is held up by."""

    sample_bytes: int
    decode_s: float  # of the CPU, for each sample
    step_sleep_s: float
    open_flags: int = 0


MODES = {
    "storage": Mode(128 * 1024, 0, 0.0007, os.O_DIRECT),
    "cpu": Mode(16 * 1024, 0.0005, 0.0007),
    "balanced": Mode(16 * 1024, 0.00001, 0.03),
}


def name_self(name):
    """Show up under this name (15 bytes at most) in ps, top and the report."""
    with open("/proc/self/comm", "w", encoding="ascii") as comm:
        comm.write(name)


def spin(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def disk_read_bytes():
    """What this process made the disks read; None where the kernel does not account it."""
    try:
        with open("/proc/self/io", encoding="ascii") as io:
            return int(dict(line.split(":") for line in io)["read_bytes"])
    except (OSError, KeyError):
        return None


def epoch(shards, shuffle, sample_bytes):
    """Every sample of these files once, in random order."""
    samples = [
        (shard, offset)
        for shard in shards
        for offset in range(0, os.fstat(shard).st_size, sample_bytes)
    ]
    shuffle.shuffle(samples)
    buffer = mmap.mmap(-1, sample_bytes)  # aligned, as direct I/O wants it
    view = memoryview(buffer)
    for shard, offset in samples:
        yield view[: os.preadv(shard, [buffer], offset)]
    for shard in shards:
        os.posix_fadvise(shard, 0, 0, os.POSIX_FADV_DONTNEED)


def decoded(paths, worker, mode):
    """This worker's samples, epoch after epoch, without end."""
    shuffle = random.Random(worker)
    shards = [os.open(path, os.O_RDONLY | mode.open_flags) for path in paths]
    for shard in shards:
        # Random access: reading ahead would only load what is not wanted yet.
        os.posix_fadvise(shard, 0, 0, os.POSIX_FADV_RANDOM)
    while True:
        for sample in epoch(shards, shuffle, mode.sample_bytes):
            spin(mode.decode_s)
            yield zlib.crc32(sample[:4096]), len(sample)


def batches(paths, worker, mode):
    batch = []
    for sample in decoded(paths, worker, mode):
        batch.append(sample)
        if len(batch) == BATCH_SAMPLES:
            yield batch
            batch = []


def put(batch, out, trainer, stop):
    """Wait for room in the queue; False when there is nobody left to wait for."""
    while not stop.is_set() and os.getppid() == trainer:
        try:
            out.put(batch, timeout=1)
            return True
        except queue.Full:
            pass
    return False


def work(paths, worker, mode, out, results, trainer, stop):
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C: the trainer says when to stop
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    name_self(f"demo-worker-{worker}")
    for batch in batches(paths, worker, mode):
        if not put(batch, out, trainer, stop):
            break
    out.cancel_join_thread()  # nobody reads the last batches
    results.put(disk_read_bytes())


def next_batch(out, workers):
    while True:
        try:
            return out.get(timeout=1)
        except queue.Empty:
            for worker in workers:
                if worker.exitcode is not None:
                    raise RuntimeError(f"{worker.name} ended with {worker.exitcode}") from None


def train(out, workers, seconds, step_sleep_s):
    """Take steps until the time is over; returns steps, seconds waited, bytes."""
    steps, waited_s, size = 0, 0.0, 0
    end = time.monotonic() + seconds
    while (start := time.monotonic()) < end:
        batch = next_batch(out, workers)
        waited_s += time.monotonic() - start
        spin(STEP_SPIN_S)
        time.sleep(step_sleep_s)
        steps += 1
        size += sum(length for _, length in batch)
    return steps, waited_s, size


def stop_workers(workers, results, stop):
    """Returns the bytes they read from disk; None where that is not known."""
    stop.set()
    try:
        counts = [results.get(timeout=10) for _ in workers]
    except queue.Empty:
        counts = [None]
    for worker in workers:
        worker.join(timeout=2)
        worker.kill()
        worker.join()
    return None if None in counts else sum(counts)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", help="the dataset: every file in it is a shard")
    parser.add_argument("--mode", choices=MODES, default="storage")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=15)
    args = parser.parse_args()
    if args.workers < 1 or args.seconds <= 0:
        parser.error("--workers and --seconds must be positive")
    return args


def main():
    args = arguments()
    mode = MODES[args.mode]
    shards = sorted(entry.path for entry in os.scandir(args.directory) if entry.is_file())
    if len(shards) < args.workers:
        sys.exit(f"demo_loader: {args.directory}: fewer files than workers")

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    name_self("demo-trainer")
    fork = multiprocessing.get_context("fork")
    out, results, stop = fork.Queue(2 * args.workers), fork.Queue(), fork.Event()
    workers = [
        fork.Process(
            name=f"worker {i}",
            target=work,
            args=(shards[i :: args.workers], i, mode, out, results, os.getpid(), stop),
            daemon=True,
        )
        for i in range(args.workers)
    ]
    for worker in workers:
        worker.start()
    start = time.monotonic()
    steps, waited_s, size = train(out, workers, args.seconds, mode.step_sleep_s)
    wall_s = time.monotonic() - start
    disk = stop_workers(workers, results, stop)
    if any(worker.exitcode for worker in workers):
        sys.exit("demo_loader: a worker failed")
    # On stderr: stdout belongs to whystall's report.
    print(
        f"demo_loader: {steps} steps in {wall_s:.1f} s, {size / wall_s / 1e6:.0f} MB/s; "
        f"its own timer says it waited {100 * waited_s / wall_s:.0f} % of that for batches; "
        + ("disk reads unknown" if disk is None else f"{disk / 1e6:.0f} MB came from disk"),
        file=sys.stderr,
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
    except (OSError, RuntimeError) as error:
        sys.exit(f"demo_loader: {error}")
