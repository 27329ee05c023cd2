# SPDX-License-Identifier: BSD-2-Clause
"""usage: alternate.py DEVICE

Two processes read alternate blocks of a slow device, each block in a thread of its own, so that many
requests wait and the scheduler puts neighbours together. The child begins where the parent's requests
still wait. Prints "PID BLOCKS" of each.
"""
import mmap
import os
import sys
import threading

BLOCK = 4096
OWN = 211
NEIGHBOURS = 67


def read_blocks(device, blocks):
    fd = os.open(device, os.O_RDONLY | os.O_DIRECT)

    def read(block):
        assert os.preadv(fd, [mmap.mmap(-1, BLOCK)], block * BLOCK) == BLOCK

    threads = [threading.Thread(target=read, args=(block,)) for block in blocks]
    for thread in threads:
        thread.start()
    return threads


def main():
    device = sys.argv[1]
    begin, end = os.pipe()
    child = os.fork()
    if child == 0:
        os.read(begin, 1)
        threads = read_blocks(device, [2 * i + 1 for i in range(OWN - 1, OWN - 1 - NEIGHBOURS, -1)])
    else:
        threads = read_blocks(device, [2 * i for i in range(OWN)])
        os.write(end, b"g")
    for thread in threads:
        thread.join()
    if child == 0:
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    print(f"{os.getpid()} {OWN}\n{child} {NEIGHBOURS}", flush=True)


main()
