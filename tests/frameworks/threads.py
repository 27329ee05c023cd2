# SPDX-License-Identifier: BSD-2-Clause
"""A trainer whose input is made by threads of its own process, under one interpreter lock."""
import argparse
import collections
import concurrent.futures
import hashlib
import queue
import threading
import time

import common

HASHED = bytes(1 << 20)


def hash_for(seconds):
    """Computes without the interpreter lock, as decoders in C do."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        hashlib.sha256(HASHED)


class ThreadSource(common.Source):
    def sample(self):
        batch = super().sample()
        hash_for(self.options.hash_ms / 1000)
        return batch


def feed(source, out):
    for sample in source.endless():
        out.put(sample)


def shared_queue(options):
    out = queue.Queue(options.prefetch)
    for number in range(options.workers):
        source = ThreadSource(options, number, options.workers)
        threading.Thread(target=feed, args=(source, out), daemon=True).start()
    return common.taken_from(out)


def executor(options):
    """A pool of the standard library, with some calls ahead."""
    local, numbers = threading.local(), iter(range(options.workers))
    pool = concurrent.futures.ThreadPoolExecutor(options.workers)

    def sample():
        if not hasattr(local, "source"):
            local.source = ThreadSource(options, next(numbers), options.workers)
        return local.source.sample()

    calls = collections.deque(pool.submit(sample) for _ in range(options.prefetch))
    while True:
        yield calls.popleft().result()
        calls.append(pool.submit(sample))


def run(options):
    batches = (executor if options.executor else shared_queue)(options)
    common.train(batches, common.plain_step(options), options.seconds)
    common.leave()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    common.add_source_options(parser)
    common.add_loop_options(parser)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--prefetch", type=int, default=4, help="batches ahead")
    parser.add_argument("--hash-ms", type=float, default=0, help="of processor time without the interpreter lock")
    parser.add_argument("--executor", action="store_true", help="a pool")
    options = parser.parse_args()
    common.run_loop(run, options)


if __name__ == "__main__":
    main()
