# SPDX-License-Identifier: BSD-2-Clause
"""usage: crowd.py COUNT

Holds COUNT idle children, prints "ready PID", and ends them all when a line or the end of stdin comes.
"""
import os
import signal
import sys


def main():
    children = []
    for _ in range(int(sys.argv[1])):
        child = os.fork()
        if child == 0:
            signal.pause()
            os._exit(0)
        children.append(child)
    print("ready", os.getpid(), flush=True)
    sys.stdin.readline()
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


main()
