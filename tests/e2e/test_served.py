# SPDX-License-Identifier: BSD-2-Clause
"""Processes outside the job that it waits for, against servers whose work is known."""
import subprocess
import sys

import pytest

import helpers

# Each request takes 10 ms; a thread for each connection, of which there is one for each request.
TCP = """
import http.server, os, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        work()
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(bytes(1000))
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""
# One thread for each connection, which stays.
UNIX = """
import os, socket, sys, threading, time
def serve(connection):
    while connection.recv(1):
        work()
        connection.sendall(bytes(100))
listening = socket.socket(socket.AF_UNIX)
listening.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o777)
listening.listen()
print(0, flush=True)
while True:
    threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()
"""

WORKS = {
    "sleep": "import time\ndef work(): time.sleep(0.01)\n",
    "cpu": "import time\ndef work():\n    end = time.thread_time() + 0.004\n    while time.thread_time() < end: pass\n",
    "disk": "import mmap, os, sys, time\nFD = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECT)\n"
            "def work():\n    time.sleep(0.01)\n    os.preadv(FD, [mmap.mmap(-1, 4096)], 0)\n",
}

UNIX_JOB = """
import multiprocessing, os, socket, sys, time
def ask(out):
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(sys.argv[1])
    while True:
        time.sleep(float(sys.argv[2]))
        connection.sendall(b"?")
        connection.recv(100)
        out.put(b"x")
if __name__ == "__main__":
    batches = multiprocessing.Queue(4)
    for _ in range(2):
        multiprocessing.Process(target=ask, args=(batches,), daemon=True).start()
    end = time.monotonic() + 5
    while time.monotonic() < end:
        batches.get()
        time.sleep(0.001)
"""


@pytest.fixture
def server(cleanup):
    """A server outside the job: its process, and what it says first."""
    def start(work, script, *args):
        process = subprocess.Popen(["/usr/bin/python3", "-c", WORKS[work] + script, *map(str, args)],
                                   stdout=subprocess.PIPE, text=True)
        cleanup.callback(process.wait, 10)
        cleanup.callback(process.kill)
        return process, process.stdout.readline().strip()
    return start


@pytest.fixture
def load(whystall):
    """The report on the loader."""
    def run(*options):
        report, _ = whystall.traced("--", *helpers.workload("loader.py"), "--step-ms", "1", *map(str, options))
        return report
    return run


def served_by(report):
    (verdict,) = report.data["verdicts"]
    return [place for place in verdict.get("where", []) if place.get("role") == "server"]


def rows_of_servers(report):
    return [row for row in report.processes if row.get("role") == "server"]


def the_server(report, verdict_class, pid=None):
    """The place of the one server there is, which the verdict, the evidence and its row agree on."""
    (verdict,) = report.data["verdicts"]
    (place,) = served_by(report)
    (row,) = rows_of_servers(report)
    assert verdict["class"] == place["class"] == verdict_class
    assert place["kind"] == "process" and place["pid"] == row["pid"] == (pid or row["pid"])
    assert place["name"] == f'{row["pid"]} {row["comm"]}'
    assert any(f'{row["comm"]} ({row["pid"]})' in line for line in verdict["evidence"])
    assert place["pct"] >= 50
    assert sum(place["time_pct"].values()) == pytest.approx(100, abs=0.1)
    assert row["io"] is None and row["files"] is None and row["block_s"] is None
    check_sums(report)
    return place, row


def check_sums(report):
    """A server is in none of the job's sums, is no trainer, and makes nobody's input."""
    servers = {row["pid"] for row in rows_of_servers(report)}
    for key, value in report.data["job"]["time_s"].items():
        rows = [row["time_s"][key] for row in report.processes if "time_s" in row and row["pid"] not in servers]
        assert sum(rows) == pytest.approx(value, abs=1e-3), key
    for verdict in report.data["verdicts"]:
        assert verdict["pid"] not in servers
        assert not servers & {place["pid"] for place in verdict["where"]
                              if place["kind"] == "process" and "role" not in place}


@pytest.mark.parametrize("work, classes", [("cpu:5000", ("cpu", "runqueue")), ("socket:5000", ("network",)),
                                           ("5000", ("sleep",))])
def test_file_system_in_user_space(load, fuse_file, work, classes):
    """What its threads do for a read, and not that they wait for the next one."""
    place, row = the_server(load("--file", fuse_file(work), "--reads", 1), "storage")
    assert row["comm"] == "fuse_delay"
    assert place["class_pct"] >= 90
    assert sum(place["time_pct"].get(key, 0) for key in classes) >= 75, place
    assert sum(row["time_s"][key] for key in classes) >= 0.5


@pytest.mark.parametrize("work, classes", [("cpu", ("cpu", "runqueue")), ("sleep", ("sleep",))])
def test_service_on_a_socket_of_the_host(load, server, work, classes):
    """Loopback: an interrupt wakes the job. Threads that the server starts later are followed."""
    process, port = server(work, TCP)
    place, _ = the_server(load("--url", f"http://127.0.0.1:{port}/"), "network", process.pid)
    assert sum(place["time_pct"].get(key, 0) for key in classes) >= 60, place


def test_service_by_its_ipv6_address(load, server):
    """The same listening socket; the connection's addresses are written in another way."""
    script = TCP.replace('("127.0.0.1", 0)', '("::", 0)').replace(
        "server =", "http.server.ThreadingHTTPServer.address_family = 10\nserver =", 1)
    process, port = server("sleep", script)
    the_server(load("--url", f"http://127.0.0.1:{port}/"), "network", process.pid)


def test_service_on_a_unix_socket(whystall, server, tmp_path, public_folder):
    path = public_folder / "socket"
    process, _ = server("cpu", UNIX, path)
    script = tmp_path / "job.py"
    script.write_text(UNIX_JOB)
    report, _ = whystall.traced("--", "/usr/bin/python3", script, path, "0")
    place, _ = the_server(report, "external", process.pid)
    assert place["time_pct"]["cpu"] + place["time_pct"].get("runqueue", 0) >= 60, place


def test_waits_for_work_are_no_work(whystall, server, tmp_path, public_folder):
    """Most of the time nobody asks the server for anything: it waits on its sockets, and does nothing."""
    path = public_folder / "socket"
    server("cpu", UNIX, path)
    script = tmp_path / "job.py"
    script.write_text(UNIX_JOB)
    report, _ = whystall.traced("--", "/usr/bin/python3", script, path, "0.03")
    (place,) = served_by(report)
    assert place["time_pct"].get("ipc", 0) <= 20, place


def test_what_a_server_reads_is_not_the_jobs(load, server, loop):
    """Its requests stay those of a stranger, before it is followed and after."""
    before = helpers.diskstats(loop.name)
    process, port = server("disk", TCP, f"/dev/{loop.name}")
    report = load("--url", f"http://127.0.0.1:{port}/")
    (row,) = rows_of_servers(report)
    assert row["pid"] == process.pid
    device = report.device(loop.name)
    assert device["job_read_bytes"] == 0 and device["read_bytes"] > 0
    assert device["read_bytes"] <= 512 * helpers.diskstats_since(loop.name, before).read_sectors
    assert not any(io["device"] == loop.name for io in report.io())
    check_sums(report)


def test_server_of_the_job_itself(whystall, tmp_path):
    """One that the job has started is of it."""
    server = tmp_path / "server.py"
    server.write_text(WORKS["sleep"] + TCP)
    port = tmp_path / "port"
    loader = " ".join(helpers.workload("loader.py"))
    script = (f"/usr/bin/python3 {server} >{port} & sleep 1; "
              f"{loader} --step-ms 1 --seconds 3 --url http://127.0.0.1:$(cat {port})/; kill $!")
    report = whystall.report("--", "sh", "-c", script)
    assert rows_of_servers(report) == []


def test_no_server(load):
    report = load("--cpu-ms", 3)
    assert served_by(report) == rows_of_servers(report) == []


def test_wakes_it_now_and_then(whystall, cleanup, tmp_path):
    """A stranger ends all waits of a thread, but only a few times: that is no server."""
    fifo = tmp_path / "fifo"
    subprocess.run(["mkfifo", "-m", "666", str(fifo)], check=True)
    tmp_path.chmod(0o755)
    stranger = subprocess.Popen([sys.executable, "-c",
                                 "import sys, time\n"
                                 "out = open(sys.argv[1], 'wb', 0)\n"
                                 "for _ in range(6): time.sleep(0.5); out.write(b'x')\n", str(fifo)])
    cleanup.callback(stranger.wait, 10)
    cleanup.callback(stranger.kill)
    report, _ = whystall.traced("--", "/usr/bin/python3", "-c",
                                f"f = open({str(fifo)!r}, 'rb', 0)\nwhile f.read(1): pass\nprint()")
    assert rows_of_servers(report) == []


def test_hostile_name(whystall, server):
    """The server's owner may be anybody."""
    process, port = server("sleep", "open('/proc/self/comm', 'w').write('\\x1b[31m')\n" + TCP)
    job = ["--", *helpers.workload("loader.py"), "--step-ms", "1", "--url", f"http://127.0.0.1:{port}/"]
    text = whystall.start("-q", *job).finish().stdout
    assert f"by \\x1b[31m ({process.pid})" in text
    assert "\x1b" not in text


def test_server_that_ends(whystall, server):
    """Its row has an end, and nothing else happens."""
    script = "import threading\nthreading.Timer(4, lambda: os._exit(0)).start()\n" + TCP
    process, port = server("sleep", "import os\n" + script)
    job = ("import sys, time, urllib.request\n"
           "try:\n"
           "    while True: urllib.request.urlopen(sys.argv[1], timeout=10).read()\n"
           "except OSError: time.sleep(2)\n")
    report = whystall.report("--", "/usr/bin/python3", "-c", job, f"http://127.0.0.1:{port}/")
    (row,) = rows_of_servers(report)
    assert row["pid"] == process.pid
    assert 0 < row["end_s"] <= report.data["window"]["seconds"] - 1
