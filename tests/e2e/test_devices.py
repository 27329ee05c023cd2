# SPDX-License-Identifier: BSD-2-Clause
"""-D: every name that a device goes by, and the sectors of a partition and no others."""
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

import helpers
from conftest import MIB, loop_attach
from test_stacked import device_mapper, leaf, raid, stack, run  # noqa: F401 (fixtures)

KIB4 = 4096


class Partitions:
    """A disk with two of them; reads 503 blocks of the first, 701 of the second, 101 before them."""

    def __init__(self, disk):
        self.disk = disk
        self.first, self.second = f"{disk}p1", f"{disk}p2"

    def load(self):
        reader = helpers.workload("blockread")[0]
        return ["sh", "-c", f'{reader} -n 503 /dev/{self.first}; {reader} -n 701 /dev/{self.second}']


@pytest.fixture(params=["loop", "nvme"])
def partitions(request, traceable, cleanup):
    if request.param == "nvme":
        names = os.environ.get("WHYSTALL_NVME_PARTITIONS")
        if not names:
            pytest.skip("no NVMe drive with partitions to spare")
        yield Partitions(names.split()[0][:-len("p1")])
        return
    folder = pathlib.Path(tempfile.mkdtemp(prefix="whystall-test-", dir="/dev/shm"))
    cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
    with open(folder / "disk.img", "wb") as image:
        image.truncate(64 * MIB)
    disk = loop_attach(cleanup, folder / "disk.img", "--partscan")
    # Not by a table on the disk: a kernel need not read any.
    for number, start in (1, 2048), (2, 65536):
        run("addpart", disk.target, number, start, 49152)
        cleanup.callback(run, "delpart", disk.target, number)
    yield Partitions(disk.name)


def moved_by_device(report):
    found = {}
    for row in report.processes:
        for io in row["io"]:
            if io["op"] == "read":
                found[io["device"]] = found.get(io["device"], 0) + io["bytes"]
    return found


def test_one_partition(whystall_both, partitions):
    """The whole disk would be 1204 blocks; tools that filter by number of the partition see none."""
    report = whystall_both.report("-D", partitions.first, "--", *partitions.load())
    assert moved_by_device(report) == {partitions.first: 503 * KIB4}
    (device,) = report.data["devices"]
    assert (device["name"], device["coverage_pct"]) == (partitions.first, 100)
    assert device["read_bytes"] == device["diskstats_read_bytes"]


def test_both_partitions(whystall, partitions):
    report = whystall.report("-D", f"{partitions.disk}p*", "--", *partitions.load())
    assert moved_by_device(report) == {partitions.first: 503 * KIB4, partitions.second: 701 * KIB4}


def test_the_whole_disk(whystall, partitions):
    report = whystall.report("-D", partitions.disk, "-D", partitions.first, "--", *partitions.load())
    assert moved_by_device(report) == {partitions.disk: (503 + 701) * KIB4}


def test_link_to_a_partition(whystall, partitions, tmp_path):
    """As those in /dev/disk/by-id are."""
    link = tmp_path / "ata-some_model_0815-part1"
    link.symlink_to(f"/dev/{partitions.first}")
    report = whystall.report("-D", link, "--", *partitions.load())
    assert moved_by_device(report) == {partitions.first: 503 * KIB4}


@pytest.mark.parametrize("form", ["{mapper}", "/dev/mapper/{mapper}", "{kernel}", "/dev/{kernel}"])
def test_names_of_a_mapped_device(whystall, stack, form):  # noqa: F811
    top = stack("linear").top
    name = form.format(mapper=pathlib.Path(top.target).name, kernel=top.name)
    if name.startswith("/dev/dm-") and not os.path.exists(name):
        pytest.skip("nothing made /dev/dm-N")
    report = whystall.report("-D", name, "--", *helpers.workload("blockread"), "-n", "101", top.target)
    assert moved_by_device(report) == {top.name: 101 * KIB4}


def test_name_of_an_array(whystall, stack):  # noqa: F811
    top = stack("raid0").top
    report = whystall.report("-D", top.name, "--", *helpers.workload("blockread"), "-n", "101", top.target)
    assert moved_by_device(report) == {top.name: 101 * KIB4}


def test_folder_of_a_file_system(whystall, file_system):
    """btrfs gives files a device number that no disk has: the mount table names the disk."""
    (file_system.folder / "data").write_bytes(os.urandom(MIB))
    file_system.sync()
    report = whystall.report("-D", file_system.folder, "--", *helpers.workload("cold_read.py"), "self",
                             file_system.folder / "data")
    assert {device["name"] for device in report.data["devices"]} == {file_system.name}
    assert moved_by_device(report)[file_system.name] >= MIB


def test_loop_device_detached(whystall, spawn, new_loop):
    """Its file is gone while it is read: what was seen stays, under the device's name."""
    loop = new_loop()
    child = spawn("sh", "-c", 'read go; "$0" -n 101 "$1" >/dev/null; losetup -d "$1"; read go; '
                              'losetup "$1" "$2"', *helpers.workload("blockread"), loop.target,
                  pathlib.Path(f"/sys/block/{loop.name}/loop/backing_file").read_text().strip())
    tracer = whystall.attach("-p", str(child.pid))
    child.go()
    helpers.wait_until(lambda: not os.path.exists(f"/sys/block/{loop.name}/loop/backing_file"),
                       "losetup -d")
    child.go()
    assert child.wait() == 0
    assert moved_by_device(tracer.report())[loop.name] >= 101 * KIB4


def test_drive_pulled_out(whystall, spawn):
    """An NVMe drive goes in mid-run; requests that fail are counted, and whystall goes on."""
    names = os.environ.get("WHYSTALL_NVME", "").split()
    if not names:
        pytest.skip("no NVMe drive to spare")
    name = names[-1]
    child = spawn("sh", "-c", 'read go; dd if="$0" of=/dev/null bs=4k iflag=direct; read go',
                  f"/dev/{name}", stderr=subprocess.DEVNULL)
    tracer = whystall.attach("-p", str(child.pid))
    before = helpers.diskstats(name).reads
    child.go()
    helpers.wait_until(lambda: helpers.diskstats(name).reads > before + 100, "reads")
    try:
        pathlib.Path(f"/sys/block/{name}/device/device/remove").write_text("1")
        helpers.wait_until(lambda: not helpers.children_of(child.pid), "dd to end")
        child.go()
        child.wait()
        report = tracer.report()
    finally:
        pathlib.Path("/sys/bus/pci/rescan").write_text("1")
    assert moved_by_device(report)[name] >= 100 * KIB4
    assert report.device(name)["coverage_pct"] is None
