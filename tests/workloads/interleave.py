#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""usage: interleave.py DEVICE

Two processes write alternate blocks of a device that does not answer yet. FILLERS writes fill the device's
own queue; then each process has a thread per block, so that all blocks wait in the scheduler at once.
The first writes even blocks upwards, the second odd ones downwards: a block joins what waits behind
it, before it, or both.

Prints "waiting PID" when every thread of both sleeps in its request, then waits for a line, to which
"PID BLOCKS" of each is the answer.
"""
import mmap
import os
import sys
import threading
import time

BLOCK = 4096
FILLERS = 160
OWN = 61
NEIGHBOURS = 53


def write_blocks(device, blocks):
    """Begins the writes and waits until each of them sleeps."""
    descriptor = os.open(device, os.O_WRONLY | os.O_DIRECT)

    def write(block):
        memory = mmap.mmap(-1, BLOCK, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        memory[:] = bytes([block % 251]) * BLOCK
        assert os.pwrite(descriptor, memory, block * BLOCK) == BLOCK

    threads = [threading.Thread(target=write, args=(block,)) for block in blocks]
    for thread in threads:
        thread.start()
        while not sleeps(thread.native_id):
            time.sleep(0.001)
    return threads


def sleeps(tid):
    with open(f"/proc/self/task/{tid}/stat", encoding="ascii") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "D"


def main():
    device = sys.argv[1]
    threads = write_blocks(device, [1000 + 3 * i for i in range(FILLERS)])
    threads += write_blocks(device, [2 * i for i in range(OWN)])
    done, told = os.pipe()
    child = os.fork()
    if child == 0:
        mine = write_blocks(device, [2 * i + 1 for i in reversed(range(NEIGHBOURS))])
        os.write(told, b"w")
        for thread in mine:
            thread.join()
        os._exit(0)
    assert os.read(done, 1) == b"w"
    print(f"waiting {os.getpid()}", flush=True)
    sys.stdin.readline()
    for thread in threads:
        thread.join()
    assert os.waitpid(child, 0)[1] == 0
    print(f"{os.getpid()} {FILLERS + OWN}\n{child} {NEIGHBOURS}", flush=True)


main()
