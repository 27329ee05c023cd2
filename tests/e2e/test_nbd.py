# SPDX-License-Identifier: BSD-2-Clause
"""A network block device whose server is a process of this host, outside the job."""
import os
import pathlib
import socket
import subprocess

import pytest

import helpers
from test_served import rows_of_servers, the_server
from test_stacked import need_module, run

SIZE = 64 << 20
# Each read takes 10 ms, one after the other.
SERVER = """
import socket, struct, sys, time
connection = socket.socket(fileno=int(sys.argv[1]))
READ, WRITE = 0, 1
data = bytearray(int(sys.argv[2]))
while len(request := connection.recv(28, socket.MSG_WAITALL)) == 28:
    magic, kind, handle, at, length = struct.unpack(">II8sQI", request)
    assert magic == 0x25609513
    if kind == READ:
        time.sleep(0.01)
    elif kind == WRITE:
        data[at:at + length] = connection.recv(length, socket.MSG_WAITALL)
    else:
        break
    answer = data[at:at + length] if kind == READ else b""
    connection.sendall(struct.pack(">II8s", 0x67446698, 0, handle) + answer)
"""
# SET_SOCK, SET_BLKSIZE, SET_SIZE_BLOCKS; DO_IT, which takes as long as the device is connected.
CLIENT = """
import fcntl, os, sys
device = os.open(sys.argv[1], os.O_RDWR)
for number, value in (0xab00, int(sys.argv[2])), (0xab01, 4096), (0xab07, int(sys.argv[3]) // 4096):
    fcntl.ioctl(device, number, value)
fcntl.ioctl(device, 0xab03)
"""


def tcp_pair():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return socket.create_connection(listening.getsockname()), listening.accept()[0]


PAIRS = {"tcp": tcp_pair, "unix": socket.socketpair}


@pytest.fixture
def disk(traceable, cleanup):
    """Connect the first device: its path, and its server's PID. The server outlives its client."""
    need_module("nbd")

    def start(script, connection, *args):
        number = connection.fileno()
        process = subprocess.Popen(["/usr/bin/python3", "-c", script, *[str(a or number) for a in args]],
                                   pass_fds=[number])
        connection.close()
        cleanup.callback(process.wait, 20)
        cleanup.callback(process.kill)
        return process

    def connect(kind):
        ours, theirs = PAIRS[kind]()
        server = start(SERVER, theirs, None, SIZE)
        start(CLIENT, ours, "/dev/nbd0", None, SIZE)
        helpers.wait_until(pathlib.Path("/sys/block/nbd0/pid").exists, "the device")
        helpers.udev_settle()
        return "/dev/nbd0", server.pid
    return connect


@pytest.mark.parametrize("kind", PAIRS)
def test_server_of_a_disk(whystall, disk, kind):
    """The kernel's own thread ends the waits; the device tells whose socket it has."""
    path, server = disk(kind)
    report, _ = whystall.traced("--", *helpers.workload("loader.py"), "--step-ms", "1", "--file", path, "--direct",
                                "--reads", "1", "--seconds", "8")
    place, _ = the_server(report, "storage", server)
    assert place["class_pct"] >= 80
    assert max(place["time_pct"], key=place["time_pct"].get) == "sleep", place


def test_file_system_on_a_partition(whystall, disk, cleanup, public_folder):
    """Its device has a number of its own; the verdict names the mount."""
    path, server = disk("tcp")
    run("sfdisk", "--quiet", path, input="label: gpt\nsize=48MiB\n")
    run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", f"{path}p1")
    run("mount", "-o", "noatime", f"{path}p1", public_folder)
    cleanup.callback(helpers.unmount, public_folder)
    file = public_folder / "data"
    file.write_bytes(os.urandom(16 << 20))
    run("sync", "-f", public_folder)
    job = ["--", *helpers.workload("loader.py"), "--step-ms", "1", "--file", str(file), "--direct", "--reads", "1"]
    report, _ = whystall.traced(*job, "--seconds", "8")
    the_server(report, "storage", server)
    text = whystall.start("-q", *job).finish().stdout
    assert f"served: storage: {public_folder}, served by python3 ({server}), " in text


def test_job_that_reads_elsewhere(whystall, disk, loop):
    """There is such a device, and the job does not wait for it."""
    disk("tcp")
    report = whystall.report("--", *helpers.workload("loader.py"), "--step-ms", "1", "--file", f"/dev/{loop.name}",
                             "--direct", "--reads", "1", "--cpu-ms", "3")
    assert rows_of_servers(report) == []
