#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A parent with one worker, which is killed in mid-run and started again, as loaders do.

  respawn.py BLOCKREAD FILE

The first worker reads 11 blocks and is killed while it waits for more work; the second reads 17 and
ends by itself. Prints the two PIDs.
"""
import signal
import subprocess
import sys


def worker(program, path, blocks, *options):
    return subprocess.Popen(
        [program, "-n", str(blocks), *options, path],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def main():
    program, path = sys.argv[1:]
    first = worker(program, path, 11, "-h")
    first.stdout.readline()
    first.send_signal(signal.SIGKILL)
    first.wait()
    second = worker(program, path, 17)
    second.wait()
    print(first.pid, second.pid, flush=True)


main()
