# SPDX-License-Identifier: BSD-2-Clause
"""Usage: delays.py SECONDS FILE: read blocks of the file directly, then print the kernel's own account of it.

One line of JSON: the nanoseconds that taskstats has for block I/O (needs kernel.task_delayacct, before the
start), and how often.
"""
import json
import mmap
import os
import socket
import struct
import sys
import time

NETLINK_GENERIC, CTRL, GETFAMILY, NAME_ATTRIBUTE, ID_ATTRIBUTE = 16, 16, 3, 2, 1
TASKSTATS_GET, PID_ATTRIBUTE = 1, 1


def attribute(kind, data):
    padded = data + bytes(-len(data) % 4)
    return struct.pack("HH", 4 + len(data), kind) + padded


def attributes(data):
    while len(data) >= 4:
        length, kind = struct.unpack_from("HH", data)
        yield kind & 0x3fff, data[4:length]
        data = data[(length + 3) & ~3:]


def ask(netlink, family, command, *request):
    payload = struct.pack("BBH", command, 1, 0) + b"".join(request)
    netlink.send(struct.pack("IHHII", 16 + len(payload), family, 1, 1, 0) + payload)
    return netlink.recv(65536)[20:]


def block_delay(tid):
    """(count, nanoseconds): struct taskstats, whose layout does not change."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC) as netlink:
        netlink.bind((0, 0))
        family = dict(attributes(ask(netlink, CTRL, GETFAMILY,
                                     attribute(NAME_ATTRIBUTE, b"TASKSTATS\0"))))
        (number,) = struct.unpack("H", family[ID_ATTRIBUTE])
        answer = ask(netlink, number, TASKSTATS_GET, attribute(PID_ATTRIBUTE, struct.pack("I", tid)))
        (_, group), = attributes(answer)
        stats = [data for _, data in attributes(group) if len(data) > 64][0]
    return struct.unpack_from("QQ", stats, 32)


def main():
    seconds, path = float(sys.argv[1]), sys.argv[2]
    count_before, before = block_delay(os.getpid())
    fd, buffer = os.open(path, os.O_RDONLY | os.O_DIRECT), mmap.mmap(-1, 4096)
    size = os.lseek(fd, 0, os.SEEK_END)
    end, at = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        os.preadv(fd, [buffer], at % size)
        at += 65536
    count, delay = block_delay(os.getpid())
    print(json.dumps({"pid": os.getpid(), "count": count - count_before,
                      "delay_ns": delay - before}))


if __name__ == "__main__":
    main()
