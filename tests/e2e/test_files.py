# SPDX-License-Identifier: BSD-2-Clause
"""Bytes by file: the right path to the right inode, also when the file is long closed.

A path is right when it leads to the very file (device and inode number) that was read. Tools that look
at /proc/PID/fd when they print have lost a file that was closed a moment after it was opened.
"""
import json
import os
import pathlib
import subprocess
import tempfile

import pytest

import helpers
from conftest import MIB, filled_file

KIB = 1024


def files_of(report):
    """{path: bytes} over all processes."""
    found = {}
    for row in report.processes:
        for file in row["files"]:
            if file["bytes"]:  # others were only waited for
                found[file["path"]] = found.get(file["path"], 0) + file["bytes"]
    return found


def same_file(path, other):
    return os.path.samestat(os.stat(path), os.stat(other))


@pytest.fixture
def mount(cleanup):
    """Mounts at a new folder, and unmounts it."""
    def do(*arguments):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="whystall-test-"))
        cleanup.callback(folder.rmdir)
        subprocess.run(["mount", *map(str, arguments), str(folder)], check=True)
        cleanup.callback(helpers.unmount, folder)
        return folder
    return do


def read_cold(whystall, disk, *paths, prefix=()):
    return whystall.report("-D", disk.name, "--", *prefix, *helpers.workload("cold_read.py"), "self",
                           *map(str, paths))


def test_5000_files_read_once(whystall, mounted_loop):
    """Opened, read and closed at once; ten of them are larger, and those are shown, beside what it waited
    for most."""
    folder = mounted_loop.folder / "train"
    folder.mkdir()
    largest = {}
    for index in range(5000):
        path = folder / f"sample-{index:05}"
        size = 4 * KIB
        if index % 500 == 77:
            size = (8 + index // 500) * 4 * KIB
            largest[str(path)] = size
        path.write_bytes(os.urandom(size))
    subprocess.run(["sync", "-f", str(folder)], check=True)
    script = ("import os, sys\n"
              "for name in sorted(os.listdir(sys.argv[1])):\n"
              "    fd = os.open(f'{sys.argv[1]}/{name}', os.O_RDONLY)\n"
              "    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)\n"
              "    while os.read(fd, 1 << 20): pass\n"
              "    os.close(fd)\n")
    report = whystall.report("-D", mounted_loop.name, "--", "/usr/bin/python3", "-c", script, folder)
    shown = files_of(report)
    assert {path: shown.get(path) for path in largest} == largest
    assert len(shown) <= 20
    assert report.loss["files_dropped"] == 0


def test_read_and_written(whystall, file_system):
    """The dataset and the checkpoint, each with its bytes."""
    disk = file_system
    (disk.folder / "data set").mkdir()
    dataset = filled_file(disk.folder / "data set" / "ümlaut \\ and blank", 3 * MIB)
    checkpoint = disk.folder / "checkpoint"
    script = 'cat "$1" >/dev/null; head -c 2M /dev/urandom >"$2"; sync -f "$2"'
    subprocess.run(["sync", "-f", str(disk.folder)], check=True)
    pathlib.Path("/proc/sys/vm/drop_caches").write_text("1")
    report = whystall.report("-D", disk.name, "--", "sh", "-c", script, "sh", dataset, checkpoint)
    found = files_of(report)
    # A name is shown as it is: backslash and all.
    assert found[str(dataset)] >= 3 * MIB
    assert found[str(checkpoint)] >= 2 * MIB
    assert found[str(dataset)] + found[str(checkpoint)] <= report.device(disk.name)["read_bytes"] \
        + report.device(disk.name)["write_bytes"]


def test_bind_mount(whystall, mounted_loop, mount):
    inner = mounted_loop.folder / "a" / "b"
    inner.mkdir(parents=True)
    filled_file(inner / "data", MIB)
    bound = mount("--bind", inner)
    (path,) = files_of(read_cold(whystall, mounted_loop, bound / "data"))
    assert same_file(path, bound / "data")


def test_only_a_part_is_mounted(whystall, mounted_loop, mount):
    """The file system's root is out of reach: the path goes through the part that is mounted."""
    inner = mounted_loop.folder / "a" / "b"
    inner.mkdir(parents=True)
    filled_file(inner / "data", MIB)
    bound = mount("--bind", inner)
    helpers.unmount(mounted_loop.folder)
    try:
        (path,) = files_of(read_cold(whystall, mounted_loop, bound / "data"))
        assert path == str(bound / "data")
    finally:
        subprocess.run(["mount", mounted_loop.target, str(mounted_loop.folder)], check=True)


def test_overlay(whystall, mounted_loop, mount):
    """The data of an overlay are files of the layers below; that is what the path leads to."""
    for name in ("lower", "upper", "work"):
        (mounted_loop.folder / name).mkdir()
    filled_file(mounted_loop.folder / "lower" / "data", MIB)
    options = ",".join(f"{name}dir={mounted_loop.folder}/{name}" for name in ("lower", "upper", "work"))
    merged = mount("-t", "overlay", "overlay", "-o", options)
    filled_file(merged / "new", 2 * MIB)
    found = files_of(read_cold(whystall, mounted_loop, merged / "data", merged / "new"))
    assert found == {f"{mounted_loop.folder}/lower/data": MIB, f"{mounted_loop.folder}/upper/new": 2 * MIB}


def test_mount_namespace_of_a_container(whystall, spawn, loop, tmp_path):
    """Mounted inside the container only: the path is the one that its processes use."""
    script = ('mount -t tmpfs none /mnt && mkdir /mnt/vol && mount "$0" /mnt/vol && '
              'mkdir "/mnt/vol/in side" && head -c 1M /dev/urandom >"/mnt/vol/in side/data" && sync && '
              'echo ready $$ && read go && "$@" self "/mnt/vol/in side/data" && echo done $$ && read go')
    subprocess.run(["mkfs.ext4", "-q", "-F", loop.target], check=True,
                   env={"PATH": "/usr/sbin:/sbin:/usr/bin:/bin"})
    child = spawn("unshare", "--mount", "--propagation", "private", "sh", "-c", script, loop.target,
                  *helpers.workload("cold_read.py"))
    child.expect("ready")
    tracer = whystall.attach("-i", "100ms", "-D", loop.name, "-p", str(child.pid))
    child.go()
    json.loads(child.line())
    child.expect("done")
    child.go()
    assert child.wait() == 0
    assert files_of(tracer.report()) == {"/mnt/vol/in side/data": MIB}


def test_unmounted_meanwhile(whystall, new_file_system):
    """Mounted and unmounted before whystall looked: the path is named by the device."""
    disk = new_file_system("ext4")
    disk.unmount()
    script = ('mount "$0" "$1" && head -c 1M /dev/urandom >"$1/data" && sync -f "$1/data" && '
              'umount "$1"')
    report = whystall.report("-i", "1h", "-D", disk.name, "--", "sh", "-c", script, disk.target, disk.folder)
    assert files_of(report) == {f"({disk.name})/data": MIB}


def test_deleted_and_renamed(whystall, mounted_loop):
    """The name is the one of the first request."""
    script = ('head -c 1M /dev/urandom >"$0/gone"; sync -f "$0"; rm "$0/gone"; '
              'head -c 2M /dev/urandom >"$0/temporary"; sync -f "$0"; mv "$0/temporary" "$0/final"; sync')
    report = whystall.report("-D", mounted_loop.name, "--", "sh", "-c", script, mounted_loop.folder)
    assert files_of(report) == {f"{mounted_loop.folder}/gone": MIB,
                                f"{mounted_loop.folder}/temporary": 2 * MIB}


def test_long_path_keeps_its_end(whystall, mounted_loop):
    folder = mounted_loop.folder
    for index in range(30):
        folder = folder / f"folder-{index:02}"
    folder.mkdir(parents=True)
    filled_file(folder / "data", MIB)
    ((path, count),) = files_of(read_cold(whystall, mounted_loop, folder / "data")).items()
    assert count == MIB
    assert path.startswith(".../folder-") and path.endswith("/folder-28/folder-29/data")


def test_longest_name(whystall, mounted_loop):
    (mounted_loop.folder / ("d" * 255)).mkdir()
    path = mounted_loop.folder / ("d" * 255) / ("f" * 255)
    filled_file(path, MIB)
    assert files_of(read_cold(whystall, mounted_loop, path)) == {str(path): MIB} \
        or files_of(read_cold(whystall, mounted_loop, path)) == {".../" + "f" * 255: MIB}


def test_hostile_name(whystall, mounted_loop):
    """Control characters reach no terminal; JSON keeps them."""
    path = mounted_loop.folder / "x\x1b[2Jy\nz"
    filled_file(path, MIB)
    command = ["--", *helpers.workload("cold_read.py"), "self", str(path)]
    assert files_of(whystall.report("-D", mounted_loop.name, *command)) == {str(path): MIB}
    text = whystall.start("-q", "-D", mounted_loop.name, *command).finish().stdout
    assert "\x1b" not in text and "x\\x1b[2Jy\\x0az" in text


def test_inode_number_used_again(whystall, mounted_loop):
    """ext4 gives a new file the number of the one just removed: two files, not one."""
    script = ('head -c 1M /dev/urandom >"$0/first"; sync -f "$0"; rm "$0/first"; '
              'head -c 2M /dev/urandom >"$0/second"; sync -f "$0"')
    report = whystall.report("-D", mounted_loop.name, "--", "sh", "-c", script, mounted_loop.folder)
    assert files_of(report) == {f"{mounted_loop.folder}/first": MIB,
                                f"{mounted_loop.folder}/second": 2 * MIB}


def test_two_readers_of_one_file(whystall, mounted_loop):
    """Each has its own part; what is read ahead belongs to the first."""
    path = filled_file(mounted_loop.folder / "data", 32 * MIB)
    script = ('dd if="$0" of=/dev/null bs=1M count=16 2>/dev/null; '
              'dd if="$0" of=/dev/null bs=1M skip=16 2>/dev/null')
    pathlib.Path("/proc/sys/vm/drop_caches").write_text("1")
    report = whystall.report("-D", mounted_loop.name, "--", "sh", "-c", script, path)
    parts = [file["bytes"] for row in report.processes for file in row["files"]
             if file["path"] == str(path)]
    assert len(parts) == 2 and sum(parts) == 32 * MIB
    assert min(parts) >= 12 * MIB


def test_direct_io_has_no_file(whystall, mounted_loop):
    path = filled_file(mounted_loop.folder / "data", MIB)
    report = whystall.report("-D", mounted_loop.name, "--", "dd", f"if={path}", "of=/dev/null", "bs=64k",
                             "iflag=direct", "status=none")
    assert report.total("bytes", device=mounted_loop.name, op="read") >= MIB
    assert files_of(report) == {}
