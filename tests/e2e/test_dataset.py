# SPDX-License-Identifier: BSD-2-Clause
"""How large a trainer's data is, and whether memory has room for it, against folders of known size."""
import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

import helpers
from conftest import CGROUP, MIB
from test_owner import in_cgroup

FILES, FILE_BYTES, HOLE_BYTES = 40, 100000, 8 * MIB


def size_of(folder):
    """By du, which counts a file once whatever its names, without what the folders themselves take."""
    def du(*options):
        done = subprocess.run(["du", "-sbx", *options, str(folder)], stdout=subprocess.PIPE, check=True, text=True)
        return int(done.stdout.split()[0])
    folders = [path for path in [folder, *folder.rglob("*")] if path.is_dir() and not path.is_symlink()
               and path.stat().st_dev == folder.stat().st_dev]
    links = [path for path in folder.rglob("*") if path.is_symlink()]
    return du() - sum(os.lstat(path).st_size for path in folders + links)


def make_dataset(root):
    """Class folders; and a hole, a second name, ways that lead in circles and out, and names for a terminal."""
    folder = root / "train"
    for name in ("cat", "dog", "\x1b[2J\n"):
        (folder / name).mkdir(parents=True)
        for number in range(FILES):
            (folder / name / f"{number}.jpg").write_bytes(os.urandom(FILE_BYTES))
    with open(folder / "hole.bin", "wb") as file:
        file.truncate(HOLE_BYTES)
    os.link(folder / "cat" / "0.jpg", folder / "again.bin")
    (folder / "loop").symlink_to(".")
    (folder / "out").symlink_to("/usr")
    os.sync()
    return folder


@pytest.fixture
def slow_folder(mounted_loop, throttle, cleanup):
    """On a device with a limit of so many bytes a second, and nothing of it in memory: the folder and the control group.
    Another file system is mounted in it."""
    def make(bytes_per_second, mount=("-t", "tmpfs", "none")):
        folder = make_dataset(mounted_loop.folder)
        for path in folder.rglob("*.jpg"):
            fd = os.open(path, os.O_RDONLY)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)
        (folder / "other").mkdir()
        subprocess.run(["mount", *mount, str(folder / "other")], check=True)
        cleanup.callback(subprocess.run, ["umount", "-l", str(folder / "other")], check=True)
        if "tmpfs" in mount:
            (folder / "other" / "file.bin").write_bytes(bytes(MIB))
        return folder, throttle(mounted_loop, bytes_per_second)
    return make


@pytest.fixture
def dataset_of(whystall, slow_folder):
    """The verdict on a loader that reads such a folder."""
    def run(*options, bytes_per_second=1 << 20, groups=()):
        folder, group = slow_folder(bytes_per_second)
        command = [*helpers.workload("loader.py"), "--folder", str(folder), "--step-ms", "1", *options]
        for path in (group, *groups):
            command = in_cgroup(path, command)
        report, _ = whystall.traced("--", *command)
        (verdict,) = report.data["verdicts"]
        assert verdict["class"] == "storage"
        assert verdict["dataset"]["path"] == str(folder)
        assert verdict["dataset"]["complete"] is True
        assert verdict["dataset"]["bytes"] == size_of(folder)
        assert verdict["dataset"]["files"] == 3 * FILES + 1
        return verdict
    return run


def advice_with(verdict, words):
    found = [advice for advice in verdict["advice"] if words in advice["do"]]
    assert len(found) == 1, verdict["advice"]
    return found[0]


def test_first_epoch(dataset_of):
    """12 MB at 1 MB/s: what the next one reads is in memory then."""
    verdict = dataset_of()
    dataset = verdict["dataset"]
    assert dataset["fits"] is True and dataset["memory_limited_by"] == "host"
    assert dataset["cache"] == "filling" and dataset["epochs_to_pay"] == 1
    assert dataset["read_again_bytes"] == 0
    assert dataset["read_files"] * FILE_BYTES >= dataset["read_bytes"] > 2 * MIB
    assert dataset["epochs_seen"] == pytest.approx(dataset["read_bytes"] / dataset["bytes"])
    with open("/proc/meminfo", encoding="ascii") as file:
        total = next(int(line.split()[1]) << 10 for line in file if line.startswith("MemTotal:"))
    assert 0 < dataset["memory_available_bytes"] < total
    advice = advice_with(verdict, "in memory")
    assert "by itself" in advice["do"] and "second epoch" in advice["because"]
    (storage,) = (entry for entry in verdict["what_if"] if entry["change"] == "storage")
    assert advice["speedup"] == storage["speedup"] > 2


def test_dropped(dataset_of):
    """It would fit, yet each epoch reads it again."""
    verdict = dataset_of("--drop", bytes_per_second=6 * MIB)
    dataset = verdict["dataset"]
    assert dataset["fits"] is True and dataset["cache"] == "dropped"
    assert dataset["read_bytes"] == 3 * FILES * FILE_BYTES
    assert dataset["read_again_bytes"] > MIB and dataset["epochs_seen"] > 0.7
    advice = advice_with(verdict, "in memory")
    assert "tmpfs" in advice["do"] and "again" in advice["because"]
    assert dataset["epochs_to_pay"] == pytest.approx(1 / (1 - 1 / advice["speedup"]))


def test_bypassed(dataset_of):
    verdict = dataset_of("--direct", bytes_per_second=6 * MIB)
    dataset = verdict["dataset"]
    assert dataset["cache"] == "bypassed" and dataset["fits"] is True and dataset["epochs_to_pay"] == 1
    assert dataset["read_bytes"] is None and dataset["epochs_seen"] is None
    assert "O_DIRECT" in advice_with(verdict, "in memory")["do"]


@pytest.fixture
def memory_group(new_cgroup):
    """A control group with a limit of memory."""
    def make(limit):
        if (CGROUP / "memory" / "memory.limit_in_bytes").exists():
            path, file = new_cgroup(CGROUP / "memory"), "memory.limit_in_bytes"
        elif "memory" in ((CGROUP / "cgroup.subtree_control").read_text().split()
                          if (CGROUP / "cgroup.subtree_control").exists() else []):
            path, file = new_cgroup(CGROUP), "memory.max"
        else:
            pytest.skip("no cgroup can limit memory here")
        (path / file).write_text(str(limit))
        return path
    return make


def test_limit_of_memory(whystall, slow_folder, memory_group):
    """512 MiB would fit into this host, but not into the 256 MiB that the job may have."""
    folder, group = slow_folder(1 << 20)
    if (group / "memory.max").exists():
        pytest.skip("a version 2 group for each: a process is in one alone")
    limited = memory_group(256 * MIB)
    with open(folder / "hole.bin", "wb") as file:
        file.truncate(512 * MIB)
    loader = [*helpers.workload("loader.py"), "--folder", str(folder), "--step-ms", "1"]
    report, _ = whystall.traced("--", *in_cgroup(group, in_cgroup(limited, loader)))
    (verdict,) = report.data["verdicts"]
    dataset = verdict["dataset"]
    assert dataset["memory_limited_by"] == str(limited)
    assert 0 < dataset["memory_available_bytes"] <= 256 * MIB
    assert dataset["fits"] is False and dataset["epochs_to_pay"] is None
    advice = advice_with(verdict, "memory limit")
    assert str(limited) in advice["do"] and "does not fit" in advice["because"]
    assert advice["speedup"] > 2


def test_does_not_fit(whystall, slow_folder):
    """More than this host has."""
    folder, group = slow_folder(1 << 20)
    with open(folder / "hole.bin", "wb") as file:
        file.truncate(1 << 40)
    loader = [*helpers.workload("loader.py"), "--folder", str(folder), "--step-ms", "1"]
    report, _ = whystall.traced("--", *in_cgroup(group, loader))
    (verdict,) = report.data["verdicts"]
    assert verdict["dataset"]["fits"] is False and verdict["dataset"]["bytes"] > 1 << 40
    advice = advice_with(verdict, "does not fit into memory")
    assert "1.0 TiB" in advice["because"] and "are available" in advice["because"]


def test_in_text(whystall, slow_folder):
    folder, group = slow_folder(1 << 20)
    loader = [*helpers.workload("loader.py"), "--folder", str(folder), "--step-ms", "1"]
    result = whystall.start("-q", "--", *in_cgroup(group, loader)).finish()
    (line,) = (line for line in result.stdout.splitlines() if "  do: keep " in line)
    assert f"keep {folder} in memory" in line
    assert "fit into the " in line and " that are available" in line and "; predicted: " in line
    assert "\x1b" not in result.stdout


def end_all(child):
    for pid in helpers.children_of(child.pid):
        os.kill(pid, signal.SIGKILL)


def test_folder_of_a_container(whystall, spawn, mounted_loop, throttle, tmp_path, cleanup):
    """Mounted in the job's own namespace alone: the path is its own, and is looked up there."""
    make_dataset(mounted_loop.folder)
    helpers.unmount(mounted_loop.folder)
    inside = tmp_path / "inside"
    inside.mkdir()
    script = 'mount -o noatime "$0" "$1" && shift && exec "$@"'
    loader = [*helpers.workload("loader.py"), "--folder", str(inside / "train"), "--step-ms", "1", "--seconds", "60"]
    child = spawn(*in_cgroup(throttle(mounted_loop, 1 << 20),
                             ["unshare", "-m", "sh", "-c", script, mounted_loop.target, str(inside), *loader]))
    cleanup.callback(subprocess.run, ["mount", mounted_loop.target, str(mounted_loop.folder)], check=True)
    cleanup.callback(child.kill)
    time.sleep(1)
    report = whystall.attach("-p", str(child.pid), "-d", "5").report()
    (verdict,) = report.data["verdicts"]
    end_all(child)
    assert not (inside / "train").exists()
    assert verdict["dataset"]["path"] == str(inside / "train")
    assert verdict["dataset"]["files"] == 3 * FILES + 1
    assert verdict["dataset"]["bytes"] == 3 * FILES * FILE_BYTES + HOLE_BYTES


def fuse_servers():
    return [pid for pid in helpers.children_of(os.getpid())
            if pathlib.Path(f"/proc/{pid}/comm").read_text(encoding="ascii").strip() == "fuse_delay"]


def test_file_system_that_never_answers(whystall, spawn, fuse_file, cleanup):
    """The data stays unknown, and the report comes all the same."""
    file = fuse_file(5000)
    (server,) = fuse_servers()
    child = spawn(*helpers.workload("loader.py"), "--file", file, "--reads", "1", "--step-ms", "1",
                  "--seconds", "60")
    time.sleep(1)
    started = time.monotonic()
    tracer = whystall.attach("-p", str(child.pid), "-d", "8")
    cleanup.callback(os.kill, server, signal.SIGCONT)
    time.sleep(6)
    os.kill(server, signal.SIGSTOP)
    report = tracer.report()
    assert time.monotonic() - started < report.data["window"]["seconds"] + 10
    os.kill(server, signal.SIGCONT)
    (verdict,) = report.data["verdicts"]
    end_all(child)
    assert verdict["class"] == "storage"
    dataset = verdict["dataset"]
    assert dataset["path"] == str(file)
    assert dataset["bytes"] is None and dataset["fits"] is None and dataset["complete"] is None
    assert not any("in memory" in advice["do"] for advice in verdict["advice"])


def test_mount_that_never_answers(whystall, spawn, slow_folder, fuse_file, cleanup):
    """Inside the folder: it is left out, and nobody asks it."""
    file = fuse_file(5000)
    (server,) = fuse_servers()
    folder, group = slow_folder(1 << 20, mount=("--bind", str(file.parent)))
    child = spawn(*in_cgroup(group, [*helpers.workload("loader.py"), "--folder", str(folder), "--step-ms", "1",
                                     "--seconds", "60"]))
    time.sleep(1)
    cleanup.callback(os.kill, server, signal.SIGCONT)
    os.kill(server, signal.SIGSTOP)
    time.sleep(1.5)  # what it said before is kept for a second
    report = whystall.attach("-p", str(child.pid), "-d", "5").report()
    end_all(child)
    (verdict,) = report.data["verdicts"]
    assert verdict["dataset"]["path"] == str(folder) and verdict["dataset"]["complete"] is True
    assert verdict["dataset"]["bytes"] == 3 * FILES * FILE_BYTES + HOLE_BYTES


def test_file_on_fuse(whystall, fuse_file):
    """It has no device: how much of it was read is not known, its size is."""
    file = fuse_file(5000)
    report, output = whystall.traced("--", *helpers.workload("loader.py"), "--file", str(file), "--reads", "1",
                                     "--step-ms", "1")
    (verdict,) = report.data["verdicts"]
    assert verdict["pid"] == json.loads(output)["pid"]
    dataset = verdict["dataset"]
    assert dataset["path"] == str(file) and dataset["files"] == 1
    assert dataset["bytes"] == os.stat(file).st_size and dataset["complete"] is True
    assert dataset["read_bytes"] is None and dataset["cache"] == "unknown" and dataset["fits"] is True


def test_not_bound_by_storage(whystall):
    report = whystall.report("--", *helpers.workload("loader.py"), "--workers", "1", "--cpu-ms", "10",
                             "--step-ms", "2")
    (verdict,) = report.data["verdicts"]
    assert "dataset" not in verdict
