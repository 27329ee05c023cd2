# SPDX-License-Identifier: BSD-2-Clause
"""whystall, its peers and the empty programs: how each is started, and how it is known to be attached."""

import collections
import os
import pathlib
import re
import shutil

from running import Failed, Running, run

ROOT = pathlib.Path(__file__).resolve().parents[2]
BENCH = ROOT / "build" / "bench"
WHYSTALL = os.environ.get("WHYSTALL", str(ROOT / "build" / "whystall"))
SBIN = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"

# Q, D and C, and what a context switch passes.
Q_TRACEPOINTS = ("block_io_start", "block_getrq")
SCHED_TRACEPOINTS = ("sched_switch", "sched_waking", "sched_wakeup")

# The key as biolatency had it before requests had addresses there: there is nothing better in a tracepoint's arguments.
ONE_LINER = """
BEGIN { printf("tracing\\n"); }
tracepoint:block:block_rq_issue { @start[args->dev, args->sector] = nsecs; }
tracepoint:block:block_rq_complete /@start[args->dev, args->sector]/ {
	@us = hist((nsecs - @start[args->dev, args->sector]) / 1000);
	delete(@start[args->dev, args->sector]);
}
END { clear(@start); }
"""

# command: a function of the PID of the job; terminal: it writes in blocks unless to one; version: what the report
# names; why_absent: None if it is there
Tool = collections.namedtuple("Tool", "name command is_peer terminal version why_absent")


def has_tracepoint(name):
    return b"btf_trace_" + name.encode() + b"\0" in pathlib.Path("/sys/kernel/btf/vmlinux").read_bytes()


def request_tracepoints():
    q = next((name for name in Q_TRACEPOINTS if has_tracepoint(name)), None)
    return [name for name in (q, "block_rq_issue", "block_rq_complete") if name]


def empty(name, tracepoints):
    command = [BENCH / "empty", BENCH / "empty.bpf.o", *tracepoints]
    return Tool(name, lambda job: command, False, False, None, None)


def whystall(name, *options, job=False):
    def command(pid):
        return [WHYSTALL, *options, *(["-p", str(pid)] if job else []), "-o", "/dev/null"]
    return Tool(name, command, False, False, whystall_version(), None)


def whystall_version():
    version = run(WHYSTALL, "--version").strip()
    try:
        commit = run("git", "-C", ROOT, "describe", "--always", "--dirty", "--abbrev=10").strip()
    except Failed:
        commit = "of no commit"
    return f"{version} ({commit})"


def package_version(package, *fallback):
    for command in (["dpkg-query", "-W", "-f", "${Version}", package], ["rpm", "-q", package], [*fallback]):
        try:
            if command:
                return run(*command).strip() or None
        except Failed:
            continue
    return None


def is_elf(path):
    """BCC has a Python script of the same name, and bpftrace one of its own: neither is meant."""
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def biolatency(name, *options):
    for candidate in ("biolatency", "bpf-biolatency", "libbpf-biolatency"):
        path = shutil.which(candidate, path=SBIN)
        if path and is_elf(path):
            version = package_version("libbpf-tools", path, "--version")
            return Tool(name, lambda job: [path, *options], True, True, f"libbpf-tools {version or 'of no package'}", None)
    return Tool(name, None, True, True, None, "libbpf-tools' biolatency is not installed")


def bpftrace(name):
    path = shutil.which("bpftrace", path=SBIN)
    if not path:
        return Tool(name, None, True, True, None, "bpftrace is not installed")
    try:
        version = re.sub(r"^bpftrace ", "", run(path, "--version").strip())
    except Failed as error:
        return Tool(name, None, True, True, None, f"does not start here: {error}")
    return Tool(name, lambda job: [path, "-e", ONE_LINER], True, True, f"bpftrace {version}", None)


def attach(tool, job=None):
    """The running tool, when its programs are attached."""
    return Running(tool.command(job), tool.terminal, ready="tracing")


def tried(tools):
    """Those that start here, and {name: why} of the others. Only a peer may be absent."""
    there, absent = [], {}
    for tool in tools:
        why = tool.why_absent
        if not why and tool.is_peer:
            try:
                with attach(tool, os.getpid()):
                    pass
            except Failed as error:
                why = f"does not start here: {error}"
        if why:
            absent[tool.name] = why
        else:
            there.append(tool)
    return there, absent
