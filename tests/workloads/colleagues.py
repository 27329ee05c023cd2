# SPDX-License-Identifier: BSD-2-Clause
"""usage: colleagues.py COUNT DEVICE

COUNT children, each of which the parent wakes again and again, and which wakes the parent then: two edges for each; and
which reads and writes a block of the device: two keys. Prints "ready PID" when each has done so once; ends with its stdin.
"""
import mmap
import os
import select
import signal
import sys

BLOCK = 4096
PAUSE_S = 0.05


def child(asked, answer, device):
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    block = mmap.mmap(-1, BLOCK)
    while os.read(asked, 1):
        os.preadv(device, [block], 0)
        os.pwritev(device, [block], BLOCK)
        os.write(answer, b".")


def main():
    device = os.open(sys.argv[2], os.O_RDWR | os.O_DIRECT)
    colleagues = []
    for _ in range(int(sys.argv[1])):
        (asked, ask), (answered, answer) = os.pipe(), os.pipe()
        if os.fork() == 0:
            for fds in colleagues + [(ask, answered)]:
                for fd in fds:
                    os.close(fd)
            child(asked, answer, device)
            os._exit(0)
        os.close(asked)
        os.close(answer)
        colleagues.append((ask, answered))
    told = False
    while not select.select([sys.stdin], [], [], PAUSE_S)[0]:
        for ask, answered in colleagues:
            os.write(ask, b".")
            os.read(answered, 1)
        if not told:
            print("ready", os.getpid(), flush=True)
        told = True


main()
