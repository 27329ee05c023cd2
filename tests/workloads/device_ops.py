#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""usage: device_ops.py DEVICE

One process sends a block device each kind of request once or more, all of known size, and prints its PID
and what it asked for as one line of JSON: bytes per kind, and the number of flushes asked for.

The areas do not overlap: writes from 0, O_DSYNC writes from 4 MiB, discards from 8 MiB, zeroes from 12.
"""
import ctypes
import fcntl
import json
import mmap
import os
import struct
import sys

MIB = 1 << 20
BLOCK = 16384
BLKDISCARD = 0x1277
BLKZEROOUT = 0x127F
FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE = 1, 2


def page():
    memory = mmap.mmap(-1, BLOCK, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory[:] = os.urandom(BLOCK)
    return memory


def writes(path, offset, count, flags):
    descriptor = os.open(path, os.O_WRONLY | os.O_DIRECT | flags)
    memory = page()
    for index in range(count):
        assert os.pwrite(descriptor, memory, offset + index * BLOCK) == BLOCK
    os.close(descriptor)
    return count * BLOCK


def ask(descriptor, request, offset, size):
    fcntl.ioctl(descriptor, request, struct.pack("QQ", offset, size))
    return size


def punch(descriptor, offset, size):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    if libc.fallocate(descriptor, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, offset, size):
        raise OSError(ctypes.get_errno(), "fallocate")
    return size


def main():
    path = sys.argv[1]
    written = writes(path, 0, 11, 0) + writes(path, 4 * MIB, 13, os.O_DSYNC)
    descriptor = os.open(path, os.O_RDWR)
    for _ in range(7):
        os.fsync(descriptor)
    discarded = sum(ask(descriptor, BLKDISCARD, 8 * MIB + index * MIB // 2, MIB // 4)
                    for index in range(5))
    zeroed = punch(descriptor, 14 * MIB, MIB // 4)
    zeroed += sum(ask(descriptor, BLKZEROOUT, 12 * MIB + index * MIB // 2, MIB // 8)
                  for index in range(3))
    os.close(descriptor)
    print(json.dumps({"pid": os.getpid(), "write": written + zeroed, "discard": discarded,
                      "flushes": 7}), flush=True)


main()
