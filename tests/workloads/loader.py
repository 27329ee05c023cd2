#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A training loop whose waiting is known: workers read and compute, a trainer takes batches and steps. Prints one line:
its PID, how long the loop took and for how many batches, and how long it waited for these, without what it ran meanwhile.
"""
import argparse
import contextlib
import ctypes
import json
import mmap
import multiprocessing
import os
import queue
import random
import signal
import threading
import time
import urllib.request


def spin(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


LOCK = multiprocessing.Lock()


def read_files(args, number):
    """A batch for each file of a folder, each time in another order; of each worker its own files."""
    paths = sorted(os.path.join(folder, name) for folder, _, names in os.walk(args.folder)
                   for name in names if name.endswith(".jpg"))
    mine = paths[number::max(1, args.workers)]
    page = mmap.mmap(-1, 1 << 20)
    while True:
        random.Random(number).shuffle(mine)
        for path in mine:
            fd = os.open(path, os.O_RDONLY | args.direct * os.O_DIRECT)
            while os.readv(fd, [page]) == len(page):
                pass
            if args.drop:
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)
            spin(args.cpu_ms / 1000)
            yield bytes(args.batch_bytes)


def make_batches(args, number):
    """Endless; in the middle of the file for each worker."""
    if args.folder:
        yield from read_files(args, number)
    fd = os.open(args.file, os.O_RDONLY | args.direct * os.O_DIRECT) if args.file else None
    page = mmap.mmap(-1, 4096)  # aligned, as direct reads want it
    size = os.lseek(fd, 0, os.SEEK_END) if args.file else 0  # of a device too
    at = number * size // max(1, args.workers)
    while True:
        for _ in range(args.reads):
            with LOCK if args.lock else contextlib.nullcontext():
                os.preadv(fd, [page], at % size)
            at += 1 << 20
        if args.url:
            urllib.request.urlopen(args.url, timeout=10).read()
        spin(args.cpu_ms / 1000)
        yield bytes(args.batch_bytes)


def produce(out, args, number):
    if not args.threads:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: gone with the trainer
    for count, batch in enumerate(make_batches(args, number)):
        out.put(batch)
        if args.batches and count + 1 == args.batches:
            break


def replace_workers(out, args):
    """One after the other."""
    while True:
        worker = multiprocessing.Process(target=produce, args=(out, args, 0), daemon=True)
        worker.start()
        worker.join()


class Own:
    """No worker: it makes its batches itself."""

    def __init__(self, args):
        self.batches = make_batches(args, 0)
        multiprocessing.Process(target=time.sleep, args=(1000,), daemon=True).start()

    def get(self):
        return next(self.batches)


class Asked:
    """In turns: a batch is made when the last one has been used."""

    def __init__(self, args):
        self.queue, self.asked = multiprocessing.Queue(1), multiprocessing.Queue(1)
        multiprocessing.Process(target=self.serve, args=(args,), daemon=True).start()

    def serve(self, args):
        batches = make_batches(args, 0)
        while True:
            self.asked.get()
            self.queue.put(next(batches))

    def get(self):
        self.asked.put(None)
        return self.queue.get()


def open_loader(args):
    if args.turns:
        return Asked(args)
    if args.own:
        return Own(args)
    if args.threads:
        out = queue.Queue(args.depth)
        start = threading.Thread
    else:
        out = multiprocessing.Queue(args.depth)
        start = multiprocessing.Process
    if args.batches:
        threading.Thread(target=replace_workers, args=(out, args), daemon=True).start()
        return out
    for number in range(args.workers):
        start(target=produce, args=(out, args, number), daemon=True).start()
    return out


def save(args):
    with open(args.checkpoint, "wb") as file:
        file.write(bytes(1 << 20))
        os.fsync(file.fileno())


def prepare(args):
    """What a real one does before its loop: list the data, read an index."""
    fd = os.open(args.file, os.O_RDONLY) if args.prepare else None
    for number in range(args.prepare):
        os.pread(fd, 4096, (number << 20) % os.fstat(fd).st_size)


def train(args):
    prepare(args)
    loader = open_loader(args)
    loader.get()  # the first one is start-up
    waited, count = 0.0, 0
    start = time.monotonic()
    while time.monotonic() - start < args.seconds:
        begin, ran = time.monotonic(), time.thread_time()
        loader.get()
        count += 1
        waited += time.monotonic() - begin - (time.thread_time() - ran)
        spin(args.step_cpu_ms / 1000)
        if args.step_ms:
            time.sleep(args.step_ms / 1000)
        if args.checkpoint:
            save(args)
    return time.monotonic() - start, waited, count


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", action="store_true", help="workers are threads")
    parser.add_argument("--turns", action="store_true", help="one worker, without prefetch")
    parser.add_argument("--own", action="store_true", help="no workers")
    parser.add_argument("--lock", action="store_true", help="one worker reads at a time")
    parser.add_argument("--batches", type=int, help="of a worker; then another one takes its place")
    parser.add_argument("--file")
    parser.add_argument("--folder", help="of files *.jpg, each read as a whole for a batch")
    parser.add_argument("--drop", action="store_true", help="none of these stays in the page cache")
    parser.add_argument("--prepare", type=int, default=0, help="reads of the file before the loop")
    parser.add_argument("--direct", action="store_true", help="read past the page cache")
    parser.add_argument("--reads", type=int, default=0, help="for each batch, of the file")
    parser.add_argument("--url", help="fetched for each batch")
    parser.add_argument("--cpu-ms", type=float, default=0, help="of a worker for each batch")
    parser.add_argument("--step-ms", type=float, default=0, help="asleep: the accelerator's part")
    parser.add_argument("--step-cpu-ms", type=float, default=0)
    parser.add_argument("--checkpoint", help="written after each step")
    parser.add_argument("--depth", type=int, default=4)
    parser.add_argument("--batch-bytes", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=5)
    args = parser.parse_args()
    loop_s, waited_s, count = train(args)
    print(json.dumps({"pid": os.getpid(), "loop_s": loop_s, "waited_s": waited_s, "batches": count}), flush=True)
    if args.threads or args.batches:
        os._exit(0)


if __name__ == "__main__":
    main()
