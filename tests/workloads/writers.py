#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Ways to write to files through the page cache, each by a process of its own.

  writers.py [-w] FOLDER STEP...

A step is WAY:FILE:BYTES; each is a child that ends before the next one begins, and prints one line of
JSON: its step, pid, and the counters of its own /proc/self/io. Nothing is written back but by the ways
that say so.

  write       from the beginning of the file; it keeps what it had beyond
  extend      behind its end          append      the same in pieces of 1000 bytes
  map         through a shared mapping, page by page
  rewrite     write twice as much, truncate to nothing, write
  checkpoint  write FILE.new, fsync, rename to FILE
  direct      O_DIRECT, from private memory
  many        files FILE/0, FILE/1, ... of 4, 8, 12 and 16 KiB, BYTES in total
  create      BYTES empty files in folders FILE/0 to FILE/9, and every other one removed again
  fsync       the file as others left it; BYTES is 0
  sync        the file system of FOLDER; FILE and BYTES are "" and 0

-w: print "ready PID" and wait for a line before the first step, print "done PID" and wait after the last.
"""
import ctypes
import json
import mmap
import os
import sys

PAGE = 4096
DATA = os.urandom(1 << 20)


def write_all(descriptor, count):
    while count:
        count -= os.write(descriptor, DATA[:count])


def write(path, count, flags=0):
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | flags, 0o644)
    write_all(descriptor, count)
    os.close(descriptor)


def extend(path, count):
    write(path, count, os.O_APPEND)


def append(path, count):
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for begin in range(0, count, 1000):
        write_all(descriptor, min(1000, count - begin))
    os.close(descriptor)


def map_shared(path, count):
    with open(path, "w+b") as file:
        file.truncate(count)
        with mmap.mmap(file.fileno(), count, mmap.MAP_SHARED) as pages:
            for begin in range(0, count, PAGE):
                pages[begin:begin + PAGE] = DATA[:PAGE]


def rewrite(path, count):
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    write_all(descriptor, 2 * count)
    os.ftruncate(descriptor, 0)
    os.lseek(descriptor, 0, os.SEEK_SET)
    write_all(descriptor, count)
    os.close(descriptor)


def fsync(path, _count=0):
    descriptor = os.open(path, os.O_WRONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def checkpoint(path, count):
    write(path + ".new", count)
    fsync(path + ".new")
    os.rename(path + ".new", path)


def direct(path, count):
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_DIRECT, 0o644)
    with mmap.mmap(-1, len(DATA), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        memory[:] = DATA
        for _ in range(count // len(DATA)):
            assert os.write(descriptor, memory) == len(DATA)
    os.close(descriptor)


def many(path, count):
    os.mkdir(path)
    index = 0
    while count:
        size = min(PAGE * (1 + index % 4), count)
        write(f"{path}/{index}", size)
        count -= size
        index += 1


def create(path, count):
    for folder in range(10):
        os.makedirs(f"{path}/{folder}")
    names = [f"{path}/{index % 10}/{index}" for index in range(count)]
    for name in names:
        write(name, 0)
    for name in names[::2]:
        os.unlink(name)
    fsync(names[1])


def sync(path, _count=0):
    descriptor = os.open(os.path.dirname(path), os.O_RDONLY)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syncfs(descriptor):
        raise OSError(ctypes.get_errno(), "syncfs")
    os.close(descriptor)


WAYS = {"write": write, "extend": extend, "append": append, "map": map_shared, "rewrite": rewrite,
        "checkpoint": checkpoint, "direct": direct, "many": many, "create": create, "fsync": fsync,
        "sync": sync}


def tell(step):
    with open("/proc/self/io", encoding="ascii") as io:
        counters = {key: int(value) for key, value in (line.split(": ") for line in io)}
    line = json.dumps({"step": step, "pid": os.getpid(), **counters})
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


def pause(word):
    os.write(sys.stdout.fileno(), f"{word} {os.getpid()}\n".encode())
    sys.stdin.readline()


def main():
    wait = sys.argv[1] == "-w"
    folder, *steps = sys.argv[2 if wait else 1:]
    if wait:
        pause("ready")
    for step in steps:
        way, name, count = step.split(":")
        pid = os.fork()
        if pid == 0:
            WAYS[way](f"{folder}/{name}", int(count))
            tell(step)
            os._exit(0)
        if os.waitpid(pid, 0)[1]:
            sys.exit(f"{step} failed")
    if wait:
        pause("done")


main()
