# SPDX-License-Identifier: BSD-2-Clause
"""What stands around a loop: slow storage, a server, neighbours. Each is a function that is given a Place, puts there
what the case's options may name, and leaves to its stack how it is undone."""
import contextlib
import http.server
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import uuid

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
import helpers  # pylint: disable=wrong-import-position

MIB = 1 << 20
BLKIO = pathlib.Path("/sys/fs/cgroup/blkio")


class Missing(Exception):
    """This host lacks what the case needs: it is skipped."""


class Place:
    """Names for the options ({file}), and a command in front of the loop's own."""

    def __init__(self, stack):
        self.stack = stack
        self.names = {}
        self.prefix = []

    def folder(self, base=None):
        path = pathlib.Path(tempfile.mkdtemp(prefix="whystall-frameworks-", dir=base))
        self.stack.callback(shutil.rmtree, path, ignore_errors=True)
        return path

    def spawn(self, *command, **options):
        process = subprocess.Popen([*map(str, command)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, **options)
        self.stack.callback(end, process)
        return process


def end(process):
    if process.poll() is None:
        process.kill()
    process.wait()


def need(*tools):
    for tool in tools:
        if not shutil.which(tool, path="/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"):
            raise Missing(f"needs {tool}")


def fuse(delay_us, mebibytes=64, kibibytes=0, serial=False):
    """{file}: each read of it takes so long; `serial`: one after the other."""
    def put(place):
        if not os.path.exists("/dev/fuse"):
            raise Missing("no /dev/fuse")
        folder = pathlib.Path(tempfile.mkdtemp(prefix="whystall-frameworks-"))
        place.stack.callback(folder.rmdir)
        size = kibibytes << 10 or mebibytes * MIB
        server = place.spawn(ROOT / "build" / "tests" / "fuse_delay", size, delay_us, 0, folder, *["-s"] * serial)
        place.stack.callback(subprocess.run, ["umount", "-l", str(folder)], check=False, stderr=subprocess.DEVNULL)
        file = folder / "disk.img"
        helpers.wait_until(lambda: file.exists() or server.poll() is not None, "the FUSE file")
        if server.poll() is not None:
            raise Missing("FUSE cannot be mounted here")
        place.names["file"] = file
    return put


def memory(mebibytes=64, kibibytes=0):
    """{file}: as in fuse(), in memory: what a warm page cache comes to."""
    def put(place):
        path = place.folder("/dev/shm" if os.path.isdir("/dev/shm") else None) / "disk.img"
        path.write_bytes(bytes(kibibytes << 10 or mebibytes * MIB))
        place.names["file"] = path
    return put


def loop_mount(place, mebibytes):
    """An ext4 file system on a loop device on memory: its folder, and the device's number."""
    need("losetup", "mkfs.ext4", "umount")
    memory = place.folder("/dev/shm" if os.path.isdir("/dev/shm") else None)
    image, folder = memory / "disk.img", memory / "mounted"
    with open(image, "wb") as file:
        file.truncate(mebibytes * MIB)
    found = subprocess.run(["losetup", "-f", "--show", str(image)], check=False, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if found.returncode:
        raise Missing(f"no loop device: {found.stderr.strip()}")
    device = found.stdout.strip()
    place.stack.callback(subprocess.run, ["losetup", "-d", device], check=False)
    helpers.udev_settle()
    subprocess.run(["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", device], check=True,
                   env={"PATH": "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"})
    folder.mkdir()
    subprocess.run(["mount", "-o", "noatime", device, str(folder)], check=True)
    place.stack.callback(unmount, folder)
    return folder, pathlib.Path(f"/sys/block/{device[5:]}/dev").read_text(encoding="ascii").strip()


def unmount(folder):
    with contextlib.suppress(AssertionError):  # what follows is still undone
        helpers.unmount(folder)


def fill(path, mebibytes):
    """Written and not only allocated, and no longer in the page cache."""
    with open(path, "wb") as file:
        for _ in range(mebibytes):
            file.write(os.urandom(MIB))
        file.flush()
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return path


def disk(mebibytes=64, warm=False):
    """{file} and {folder} on a disk of its own, as fast as memory; `warm`: the file is in the page cache."""
    def put(place):
        folder, place.names["number"] = loop_mount(place, mebibytes + 64)
        place.names["folder"] = folder
        place.names["file"] = fill(folder / "data", mebibytes)
        if warm:
            place.names["file"].read_bytes()
    return put


def limit(read_mib_s):
    """The loop may read no more of {file} than that in a second. Comes after disk()."""
    def put(place):
        if not (BLKIO / "blkio.throttle.read_bps_device").exists():
            raise Missing("no cgroup controller blkio (v1)")
        cgroup = BLKIO / f"whystall-frameworks-{uuid.uuid4().hex[:8]}"
        cgroup.mkdir()
        place.stack.callback(remove_cgroup, cgroup)
        (cgroup / "blkio.throttle.read_bps_device").write_text(
            f"{place.names['number']} {int(read_mib_s * MIB)}", encoding="ascii")
        place.prefix += ["/bin/sh", "-c", f"echo $$ >{cgroup}/cgroup.procs; exec \"$@\"", "sh"]
    return put


def remove_cgroup(path):
    for _ in range(100):
        for pid in (path / "cgroup.procs").read_text(encoding="ascii").split():
            with contextlib.suppress(OSError):
                (BLKIO / "cgroup.procs").write_text(pid, encoding="ascii")
        try:
            path.rmdir()
            return
        except OSError:
            time.sleep(0.05)


def real_folder(place):
    """{folder} on a disk of this machine, beside the build."""
    place.names["folder"] = place.folder(ROOT / "build")


def object_server(delay_ms, kibibytes=16):
    """{url}: an object on a server on this host, which is no part of the job."""
    data = bytes(kibibytes << 10)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # connections are kept

        def do_GET(self):  # pylint: disable=invalid-name
            time.sleep(delay_ms / 1000)
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):  # pylint: disable=arguments-differ
            pass

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, *_):
            """A loop that ends leaves its connections."""

    def put(place):
        server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        place.stack.callback(server.server_close)
        place.stack.callback(server.shutdown)
        place.names["url"] = f"http://127.0.0.1:{server.server_port}/"
    return put


def hogs(count):
    """Processes beside the job that compute all the time."""
    def put(place):
        for _ in range(count):
            place.spawn(sys.executable, "-c", "while True: pass")
    return put


NEIGHBOUR = """
import os, sys, time
fd, at = os.open(sys.argv[1], os.O_RDONLY), 0
size = os.fstat(fd).st_size
while True:
    os.pread(fd, 1 << 18, at % size)
    os.posix_fadvise(fd, at % size, 1 << 18, os.POSIX_FADV_DONTNEED)
    at += 1 << 18
    time.sleep(0.002)
"""


def neighbour(place):
    """A process beside the job that reads from the same disk all the time, with short pauses: it is to keep the disk
    busy and not the processors. Comes after fuse() or disk()."""
    place.spawn(sys.executable, "-c", NEIGHBOUR, place.names["file"])


def one_cpu(place):
    """The job may use one processor."""
    need("taskset")
    place.prefix += ["taskset", "-c", str(min(os.sched_getaffinity(0)))]
