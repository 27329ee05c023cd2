# SPDX-License-Identifier: BSD-2-Clause
"""Devices that lie on others, and devices without requests of their own.

Tools that look at requests alone show nothing for md and dm, a kworker or md0_raid1 below them, and a
sum over all devices that counts a byte two or three times. Here each device has its row, exactly as
the kernel's own statistics have it, and the job's total counts each byte once.
"""
import os
import pathlib
import subprocess
import uuid

import pytest

import helpers
from conftest import MIB, BlockDevice, loop_attach
from fio import Fio

IOS = (503, 701)
KIB4 = 4096
SBIN = {"PATH": "/usr/sbin:/sbin:/usr/bin:/bin"}


def run(*command, **options):
    done = subprocess.run(list(map(str, command)), check=False, env={**os.environ, **SBIN},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    assert done.returncode == 0, done
    return done.stdout


def need_module(name):
    """Skips where the kernel has not got it; built in is as good."""
    done = subprocess.run(["modprobe", name], env=SBIN, check=False, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL)
    if done.returncode and not pathlib.Path(f"/sys/module/{name.replace('-', '_')}").exists():
        pytest.skip(f"this kernel has no {name}")


class Stack:
    """A device, .top, and those below it, .leaves."""

    def __init__(self, top, leaves, remove):
        self.top = top
        self.leaves = leaves
        self.remove = remove


def sectors(device):
    return int(pathlib.Path(f"/sys/block/{device.name}/size").read_text())


@pytest.fixture
def leaf(new_loop, cleanup):
    """Below a stack: a spare NVMe drive, else a loop device."""
    drives = os.environ.get("WHYSTALL_NVME", "").split()

    def make():
        if drives:
            name = drives.pop(0)
            return BlockDevice(name, f"/dev/{name}", cleanup)
        return new_loop(96 * MIB)
    return make


@pytest.fixture
def device_mapper(leaf, cleanup):
    """`table` has one line for one leaf: {size} in sectors, {leaf}."""
    def make(target, table):
        need_module("dm-mod")
        need_module(f"dm-{target}" if target != "linear" else "dm-mod")
        below = leaf()
        name = f"whystall-{uuid.uuid4().hex[:8]}"
        run("dmsetup", "create", name, "--noudevsync", "--table",
            table.format(size=sectors(below), leaf=below.target))
        run("dmsetup", "mknodes", name)

        def remove():
            if name in run("dmsetup", "ls"):
                run("dmsetup", "remove", "--noudevsync", "--retry", name)
        cleanup.callback(remove)
        helpers.udev_settle()
        target_path = pathlib.Path(f"/dev/mapper/{name}")
        minor = os.minor(os.stat(target_path).st_rdev)
        return Stack(BlockDevice(f"dm-{minor}", str(target_path), cleanup), [below], remove)
    return make


@pytest.fixture
def raid(leaf, cleanup):
    def make(level, count):
        need_module("md-mod")
        need_module(f"raid{456 if level == 5 else level}")
        if not run("sh", "-c", "command -v mdadm || true"):
            pytest.skip("needs mdadm")
        leaves = [leaf() for _ in range(count)]
        name = next(f"md{i}" for i in range(90, 128) if not os.path.exists(f"/sys/block/md{i}"))
        options = ["--assume-clean", "--bitmap=none"] if level else []
        options += ["--chunk=64"] if level != 1 else []
        run("mdadm", "--create", f"/dev/{name}", "--run", "--force", f"--level={level}",
            f"--raid-devices={count}", "--metadata=1.2", "--homehost=any", *options,
            *(disk.target for disk in leaves),
            stdin=subprocess.DEVNULL)

        def remove():
            if os.path.exists(f"/sys/block/{name}/md"):
                run("mdadm", "--stop", f"/dev/{name}")
            for disk in leaves:
                run("mdadm", "--zero-superblock", "--force", disk.target)
        cleanup.callback(remove)
        # md notes in its superblock that all is clean, a while after the last write: not in here.
        pathlib.Path(f"/sys/block/{name}/md/safe_mode_delay").write_text("0")
        # Whoever opens the new device first reads its partition table.
        os.close(os.open(f"/dev/{name}", os.O_RDONLY))
        helpers.udev_settle()
        return Stack(BlockDevice(name, f"/dev/{name}", cleanup), leaves, remove)
    return make


@pytest.fixture
def stack(request):
    """By the name of its kind."""
    def make(kind):
        if kind.startswith("raid"):
            return request.getfixturevalue("raid")(int(kind[4:]), 3 if kind == "raid5" else 2)
        tables = {
            "linear": "0 {size} linear {leaf} 0",
            "delay": "0 {size} delay {leaf} 0 3",
            "crypt": "0 {size} crypt aes-xts-plain64 " + "5a" * 64 + " 0 {leaf} 0",
        }
        return request.getfixturevalue("device_mapper")(kind, tables[kind])
    return make


def is_of_the_job(row):
    return row["pid"] != 0


def rows_of(report, device, op, lower=None):
    return [(row, io) for row in report.processes for io in row["io"]
            if io["device"] == device.name and io["op"] == op
            and (lower is None or io["lower"] == lower)]


def job_bytes(report, device, op):
    return sum(io["bytes"] for row, io in rows_of(report, device, op) if is_of_the_job(row))


def counted_once(report, op):
    """The job's bytes, over all devices."""
    return sum(io["bytes"] for row in report.processes if is_of_the_job(row) for io in row["io"]
               if io["op"] == op and not io["lower"])


def agrees_with_diskstats(report, device, before):
    kernel = helpers.diskstats_since(device.name, before)
    seen = report.device(device.name)
    assert (seen["read_bytes"], seen["write_bytes"]) \
        == (kernel.read_sectors * 512, kernel.write_sectors * 512), device.name


def traced_fio(tracer, stack, tmp_path, rw, **options):
    """A report, and what fio itself says that its jobs moved."""
    fio = Fio(tmp_path, stack.top.target, rw=rw, ios=IOS, size="64m", **options)
    before = {disk.name: helpers.diskstats(disk.name) for disk in [stack.top, *stack.leaves]}
    only = [argument for disk in [stack.top, *stack.leaves] for argument in ("-D", disk.name)]
    report = tracer.report(*only, "--", *fio.command)
    for disk in [stack.top, *stack.leaves]:
        agrees_with_diskstats(report, disk, before[disk.name])
    for disk in stack.leaves:
        assert report.device(disk.name)["parents"] == [stack.top.name]
    return report, fio


@pytest.mark.parametrize("rw", ["randread", "randwrite"])
@pytest.mark.parametrize("kind", ["linear", "delay", "crypt", "raid0", "raid1"])
def test_owner_at_each_level(whystall_both, stack, tmp_path, kind, rw):
    """Also where kdelayd, kcryptd, dmcrypt_write or md0_raid1 submit below."""
    stack = stack(kind)
    report, fio = traced_fio(whystall_both, stack, tmp_path, rw)
    op = rw[4:]
    moved = sum(fio.job_bytes(op))
    assert sorted(report.per_pid("bytes", stack.top.name, op).values()) == fio.job_bytes(op)
    assert counted_once(report, op) == moved
    copies = len(stack.leaves) if (kind, op) == ("raid1", "write") else 1
    assert sum(job_bytes(report, disk, op) for disk in stack.leaves) == copies * moved
    for disk in stack.leaves:
        assert all(io["lower"] for row, io in rows_of(report, disk, op) if is_of_the_job(row))
    top = report.device(stack.top.name)
    assert (top["coverage_pct"], top["parents"]) == (100, [])
    for row, io in rows_of(report, stack.top, op):
        assert io["queue_us"] is None, "a bio has no D"
        assert io["device_us"]["p50"] >= (3000 if kind == "delay" else 0)


def test_raid5_write_has_no_link(whystall_both, stack, tmp_path):
    """Parity is computed from copies by md's own thread: [md], and coverage says so."""
    stack = stack("raid5")
    report, fio = traced_fio(whystall_both, stack, tmp_path, "randwrite")
    assert counted_once(report, "write") == sum(fio.job_bytes("write"))
    for disk in stack.leaves:
        named = [(row, io) for row, io in rows_of(report, disk, "write") if row["comm"] == "[md]"]
        assert named and all(stack.top.name in row["cmdline"] or "raid5" in row["cmdline"]
                             for row, io in named)
        device = report.device(disk.name)
        assert device["unattributed_write_bytes"] == sum(io["bytes"] for row, io in named) > 0
        assert device["coverage_pct"] < 100


def test_raid5_read(whystall_both, stack, tmp_path):
    stack = stack("raid5")
    report, fio = traced_fio(whystall_both, stack, tmp_path, "randread")
    moved = sum(fio.job_bytes("read"))
    assert counted_once(report, "read") == moved
    assert sum(job_bytes(report, disk, "read") for disk in stack.leaves) >= moved


@pytest.mark.parametrize("kind", ["crypt", "raid1"])
def test_writeback_through_a_stack(whystall_both, stack, cleanup, tmp_path, kind):
    """Flusher, then dm-crypt's or md's thread: the writer is known on top and below."""
    stack = stack(kind)
    run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", stack.top.target)
    folder = tmp_path / "mounted"
    folder.mkdir()
    run("mount", "-o", "noatime", stack.top.target, folder)
    cleanup.callback(helpers.unmount, folder)
    run("sync", "-f", folder)
    script = 'dd if=/dev/zero of="$0/data" bs=1M count=8 2>/dev/null; sync -f "$0"'
    only = [argument for disk in [stack.top, *stack.leaves] for argument in ("-D", disk.name)]
    report = whystall_both.report(*only, "--", "sh", "-c", script, folder)
    for disk in [stack.top, *stack.leaves]:
        (written,) = [io["bytes"] for row, io in rows_of(report, disk, "write")
                      if row["comm"] == "dd" and io["cause"] == "writeback"]
        assert written == 8 * MIB, disk.name
    files = {file["path"]: file["bytes"] for row in report.processes for file in row["files"]
             if file["bytes"]}
    assert files == {f"{folder}/data": 8 * MIB}, "counted at the topmost device alone"


def test_two_levels(whystall_both, device_mapper, stack, tmp_path, cleanup):
    """dm-linear over dm-crypt over a disk."""
    crypt = stack("crypt")
    name = f"whystall-{uuid.uuid4().hex[:8]}"
    run("dmsetup", "create", name, "--noudevsync", "--table",
        f"0 {sectors(crypt.top)} linear {crypt.top.target} 0")
    run("dmsetup", "mknodes", name)
    cleanup.callback(run, "dmsetup", "remove", "--noudevsync", "--retry", name)
    path = pathlib.Path(f"/dev/mapper/{name}")
    top = BlockDevice(f"dm-{os.minor(os.stat(path).st_rdev)}", str(path), cleanup)
    fio = Fio(tmp_path, top.target, rw="randwrite", ios=IOS, size="64m")
    report = whystall_both.report("--", *fio.command)
    moved = sum(fio.job_bytes("write"))
    for disk, lower in ((top, False), (crypt.top, True), (crypt.leaves[0], True)):
        assert job_bytes(report, disk, "write") == moved, disk.name
        assert {io["lower"] for row, io in rows_of(report, disk, "write") if is_of_the_job(row)} == {lower}
    assert counted_once(report, "write") == moved
    assert report.device(crypt.top.name)["parents"] == [top.name]


def test_stat_counts_each_byte_once(whystall, spawn, stack):
    """The row of the whole host; iostat's sum over devices is twice that."""
    stack = stack("linear")
    child = spawn(*helpers.workload("blockread"), "-wh", "-n", "503", stack.top.target)
    child.expect("ready")
    tracer = whystall.start("stat", "-O", "csv", "-p", str(child.pid), "1h").attached()
    child.go()
    child.expect("done")
    child.go()
    assert child.wait() == 0
    (header, row) = [line.split(",") for line in tracer.finish().stdout.splitlines()]
    figures = dict(zip(header, row))
    assert figures["device"] == "total"
    # Rates over an interval of unknown length: their ratio is what the load fixes.
    assert float(figures["read_mb_s"]) / float(figures["requests_s"]) == pytest.approx(0.004096, rel=0.02)


def test_lower_device_alone(whystall, stack, tmp_path):
    """-D with the disk below: there its rows are all there is, and count."""
    stack = stack("linear")
    fio = Fio(tmp_path, stack.top.target, rw="randread", ios=IOS, size="64m")
    report = whystall.report("-D", stack.leaves[0].name, "--", *fio.command)
    assert {device["name"] for device in report.data["devices"]} == {stack.leaves[0].name}
    # From 7.0 on a preempted program may miss a request; it then counts it as lost.
    missing = sum(fio.job_bytes("read")) - counted_once(report, "read")
    assert 0 <= missing <= 2 * KIB4, report.loss
    assert missing <= KIB4 * report.loss["completions_unmatched"], report.loss


def test_removed_while_tracing(whystall, spawn, stack):
    """What was seen until then stays, under the name that the device had."""
    stack = stack("linear")
    child = spawn("sh", "-c", 'read go; "$@"; read go', "sh", *helpers.workload("blockread"), "-n", "101",
                  stack.top.target)
    tracer = whystall.attach("-p", str(child.pid))
    child.go()
    helpers.wait_until(lambda: helpers.children_of(child.pid), "the reader")
    helpers.wait_until(lambda: not helpers.children_of(child.pid), "its end")
    stack.remove()
    child.go()
    child.wait()
    report = tracer.report()
    assert job_bytes(report, stack.top, "read") == 101 * KIB4
    device = report.device(stack.top.name)
    assert device["coverage_pct"] is None and device["diskstats_read_bytes"] is None


@pytest.mark.parametrize("direct", ["off", "on"])
def test_loop_on_a_file(whystall_both, new_file_system, cleanup, tmp_path, direct):
    """With direct I/O the pages lead to the process; over the page cache they are copies: [loop]."""
    below = new_file_system("ext4")
    image = below.folder / "inner.img"
    with open(image, "wb") as file:
        for _ in range(32):
            file.write(os.urandom(MIB))
    below.sync()
    pathlib.Path("/proc/sys/vm/drop_caches").write_text("1")
    top = loop_attach(cleanup, image, f"--direct-io={direct}")
    fio = Fio(tmp_path, top.target, rw="randread", ios=IOS, size="32m")
    report = whystall_both.report("-D", top.name, "-D", below.name, "--", *fio.command)
    moved = sum(fio.job_bytes("read"))
    assert job_bytes(report, top, "read") == counted_once(report, "read") == moved
    device = report.device(below.name)
    assert device["parents"] == [top.name]
    assert device["read_bytes"] == device["diskstats_read_bytes"]
    if direct == "on":
        assert job_bytes(report, below, "read") == moved
        assert device["unattributed_read_bytes"] == 0
    else:
        (named,) = [io["bytes"] for row, io in rows_of(report, below, "read")
                    if (row["comm"], row.get("cmdline")) == ("[loop]", top.name)]
        assert device["unattributed_read_bytes"] == named > 0
        assert job_bytes(report, below, "read") == 0


class Zram(BlockDevice):
    def set_size(self):
        pathlib.Path(f"/sys/block/{self.name}/disksize").write_text(str(64 * MIB))
        helpers.udev_settle()


@pytest.fixture
def zram_unset(traceable, cleanup):
    """A zram device that has no size yet."""
    if not os.path.exists("/sys/block/zram0"):
        need_module("zram")
    size = pathlib.Path("/sys/block/zram0/disksize")
    if not size.exists() or size.read_text().strip() != "0":
        pytest.skip("no zram device to spare")
    cleanup.callback(pathlib.Path("/sys/block/zram0/reset").write_text, "1")
    return Zram("zram0", "/dev/zram0", cleanup)


@pytest.fixture
def zram(zram_unset):
    zram_unset.set_size()
    return zram_unset


@pytest.mark.parametrize("rw", ["randread", "randwrite", "randrw"])
def test_zram(whystall_both, zram, tmp_path, rw):
    """A disk that serves bios itself; tools on requests do not see it at all."""
    fio = Fio(tmp_path, zram.target, rw=rw, ios=IOS, size="64m")
    before = helpers.diskstats(zram.name)
    report = whystall_both.report("-D", zram.name, "--", *fio.command)
    agrees_with_diskstats(report, zram, before)
    for op in ("read", "write"):
        if rw in (f"rand{op}", "randrw"):
            assert sorted(report.per_pid("bytes", zram.name, op).values()) == fio.job_bytes(op)
            assert all(io["device_us"] and io["queue_us"] is None for row, io in rows_of(report, zram, op))
    assert report.device(zram.name)["coverage_pct"] == 100


def bpf_links(pid):
    """How many BPF programs a process has attached."""
    links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
    return sum("bpf_link" in link or "bpf-link" in link for link in links)


def test_made_while_tracing(whystall, spawn, zram_unset):
    """The programs for bios are attached when the first such device appears."""
    child = spawn("sh", "-c", 'read go; "$0" -n 101 "$1" > /dev/null', *helpers.workload("blockread"),
                  zram_unset.target)
    tracer = whystall.attach("-i", "100ms", "-p", str(child.pid))
    before = bpf_links(tracer.process.pid)
    zram_unset.set_size()
    if not os.environ.get("WHYSTALL_NVME_MULTIPATH"):  # attached from the start
        helpers.wait_until(lambda: bpf_links(tracer.process.pid) > before, "the programs")
    child.go()
    assert child.wait() == 0
    report = tracer.report()
    assert report.total("bytes", device=zram_unset.name, op="read") == 101 * KIB4


def test_nvme_multipath(whystall_both, tmp_path, cleanup):
    """The drive counts; its hidden path is below it. The same bio goes through both."""
    name = os.environ.get("WHYSTALL_NVME_MULTIPATH")
    if not name:
        pytest.skip("no NVMe drive with two controllers")
    drive = BlockDevice(name, f"/dev/{name}", cleanup)
    fio = Fio(tmp_path, drive.target, rw="randread", ios=IOS, size="64m")
    report = whystall_both.report("--", *fio.command)
    assert sorted(report.per_pid("bytes", name, "read").values()) == fio.job_bytes("read")
    assert sum(io["requests"] for row, io in rows_of(report, drive, "read")) == sum(IOS)
    assert all(io["device_us"] for row, io in rows_of(report, drive, "read"))
    moved = sum(fio.job_bytes("read"))
    below = [io for row in report.processes if is_of_the_job(row) for io in row["io"] if io["lower"]]
    assert sum(io["bytes"] for io in below) == moved
    (path,) = {io["device"] for io in below}
    assert path.startswith("nvme") and report.device(path)["parents"] == [name]
    assert report.device(path)["diskstats_read_bytes"] is None
    assert sum(io["bytes"] for row, io in rows_of(report, drive, "read", lower=False)) == moved
