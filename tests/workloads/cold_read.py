#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Reads files that are not in the page cache and prints what the kernel's own accounting says.

  cold_read.py MODE FILE...

MODE `self`: this process reads all files. MODE `children`: one child per file, each exits before the
next is forked. One line of JSON per reader: pid and read_bytes of its /proc/self/io. The counters of
a forked child begin at zero; the program's own process counts from its fork.
"""
import json
import os
import sys


def evict(path):
    descriptor = os.open(path, os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def read_all(path):
    descriptor = os.open(path, os.O_RDONLY)
    while os.read(descriptor, 1 << 16):
        pass
    os.close(descriptor)


def read_bytes():
    with open("/proc/self/io", encoding="ascii") as io:
        return int(dict(line.split(": ") for line in io)["read_bytes"])


def read_and_tell(paths):
    for path in paths:
        read_all(path)
    print(json.dumps({"pid": os.getpid(), "read_bytes": read_bytes()}), flush=True)


def main():
    mode, paths = sys.argv[1], sys.argv[2:]
    for path in paths:
        evict(path)
    if mode == "self":
        read_and_tell(paths)
        return
    for path in paths:
        pid = os.fork()
        if pid == 0:
            read_and_tell([path])
            os._exit(0)
        os.waitpid(pid, 0)


main()
