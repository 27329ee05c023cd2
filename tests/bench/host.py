# SPDX-License-Identifier: BSD-2-Clause
"""The machine, and what the bench changes in it: each change is put back when its context ends."""

import contextlib
import ctypes
import fcntl
import os
import pathlib
import platform
import re
import shutil
import tempfile

from running import Failed, Signals, run

MIB = 1 << 20
TRACEFS = pathlib.Path("/sys/kernel/tracing")
LOOP_CTL_REMOVE = 0x4C81
RUN_TIME = 0  # BPF_STATS_RUN_TIME


def cpu_model():
    text = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    model = re.search(r"^(?:model name|Model|CPU part)\s*: (.+)$", text, re.M)
    return model[1].strip() if model else platform.machine()


def hypervisor():
    text = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    return bool(re.search(r"^flags\s*:.*\bhypervisor\b", text, re.M))


def machine():
    release = pathlib.Path("/etc/os-release")
    name = re.search(r'^PRETTY_NAME="?([^"\n]+)', release.read_text(encoding="utf-8"), re.M) if release.exists() else None
    return {"cpu": cpu_model(), "cpus": os.cpu_count(), "virtual": hypervisor(), "kernel": platform.release(),
            "architecture": platform.machine(), "distribution": name[1] if name else None}


@contextlib.contextmanager
def bpf_stats():
    """The kernel takes the time of every BPF program meanwhile, as with kernel.bpf_stats_enabled=1. Asked for by a descriptor
    (BPF_ENABLE_STATS, Linux 5.8), so that there is no setting to put back, nor one that another could."""
    try:
        enabled = ctypes.CDLL("libbpf.so.1", use_errno=True).bpf_enable_stats(RUN_TIME)
    except (OSError, AttributeError) as error:
        raise Failed(f"libbpf: {error}") from error
    if enabled < 0:
        raise Failed(f"the kernel does not take the time of BPF programs: {os.strerror(ctypes.get_errno())}")
    try:
        yield
    finally:
        os.close(enabled)


def put_back(*command):
    with Signals.hold():
        run(*command)


@contextlib.contextmanager
def tracefs():
    """bpftrace needs it, and minimal hosts do not mount it."""
    if (TRACEFS / "events").exists() or not TRACEFS.exists():
        yield
        return
    with contextlib.ExitStack() as stack:
        with Signals.hold(), contextlib.suppress(Failed):
            run("mount", "-t", "tracefs", "tracefs", TRACEFS)
            stack.callback(put_back, "umount", "-l", TRACEFS)
        yield


@contextlib.contextmanager
def memory_folder(mebibytes):
    """A tmpfs of its own."""
    with contextlib.ExitStack() as stack:
        with Signals.hold():
            path = pathlib.Path(tempfile.mkdtemp(prefix="whystall-bench-"))
            stack.callback(path.rmdir)
            run("mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=700", "tmpfs", path)
            stack.callback(put_back, "umount", "-l", path)
        yield path


def loop_numbers():
    return {int(path.name[4:]) for path in pathlib.Path("/sys/block").glob("loop*")}


@contextlib.contextmanager
def loop_devices(folder, count, mebibytes):
    """Up to so many loop devices on files of that folder, fewer where the host has no more."""
    there = loop_numbers()
    devices = []
    images = pathlib.Path(tempfile.mkdtemp(dir=folder))
    try:
        for number in range(count):
            image = images / f"disk-{number}.img"
            with open(image, "wb") as file:
                os.posix_fallocate(file.fileno(), 0, mebibytes * MIB)
            with Signals.hold():
                try:
                    devices.append(run("losetup", "-f", "--show", image).strip())
                except Failed:
                    break
            set_scheduler(devices[-1])
        yield devices
    finally:
        with Signals.hold():
            for device in devices:
                with contextlib.suppress(Failed):
                    run("losetup", "-d", device)
            shutil.rmtree(images)
            remove_loops({int(device[len("/dev/loop"):]) for device in devices} - there)


def remove_loops(numbers):
    """Those that were not there before: the kernel keeps them otherwise."""
    with contextlib.suppress(OSError), open("/dev/loop-control", "rb") as control:
        for number in numbers:
            with contextlib.suppress(OSError):
                fcntl.ioctl(control, LOOP_CTL_REMOVE, number)


def disk_of(device):
    """The name of the whole disk, also of a partition."""
    name = os.path.basename(os.path.realpath(device))
    path = pathlib.Path("/sys/class/block", name).resolve()
    return path.parent.name if (path / "partition").exists() else name


def scheduler_file(device):
    return pathlib.Path("/sys/block") / disk_of(device) / "queue" / "scheduler"


def set_scheduler(device):
    with contextlib.suppress(OSError):
        scheduler_file(device).write_text("none", encoding="ascii")


def scheduler(device):
    try:
        return re.search(r"\[(.+)\]", scheduler_file(device).read_text(encoding="ascii"))[1]
    except (OSError, TypeError):
        return None


def completed(excluding=()):
    """Requests that all whole disks have completed, by /proc/diskstats."""
    total = 0
    with open("/proc/diskstats", encoding="ascii") as file:
        for line in file:
            fields = line.split()
            if fields[2] not in excluding and os.path.exists(f"/sys/block/{fields[2]}"):
                total += sum(int(fields[column]) for column in (3, 7, 14, 18) if column < len(fields))
    return total
