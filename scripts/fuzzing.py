# SPDX-License-Identifier: BSD-2-Clause
"""libFuzzer's targets, run for a bounded time. Used by scripts/fuzz and scripts/check."""

import concurrent.futures
import fnmatch
import glob
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FUZZ = os.path.join(ROOT, "build", "fuzz")
sys.path.insert(0, os.path.join(ROOT, "tests", "fixtures"))
from tree import Tree

from results import Result

MOST_BYTES = 8192
MANY = 70  # more devices than there is room for
GRACE_S = 60  # for its start, and its end, on a busy host

# Which of the fixtures' files are to a target's taste; of links the target counts as text.
FIXTURES = {
    "fuzz_stat": "proc/[0-9]*/stat",
    "fuzz_io": "proc/[0-9]*/io",
    "fuzz_schedstat": "proc/[0-9]*/schedstat",
    "fuzz_status": "proc/[0-9]*/status",
    "fuzz_syscall": "proc/[0-9]*/syscall",
    "fuzz_wchan": "proc/[0-9]*/wchan",
    "fuzz_pressure": "*pressure*",
    "fuzz_fd_link": "proc/[0-9]*/fd/*",
    "fuzz_net_unix": "proc/*/unix",
    "fuzz_diskstats": "proc/diskstats",
    "fuzz_io_stat": "*/io.stat",
    "fuzz_blkio": "*/blkio.throttle.*",
    "fuzz_cpu_stat": "*/cpu.stat",
    "fuzz_mountinfo": "proc/*/mountinfo",
    "fuzz_text": "proc/[0-9]*/comm",
}
# For what is in none.
TEXTS = {
    "fuzz_diskstats": [b"   8       0 sda 10 1 200 5 20 2 400 6 0 77 80\n"],
    "fuzz_blkio": [b"".join(b"8:%d Read 4096\n8:%d Write 1\n" % (minor, minor) for minor in range(MANY))],
    "fuzz_cpus": [b"0-3,8", b"0", b"0-1023", b"3-1"],
    "fuzz_fd_link": [b"/dev/nvidia0", b"anon_inode:inotify"],
    "fuzz_glob": [b"python*", b"[a-z]?[!0-9]*", b"a\\*b"],
    "fuzz_io_stat": [b"7:1 7:0 8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6 cost.usage=7\n",
                     b"".join(b"8:%d rbytes=1 wbytes=2 rios=3 wios=4\n" % minor for minor in range(MANY))],
    "fuzz_maps": [b"7f43f0000000-7f43f0100000 r-xp 00000000 fe:00 1234                       /usr/lib/libc.so.6",
                  b"7f43f0000000-7f43f0100000 r-xp 00001000 fe:00 1234   /tmp/a b.so (deleted)"],
    "fuzz_mountinfo": [b"36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 - ext3 /dev/root rw,errors=continue"],
    "fuzz_syscall": [b"running\n", b"-1 0x7ffe 0x7fd5\n"],
    "fuzz_text": [b"\xc3\xa9\xe2\x80\xae\x1b[31m\\x00"],
    "fuzz_units": [b"500ms", b"1.5s", b"2m", b"17"],
}


def seeds():
    """By target."""
    found = {name: set(texts) for name, texts in TEXTS.items()}
    for path in sorted(glob.glob(os.path.join(ROOT, "tests", "fixtures", "proc", "*", "*.tree"))):
        tree = Tree.read(path)
        texts = {**tree.files, **{name: target.encode() for name, target in tree.links.items()}}
        for name, pattern in FIXTURES.items():
            found.setdefault(name, set()).update(texts[file] for file in fnmatch.filter(texts, pattern))
    # The parser's is a line.
    found["fuzz_diskstats"] = {line for text in found["fuzz_diskstats"] for line in text.splitlines(True)}
    return found


def fuzz_target(program, texts, seconds):
    name = os.path.basename(program)
    with tempfile.TemporaryDirectory(prefix="whystall-fuzz-") as corpus:
        for index, text in enumerate(sorted(texts)):
            with open(os.path.join(corpus, str(index)), "wb") as file:
                file.write(text)
        try:
            done = subprocess.run(
                [program, f"-max_total_time={seconds}", f"-max_len={MOST_BYTES}", "-timeout=10", "-print_final_stats=1",
                 f"-artifact_prefix={FUZZ}/{name}-", corpus],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                timeout=seconds + GRACE_S, check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return Result(name, "failed", str(error)), 0
    output = done.stdout.decode(errors="replace")
    runs = re.search(r"stat::number_of_executed_units: *([0-9]+)", output)
    if done.returncode or not runs:
        return Result(name, "failed", f"status {done.returncode}\n{output}"), 0
    return Result(name, "passed", ""), int(runs.group(1))


def fuzz(seconds):
    programs = sorted(path for path in glob.glob(os.path.join(FUZZ, "fuzz_*"))
                      if "." not in os.path.basename(path) and "-" not in os.path.basename(path))
    print(f"fuzz: {len(programs)} targets in build/fuzz, {seconds} s each", flush=True)
    if not programs:
        return [Result("fuzz", "skipped", "no target is built: clang lacks its fuzzing runtime (scripts/setup fuzz)")]
    texts = seeds()
    # Two to a processor: what bounds them is time.
    with concurrent.futures.ThreadPoolExecutor(2 * len(os.sched_getaffinity(0))) as pool:
        done = list(pool.map(lambda path: fuzz_target(path, texts[os.path.basename(path)], seconds), programs))
    for result, runs in done:
        print(f"  {result.name}: {result.outcome}, {runs} inputs", flush=True)
    return [result for result, _ in done]
