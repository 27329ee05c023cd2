#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Ways to read a file that is not in the page cache, each by a process of its own.

  readers.py WAY:FILE...

Each is a child that reads all of its file. For each it prints one line of JSON: way, pid, and the
counters of /proc/PID/io, which the kernel keeps until the child is waited for.

  read      read(2)                     preadv    eight buffers per call
  readahead readahead(2), then read     fadvise   POSIX_FADV_WILLNEED, then read
  map       page faults                 madvise   MADV_WILLNEED, then page faults
  populate  MAP_POPULATE                splice    to a pipe
  sendfile  to a pipe                   copy      copy_file_range(2) to /dev/shm or what it falls back to
  direct    O_DIRECT, preadv            exec      the file is a program: the kernel maps and reads it
"""
import ctypes
import json
import mmap
import os
import sys

PAGE = 4096
CHUNK = 65536


def evict(path):
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def read(descriptor, _size):
    while os.read(descriptor, CHUNK):
        pass


def preadv(descriptor, size):
    buffers = [bytearray(CHUNK // 8) for _ in range(8)]
    for offset in range(0, size, CHUNK):
        os.preadv(descriptor, buffers, offset)


def direct(descriptor, size):
    path = f"/proc/self/fd/{descriptor}"
    unbuffered = os.open(path, os.O_RDONLY | os.O_DIRECT)
    buffers = [mmap.mmap(-1, CHUNK // 4, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) for _ in range(4)]
    for offset in range(0, size, CHUNK):
        os.preadv(unbuffered, buffers, offset)


def readahead(descriptor, size):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.readahead.argtypes = [ctypes.c_int, ctypes.c_int64, ctypes.c_size_t]
    for offset in range(0, size, CHUNK):
        assert libc.readahead(descriptor, offset, CHUNK) == 0
    read(descriptor, size)


def fadvise(descriptor, size):
    os.posix_fadvise(descriptor, 0, size, os.POSIX_FADV_WILLNEED)
    read(descriptor, size)


def touch(pages, size):
    return sum(pages[offset] for offset in range(0, size, PAGE))


def map_shared(descriptor, size):
    with mmap.mmap(descriptor, size, mmap.MAP_SHARED, mmap.PROT_READ) as pages:
        touch(pages, size)


def madvise(descriptor, size):
    with mmap.mmap(descriptor, size, mmap.MAP_PRIVATE, mmap.PROT_READ) as pages:
        pages.madvise(mmap.MADV_WILLNEED)
        touch(pages, size)


def populate(descriptor, size):
    flags = mmap.MAP_PRIVATE | mmap.MAP_POPULATE
    mmap.mmap(descriptor, size, flags, mmap.PROT_READ).close()


def splice(descriptor, _size):
    source, sink = os.pipe()
    while os.splice(descriptor, sink, CHUNK):
        os.set_blocking(source, False)
        try:
            while os.read(source, CHUNK):
                pass
        except BlockingIOError:
            pass


def sendfile(descriptor, size):
    source, sink = os.pipe()
    for offset in range(0, size, PAGE):
        os.sendfile(sink, descriptor, offset, PAGE)
        os.read(source, PAGE)


def copy(descriptor, _size):
    target = os.memfd_create("copy")
    try:
        while os.copy_file_range(descriptor, target, CHUNK):
            pass
    except OSError:
        read(descriptor, 0)


def execute(descriptor, _size):
    os.execv(f"/proc/self/fd/{descriptor}", ["program"])


WAYS = {"read": read, "preadv": preadv, "direct": direct, "readahead": readahead, "fadvise": fadvise,
        "map": map_shared, "madvise": madvise, "populate": populate, "splice": splice,
        "sendfile": sendfile, "copy": copy, "exec": execute}


def counters(pid):
    with open(f"/proc/{pid}/io", encoding="ascii") as io:
        return {key: int(value) for key, value in (line.split(": ") for line in io)}


def main():
    ways = [argument.split(":", 1) for argument in sys.argv[1:]]
    for _, path in ways:
        evict(path)
    for way, path in ways:
        pid = os.fork()
        if pid == 0:
            descriptor = os.open(path, os.O_RDONLY)
            WAYS[way](descriptor, os.fstat(descriptor).st_size)
            os._exit(0)
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        print(json.dumps({"way": way, "pid": pid, **counters(pid)}), flush=True)
        os.waitpid(pid, 0)
        if ended.si_status:
            sys.exit(f"{way} failed")


main()
