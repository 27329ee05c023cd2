# SPDX-License-Identifier: BSD-2-Clause
"""Jobs that hang when a test makes them, or on their own.

usage: stuck.py ordered      two workers, a queue each, served in turns
       stuck.py polling      the same, where all wait with timeouts, and threads of all look around now and then
       stuck.py pool         a pool whose worker dies over one of its tasks; the pool starts another one, without the task
       stuck.py locks        two threads, each with one lock and waiting for the other's
       stuck.py read FILE    a worker reads FILE, over and over
       stuck.py sleepy S     a worker sleeps S seconds for each item, and does nothing else
       stuck.py compute S    a worker computes S seconds at a time, without Python's lock

Each writes "ready PID", then "worker PID" for each of its workers, and works once it has read a line.
"""
import hashlib
import multiprocessing
import os
import queue as queues_of_threads
import signal
import sys
import threading
import time


def say(word, pid):
    print(word, pid, flush=True)


def produce(queue):
    while True:
        sum(range(20000))
        queue.put(bytes(1000))


def look_around():
    while True:
        time.sleep(0.25)


def take(queue, poll):
    while poll:
        try:
            return queue.get(timeout=0.3)
        except queues_of_threads.Empty:
            pass
    return queue.get()


def produce_on_demand(queue, wanted):
    threading.Thread(target=look_around, daemon=True).start()
    while True:
        take(wanted, True)
        sum(range(20000))
        queue.put(bytes(1000))


def read(queue, path):
    with open(path, "rb", buffering=0) as file:
        while True:
            file.seek(0)
            queue.put(len(file.read(4096)))


def sleepy(queue, seconds):
    while True:
        time.sleep(float(seconds))
        queue.put(1)


def compute(queue, seconds):
    while True:
        end = time.monotonic() + float(seconds)
        while time.monotonic() < end:
            hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 1000000)
        queue.put(1)


def train(workers, poll=False):
    wanted = [args[0] for _, *args in workers if poll]
    queues = [multiprocessing.Queue(2) for _ in workers]
    started = [multiprocessing.Process(target=work, args=(queue, *args), daemon=True)
               for queue, (work, *args) in zip(queues, workers)]
    say("ready", os.getpid())
    sys.stdin.readline()
    for worker in started:
        worker.start()
        say("worker", worker.pid)
    if poll:
        threading.Thread(target=look_around, daemon=True).start()
    while True:
        for ask in wanted:
            ask.put(1)
        for queue in queues:
            take(queue, poll)


def hold_one(first, second, barrier):
    with first:
        barrier.wait()
        with second:
            pass


def die_once(number):
    if number == 300:
        os.kill(os.getpid(), signal.SIGKILL)
    return sum(range(200000)) + number


def train_by_pool():
    say("ready", os.getpid())
    sys.stdin.readline()
    with multiprocessing.Pool(2) as pool:
        for _ in pool.imap(die_once, range(310), chunksize=1):
            pass


def lock():
    one, two, barrier = threading.Lock(), threading.Lock(), threading.Barrier(2)
    threads = [threading.Thread(target=hold_one, args=(*locks, barrier))
               for locks in ((one, two), (two, one))]
    say("ready", os.getpid())
    sys.stdin.readline()
    for thread in threads:
        thread.start()
    for thread in threads:
        say("thread", thread.native_id)
    for thread in threads:
        thread.join()


def main():
    kind, *args = sys.argv[1:]
    multiprocessing.set_start_method("fork")
    if kind == "locks":
        lock()
    elif kind == "ordered":
        train([(produce,), (produce,)])
    elif kind == "pool":
        train_by_pool()
    elif kind == "polling":
        train([(produce_on_demand, multiprocessing.Queue()) for _ in range(2)], poll=True)
    else:
        train([({"read": read, "sleepy": sleepy, "compute": compute}[kind], *args)])


main()
