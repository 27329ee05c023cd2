# SPDX-License-Identifier: BSD-2-Clause
"""A trainer whose input is made by processes, in every shape that such loaders have."""
import argparse
import collections
import concurrent.futures
import contextlib
import itertools
import multiprocessing
import queue
import random
import threading

import common


def start(target, *args):
    def run():
        common.die_with_parent()
        target(*args)
    process = multiprocessing.Process(target=run, daemon=True)
    process.start()
    return process


def put_all(samples, out):
    for sample in samples:
        out.put(sample)


def shared_queue(options):
    """Whoever has a batch hands it over."""
    out = multiprocessing.Queue(options.prefetch)
    for number in range(options.workers):
        start(put_all, common.Source(options, number, options.workers).endless(), out)
    return common.taken_from(out)


def only(options, **changed):
    """Options as they are, but for these."""
    return argparse.Namespace(**{**vars(options), **changed})


def unlike_sources(options):
    """One worker that reads and one that computes."""
    return [common.Source(only(options, cpu_ms=0)), common.Source(only(options, reads=0))]


def in_order(options):
    """Two unlike workers, batches from one and the other by turns, however long the slower one takes."""
    queues = []
    for source in unlike_sources(options):
        queues.append(multiprocessing.Queue(options.prefetch))
        start(put_all, source.endless(), queues[-1])
    return (out.get() for out in itertools.cycle(queues))


def out_of_order(options):
    """Two unlike workers, and whoever has a batch hands it over."""
    out = multiprocessing.Queue(options.prefetch)
    for source in unlike_sources(options):
        start(put_all, source.endless(), out)
    return common.taken_from(out)


def zipped(options):
    """Two loaders: a step takes a batch of each."""
    loaders = []
    for source in unlike_sources(options):
        out = multiprocessing.Queue(options.prefetch)
        start(put_all, source.endless(), out)
        loaders.append(common.taken_from(out))
    return zip(*loaders)


def locked(options):
    """One worker at a time reads, or reads and computes."""
    lock, out = multiprocessing.Lock(), multiprocessing.Queue(options.prefetch)

    def work(number):
        reading = common.Source(only(options, cpu_ms=0), number, options.workers)
        while True:
            with lock:
                sample = reading.sample()
                if options.lock_cpu:
                    common.spin(options.cpu_ms / 1000)
            if not options.lock_cpu:
                common.spin(options.cpu_ms / 1000)
            out.put(sample)

    for number in range(options.workers):
        start(work, number)
    return common.taken_from(out)


def turns(options):
    """Request and response: a batch is made when the last one has been used."""
    asked, made = multiprocessing.Queue(1), multiprocessing.Queue(1)

    def serve():
        for sample in common.Source(options).endless():
            made.put(sample)
            asked.get()

    start(serve)
    while True:
        yield made.get()
        asked.put(None)


def relay(options):
    """A thread of the trainer's own process stands in between, as the one that pins memory does."""
    batches, out = shared_queue(options), queue.Queue(options.prefetch)
    threading.Thread(target=put_all, args=(batches, out), daemon=True).start()
    return common.taken_from(out)


def bursts(options):
    """Cheap samples, and now and then one that takes as long as many."""
    out = multiprocessing.Queue(options.prefetch)

    def work(number):
        rare = random.Random(number)
        cheap = common.Source(only(options, reads=0, cpu_ms=0.2))
        dear = common.Source(options, number, options.workers)
        while True:
            out.put((dear if rare.random() < options.rare else cheap).sample())

    for number in range(options.workers):
        start(work, number)
    return common.taken_from(out)


SOURCES = {}  # of an executor's process


def executor_sample(options):
    return SOURCES.setdefault(0, common.Source(options)).sample()


def executor(options):
    """A pool of the standard library, with some calls ahead."""
    with concurrent.futures.ProcessPoolExecutor(options.workers, initializer=common.die_with_parent) as pool:
        calls = collections.deque(pool.submit(executor_sample, options) for _ in range(options.prefetch))
        while True:
            batch = calls.popleft().result()
            calls.append(pool.submit(executor_sample, options))
            yield batch


SHAPES = {shape.__name__.replace("_", "-"): shape
          for shape in (shared_queue, in_order, out_of_order, zipped, locked, turns, relay, bursts, executor)}


def with_checkpoints(step, options):
    """The trainer itself writes after each step."""
    def both(batch):
        step(batch)
        common.write_durably(options.checkpoint, bytes(options.checkpoint_kib << 10))
    return both


def with_writer(step, options):
    """A child writes what the trainer hands it, and gives nothing back."""
    handed = multiprocessing.Queue(4)

    def write():
        for data in common.taken_from(handed):
            common.write_durably(options.writer, data)

    start(write)
    count = itertools.count()

    def both(batch):
        step(batch)
        if next(count) % options.writer_every == 0:
            handed.put(bytes(options.checkpoint_kib << 10))
    return both


def run(options):
    step = common.plain_step(options)
    if options.checkpoint:
        step = with_checkpoints(step, options)
    if options.writer:
        step = with_writer(step, options)
    with contextlib.closing(iter_of(SHAPES[options.shape](options))) as batches:
        common.train(batches, step, options.seconds)
        common.leave()


def iter_of(batches):
    """As a generator, whatever it is: something that can be closed."""
    yield from batches


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    common.add_source_options(parser)
    common.add_loop_options(parser)
    parser.add_argument("--shape", choices=SHAPES, default="shared-queue")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--prefetch", type=int, default=4, help="batches ahead")
    parser.add_argument("--lock-cpu", action="store_true", help="the lock is held while computing too")
    parser.add_argument("--rare", type=float, default=0.05, help="share of the dear samples (bursts)")
    parser.add_argument("--checkpoint", help="written by the trainer after each step")
    parser.add_argument("--writer", help="written by a child that the trainer hands data")
    parser.add_argument("--writer-every", type=int, default=50, help="steps")
    parser.add_argument("--checkpoint-kib", type=int, default=1024)
    options = parser.parse_args()
    common.run_loop(run, options)


if __name__ == "__main__":
    main()
