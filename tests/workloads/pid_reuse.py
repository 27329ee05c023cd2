#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Two processes with the same PID, one after the other, which read 7 and 13 blocks.

  pid_reuse.py FILE

Prints "PID" once both have run, "none" when the PID could not be had again. /proc/sys/kernel/ns_last_pid
names the PID before the next one; it is put back at the end so that PIDs go on where they were.
"""
import mmap
import os
import sys

LAST_PID = "/proc/sys/kernel/ns_last_pid"
BLOCK = 4096


def read_blocks(path, count):
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECT)
    page = mmap.mmap(-1, BLOCK)
    for index in range(count):
        os.preadv(descriptor, [page], index * BLOCK)


def last_pid_set(pid):
    with open(LAST_PID, "w", encoding="ascii") as file:
        file.write(str(pid))


def child(path, count, wanted=None):
    pid = os.fork()
    if pid == 0:
        if wanted in (None, os.getpid()):
            read_blocks(path, count)
            os._exit(0)
        os._exit(1)
    _, status = os.waitpid(pid, 0)
    return pid, status == 0


def main():
    path = sys.argv[1]
    sys.stdin.readline()
    first, _ = child(path, 7)
    again = False
    with open(LAST_PID, encoding="ascii") as file:
        before = int(file.read())
    try:
        for _ in range(200):
            last_pid_set(first - 1)
            _, again = child(path, 13, first)
            if again:
                break
    finally:
        last_pid_set(before)
    print(first if again else "none", flush=True)


main()
