# SPDX-License-Identifier: BSD-2-Clause
"""Fixtures. Each restores what it changed, whatever became of the test."""
import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import uuid

import pytest

import helpers

MIB = 1 << 20
CGROUP = pathlib.Path("/sys/fs/cgroup")
# The tracepoint that came with Linux 6.5, and the path of kernels without it. A virtual machine is
# there for its own kernel's path.
Q_PATHS = {"block_io_start": {}, "block_getrq": {"WHYSTALL_WITHOUT": "block_io_start"}}
if os.environ.get("WHYSTALL_VM"):
    Q_PATHS = {"native": {}}


@pytest.fixture(scope="session")
def traceable():
    """Skips where no BPF tracer could work; never asks whystall, which might be what is broken."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if not os.path.exists("/sys/kernel/btf/vmlinux"):
        pytest.skip("this kernel has no BTF")


class Whystall:
    """Starts whystall with the environment of the test, and ends what the test left running."""

    def __init__(self, cleanup):
        self.cleanup = cleanup
        self.env = {}

    def start(self, *args, env=None, **options):
        tracer = helpers.Tracer(*args, env={**self.env, **(env or {})}, **options)
        self.cleanup.callback(tracer.close)
        return tracer

    def attach(self, *args, **options):
        return self.start("-O", "json", *args, **options).attached()

    def traced(self, *args, status=0, **options):
        """A run that ends by itself: the report, and the output of the traced program beside it."""
        with tempfile.NamedTemporaryFile(suffix=".json") as file:
            result = self.start("-q", "-O", "json", "-o", file.name, *args, **options).finish()
            assert result.status == status, result
            text = pathlib.Path(file.name).read_text(encoding="utf-8")
            return helpers.Report(text), result.stdout

    def report(self, *args, **options):
        return self.traced(*args, **options)[0]


@pytest.fixture
def cleanup():
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def whystall(traceable, cleanup):
    return Whystall(cleanup)


@pytest.fixture(params=Q_PATHS)
def whystall_both(request, whystall):
    """Once by each path to the start of a request."""
    whystall.env = Q_PATHS[request.param]
    return whystall


@pytest.fixture(scope="session")
def rootless():
    """Skips where the program has no rootless source yet."""
    if "--no-bpf" not in helpers.run("--help").stdout:
        pytest.skip("this build has no rootless source")


@pytest.fixture
def spawn(cleanup):
    def start(*command, **options):
        child = helpers.Child(list(map(os.fspath, command)), **options)
        cleanup.callback(child.kill)
        return child
    return start


@pytest.fixture
def public_folder(cleanup):
    """A folder that any user may enter, unlike pytest's own."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="whystall-test-"))
    cleanup.callback(shutil.rmtree, path, ignore_errors=True)
    path.chmod(0o755)
    return path


def filled_file(path, size):
    """Written and not only allocated: holes and unwritten extents are read without any request."""
    with open(path, "wb") as file:
        for _ in range(size // MIB):
            file.write(os.urandom(MIB))
        file.flush()
        os.fsync(file.fileno())
    return path


def write_queue(name, key, value, cleanup):
    path = pathlib.Path(f"/sys/block/{name}/queue/{key}")
    before = path.read_text()
    if key == "scheduler":
        before = before.split("[")[1].split("]")[0]
    cleanup.callback(path.write_text, before)
    path.write_text(str(value))


class BlockDevice:
    """A device and the file or node on it that a test reads and writes."""

    def __init__(self, name, target, cleanup):
        self.name = name
        self.target = target
        self.cleanup = cleanup

    @property
    def number(self):
        return pathlib.Path(f"/sys/block/{self.name}/dev").read_text().strip()

    def scheduler(self, name):
        offered = pathlib.Path(f"/sys/block/{self.name}/queue/scheduler").read_text()
        if name not in offered.replace("[", "").replace("]", "").split():
            pytest.skip(f"{self.name} has no scheduler {name}")
        write_queue(self.name, "scheduler", name, self.cleanup)
        return self


@pytest.fixture
def null_devices(traceable, cleanup):
    """Loads null_blk with two devices of so many queues."""
    def load(**parameters):
        if not os.environ.get("WHYSTALL_VM"):
            pytest.skip("loads a module: in the virtual machine only")
        given = {"nr_devices": 2, "gb": 1, "queue_mode": 2, "submit_queues": 4, "hw_queue_depth": 128,
                 "completion_nsec": 50000, **parameters}
        subprocess.run(["modprobe", "null_blk", *(f"{key}={value}" for key, value in given.items())],
                       check=True)
        cleanup.callback(subprocess.run, ["modprobe", "-r", "null_blk"], check=True)
        return [BlockDevice(name, f"/dev/{name}", cleanup) for name in ("nullb0", "nullb1")]
    return load


def loop_attach(cleanup, file, *options):
    found = subprocess.run(["losetup", "-f", "--show", *options, str(file)], check=False,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if found.returncode:
        pytest.skip(f"no loop device: {found.stderr.strip()}")
    path = found.stdout.strip()

    def detach():
        subprocess.run(["losetup", "-d", path], check=True)
        # A device that someone still holds detaches later; the next test must not meet it half way.
        helpers.wait_until(
            lambda: not os.path.exists(f"/sys/block/{path[5:]}/loop/backing_file"), "losetup -d", 10)
    cleanup.callback(detach)
    helpers.udev_settle()
    return BlockDevice(path[len("/dev/"):], path, cleanup)


@pytest.fixture
def new_loop(traceable, cleanup):
    """Loop devices on memory: idle but for the test, so that /proc/diskstats is the test's own."""
    def make(size=64 * MIB):
        folder = pathlib.Path(tempfile.mkdtemp(
            prefix="whystall-test-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
        cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
        return loop_attach(cleanup, filled_file(folder / "disk.img", size))
    return make


@pytest.fixture
def loop(new_loop):
    return new_loop()


@pytest.fixture
def mounted_loop(loop, cleanup):
    """An ext4 file system on a loop device: .folder."""
    if not shutil.which("mkfs.ext4", path="/usr/sbin:/sbin"):
        pytest.skip("needs mkfs.ext4")
    subprocess.run(["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0",
                    loop.target], check=True, env={"PATH": "/usr/sbin:/sbin:/usr/bin:/bin"})
    folder = pathlib.Path(tempfile.mkdtemp(prefix="whystall-test-"))
    cleanup.callback(folder.rmdir)
    subprocess.run(["mount", "-o", "noatime", loop.target, str(folder)], check=True)
    cleanup.callback(helpers.unmount, folder)
    loop.folder = folder
    return loop


# Size, options of mkfs and of mount: what a file system needs, blocks as large as a page, and no thread
# that reads or writes something of its own after a while.
FILE_SYSTEMS = {
    "ext4": (96, ["-q", "-F", "-b", "4096", "-E", "lazy_itable_init=0,lazy_journal_init=0"],
             "noatime,no_prefetch_block_bitmaps"),
    "xfs": (320, ["-q", "-f"], "noatime"),
    "btrfs": (256, ["-q", "-f"], "noatime"),
}


class FileSystem(BlockDevice):
    """A new file system on a loop device on memory: .kind, and where it is mounted, .folder."""

    def __init__(self, kind, cleanup, *options):
        mebibytes, mkfs_options, always = FILE_SYSTEMS[kind]
        mkfs = shutil.which(f"mkfs.{kind}", path="/usr/sbin:/sbin:/usr/bin:/bin")
        if not mkfs:
            pytest.skip(f"needs mkfs.{kind}")
        memory = pathlib.Path(tempfile.mkdtemp(
            prefix="whystall-test-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
        cleanup.callback(shutil.rmtree, memory, ignore_errors=True)
        with open(memory / "disk.img", "wb") as image:
            image.truncate(mebibytes * MIB)
        device = loop_attach(cleanup, memory / "disk.img")
        super().__init__(device.name, device.target, cleanup)
        self.kind = kind
        subprocess.run([mkfs, *mkfs_options, self.target], check=True, stdout=subprocess.DEVNULL)
        self.folder = memory / "mounted"
        self.folder.mkdir()
        cleanup.callback(self.unmount)
        mounted = subprocess.run(
            ["mount", "-t", kind, "-o", ",".join([always, *options]), self.target, str(self.folder)],
            stderr=subprocess.PIPE, check=False)
        if mounted.returncode and kind not in pathlib.Path("/proc/filesystems").read_text().split():
            pytest.skip(f"this kernel has no {kind}")
        assert mounted.returncode == 0, mounted
        self.sync()

    def sync(self):
        subprocess.run(["sync", "-f", str(self.folder)], check=True)

    def unmount(self):
        if os.path.ismount(self.folder):
            helpers.unmount(self.folder)


@pytest.fixture
def new_file_system(traceable, cleanup):
    def make(kind, *options):
        return FileSystem(kind, cleanup, *options)
    return make


@pytest.fixture(params=FILE_SYSTEMS)
def file_system(request, new_file_system):
    """Once with each kind."""
    return new_file_system(request.param)


def set_for_a_while(path, value, cleanup):
    """A setting of the kernel, put back at the end."""
    path = pathlib.Path(path)
    try:
        before = path.read_text(encoding="ascii")
        path.write_text(str(value), encoding="ascii")
    except OSError as error:
        pytest.skip(f"cannot set {path}: {error.strerror}")
    cleanup.callback(path.write_text, before, encoding="ascii")


class Flushers:
    """The kernel's flusher threads, held back so that a test says when they write.

    By themselves they would every 5 s, what has been dirty for 30: soon, in an emulator.
    """
    HOUR_CS = 360000

    def __init__(self, cleanup):
        for key in ("dirty_expire_centisecs", "dirty_writeback_centisecs"):
            set_for_a_while(f"/proc/sys/vm/{key}", self.HOUR_CS, cleanup)

    def wake(self):
        """The kernel has them write all that is dirty when their interval changes."""
        interval = pathlib.Path("/proc/sys/vm/dirty_writeback_centisecs")
        for centisecs in (self.HOUR_CS + 1, self.HOUR_CS):
            interval.write_text(str(centisecs), encoding="ascii")

    def write_back(self, device, bytes_written, before):
        """Wakes them until they have written so much to a device since then: they may be busy."""
        def done():
            self.wake()
            return helpers.diskstats_since(device, before).write_sectors * 512 >= bytes_written
        helpers.wait_until(done, "the flusher")


@pytest.fixture
def flushers(traceable, cleanup):
    return Flushers(cleanup)


@pytest.fixture
def disk_folder(traceable, cleanup):
    """A folder on a disk of this machine, beside the build: /tmp may be memory."""
    base = helpers.ROOT / "build" if (helpers.ROOT / "build").is_dir() else None
    path = pathlib.Path(tempfile.mkdtemp(prefix="whystall-test-", dir=base))
    cleanup.callback(shutil.rmtree, path, ignore_errors=True)
    if not helpers.disk_of(path):
        pytest.skip("the build lies on no block device")
    return path


@pytest.fixture
def disk(disk_folder, cleanup):
    """A preallocated file on a disk of this machine, which others may use meanwhile."""
    name, _ = helpers.disk_of(disk_folder)
    return BlockDevice(name, filled_file(disk_folder / "data", 64 * MIB), cleanup)


@pytest.fixture
def fuse_file(traceable, cleanup):
    """A file on FUSE whose reads take a known time, and the search for any name beside it too; `serial`: one
    after the other."""
    def make(delay_us, size=64 * MIB, fail_from=0, serial=False):
        if not os.path.exists("/dev/fuse"):
            pytest.skip("no /dev/fuse")
        folder = pathlib.Path(tempfile.mkdtemp(prefix="whystall-test-"))
        cleanup.callback(folder.rmdir)
        server = subprocess.Popen(
            [*helpers.workload("fuse_delay"), str(size), str(delay_us), str(fail_from), str(folder),
             *["-s"] * serial],
            stderr=subprocess.DEVNULL)
        cleanup.callback(server.wait, 10)
        cleanup.callback(subprocess.run, ["umount", "-l", str(folder)], check=False)
        file = folder / "disk.img"
        helpers.wait_until(lambda: file.exists() or server.poll() is not None, "the FUSE file")
        if server.poll() is not None:
            pytest.skip("FUSE cannot be mounted here")
        return file
    return make


@pytest.fixture
def fuse_disk(fuse_file, cleanup):
    """A loop device on such a file."""
    def make(*args, **options):
        return loop_attach(cleanup, fuse_file(*args, **options), "-r")
    return make


def cgroup_remove(path):
    """Moves what is left in it back to the root of its hierarchy; a cgroup with tasks stays."""
    root = path
    while (root.parent / "cgroup.procs").exists():
        root = root.parent
    for folder in [*path.glob("*/"), path]:
        for pid in (folder / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):
                (root / "cgroup.procs").write_text(pid)
        for _ in range(100):
            try:
                folder.rmdir()
                break
            except OSError:
                time.sleep(0.05)


@pytest.fixture
def new_cgroup(traceable, cleanup):
    """Makes a cgroup in a hierarchy: the path of cgroup2, or the name of a v1 controller."""
    def make(hierarchy, name=None):
        path = hierarchy / (name or f"whystall-test-{uuid.uuid4().hex[:8]}")
        try:
            path.mkdir()
        except OSError as error:
            pytest.skip(f"cannot make a cgroup: {error}")
        cleanup.callback(cgroup_remove, path)
        return path
    return make


@pytest.fixture
def cgroup2():
    for path in (CGROUP, CGROUP / "unified"):
        if (path / "cgroup.controllers").exists():
            return path
    pytest.skip("no cgroup2")


@pytest.fixture
def cgroup1():
    for name in ("freezer", "pids", "blkio"):
        if (CGROUP / name / "tasks").exists():
            return CGROUP / name
    pytest.skip("no cgroup v1 hierarchy")


@pytest.fixture
def throttle(new_cgroup):
    """A cgroup whose reads and writes on a device are limited, by v1 blkio or by v2 io.max."""
    def make(device, bytes_per_second):
        if (CGROUP / "blkio" / "blkio.throttle.read_bps_device").exists():
            path = new_cgroup(CGROUP / "blkio")
            for direction in ("read", "write"):
                (path / f"blkio.throttle.{direction}_bps_device").write_text(
                    f"{device.number} {bytes_per_second}")
            return path
        if "io" in (CGROUP / "cgroup.subtree_control").read_text().split() \
                if (CGROUP / "cgroup.subtree_control").exists() else False:
            path = new_cgroup(CGROUP)
            (path / "io.max").write_text(
                f"{device.number} rbps={bytes_per_second} wbps={bytes_per_second}")
            return path
        return pytest.skip("no cgroup can limit block I/O here")
    return make
