#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""usage: hungry.py MEBIBYTES

A child writes to each page of so much private memory and then reads them all, twice: more than its control
group allows goes out to swap and comes back. Prints one line of JSON: the child's pid and the counters of
its /proc/PID/io, which the kernel keeps until it is waited for.
"""
import json
import mmap
import os
import sys

PAGE = 4096


def touch(size):
    with mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        memory.madvise(mmap.MADV_NOHUGEPAGE)
        filling = os.urandom(PAGE - 8)
        for offset in range(0, size, PAGE):
            memory[offset:offset + PAGE] = offset.to_bytes(8, "little") + filling
        for _ in range(2):
            for offset in range(0, size, PAGE):
                assert int.from_bytes(memory[offset:offset + 8], "little") == offset


def main():
    pid = os.fork()
    if pid == 0:
        touch(int(sys.argv[1]) << 20)
        os._exit(0)
    ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    with open(f"/proc/{pid}/io", encoding="ascii") as io:
        counters = {key: int(value) for key, value in (line.split(": ") for line in io)}
    print(json.dumps({"pid": pid, **counters}), flush=True)
    sys.exit(ended.si_status)


main()
