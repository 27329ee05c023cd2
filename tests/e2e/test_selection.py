# SPDX-License-Identifier: BSD-2-Clause
"""Which processes belong to the job: -p, -c, -n, -a, and tasks that fork while whystall attaches."""
import os
import signal
import time

import pytest

import helpers

BLOCK = 4096


def reader(spawn, target, blocks, *options, program=None, **popen):
    """A process that waits, then reads so many blocks; the first line it prints is consumed."""
    child = spawn(*(program or helpers.workload("blockread")), "-w", "-n", str(blocks), *options, target,
                  **popen)
    child.expect("ready")
    return child


def finished(*children):
    for child in children:
        child.go()
        assert child.wait() == 0


def bytes_of(report, loop):
    return report.per_pid("bytes", loop.name, "read")


def test_several_pids(whystall, spawn, loop):
    one, two, other = (reader(spawn, loop.target, blocks) for blocks in (3, 5, 7))
    tracer = whystall.attach("-p", f"{one.pid},{two.pid}")
    finished(other, one, two)
    report = tracer.report()
    assert bytes_of(report, loop) == {one.pid: 3 * BLOCK, two.pid: 5 * BLOCK}
    assert {row["pid"] for row in report.processes} == {one.pid, two.pid}


def test_process_without_io_is_listed(whystall, spawn, loop):
    idle = reader(spawn, loop.target, 0)
    tracer = whystall.attach("-p", str(idle.pid))
    finished(idle)
    assert tracer.report().row(pid=idle.pid)["io"] == []


def test_row_of_a_process(whystall, spawn, loop):
    child = reader(spawn, loop.target, 3)
    tracer = whystall.attach("-p", str(child.pid))
    with open(f"/proc/{child.pid}/cgroup", encoding="utf-8") as file:
        paths = [line.rstrip("\n").split(":", 2)[2] for line in file]
    finished(child)
    row = tracer.report().row(pid=child.pid)
    assert row["comm"] == "blockread"
    assert row["ppid"] == os.getpid()
    assert loop.target in row["cmdline"]
    assert row["threads"] == 1
    assert row["start_s"] < 0 < row["end_s"]
    assert any(path in row["cgroup"] for path in paths)
    assert row["block_s"] > 0


def test_children_forked_before_the_start(whystall_both, spawn, loop):
    """Parent, child, grandchild, all older than whystall; the grandchild reads."""
    program = helpers.workload("blockread")
    parent = spawn("sh", "-c", 'sh -c \'"$@"; true\' "$@"; true', "sh", "sh", *program,
                   "-w", "-n", "9", loop.target)
    grandchild = parent.expect("ready")
    (child,) = helpers.children_of(parent.pid)
    assert helpers.children_of(child) == [grandchild]
    tracer = whystall_both.attach("-p", str(parent.pid))
    finished(parent)
    report = tracer.report()
    assert bytes_of(report, loop) == {grandchild: 9 * BLOCK}
    assert {row["pid"] for row in report.processes} >= {parent.pid, child, grandchild}


@pytest.mark.parametrize("at", ["start", "exec"])
def test_name_pattern(whystall_both, spawn, loop, tmp_path, at):
    """Matched for running processes and at every exec; a forked child of a match belongs too."""
    named = tmp_path / "whyload-7"
    named.symlink_to(helpers.workload("blockread")[0])
    other = reader(spawn, loop.target, 5)
    if at == "start":
        child = reader(spawn, loop.target, 3, program=[named])
        tracer = whystall_both.attach("-n", "whyload-*")
    else:
        child = spawn("sh", "-c", 'read go; exec "$@"', "sh", named, "-n", "3", loop.target)
        tracer = whystall_both.attach("-n", "whyload-*")
    finished(other, child)
    report = tracer.report(signal.SIGINT)
    assert bytes_of(report, loop) == {child.pid: 3 * BLOCK}
    assert report.row(pid=child.pid)["comm"] == "whyload-7"
    assert other.pid not in {row["pid"] for row in report.processes}


def test_whole_host(whystall_both, spawn, loop):
    one, two, idle = (reader(spawn, loop.target, blocks) for blocks in (3, 5, 0))
    before = helpers.diskstats(loop.name)
    tracer = whystall_both.attach("-a")
    finished(one, two, idle)
    report = tracer.report(signal.SIGINT)
    moved = helpers.diskstats_since(loop.name, before).read_sectors * 512
    assert bytes_of(report, loop) == {one.pid: 3 * BLOCK, two.pid: 5 * BLOCK}
    assert idle.pid not in {row["pid"] for row in report.processes}
    assert report.device(loop.name)["read_bytes"] == moved == 8 * BLOCK


@pytest.mark.parametrize("hierarchy", ["cgroup2", "cgroup1"])
def test_cgroup(whystall_both, spawn, loop, new_cgroup, request, hierarchy):
    """In at the start, in a cgroup below, joining later, forked inside, leaving (stays); and a stranger."""
    group = new_cgroup(request.getfixturevalue(hierarchy))
    below = group / "below"
    below.mkdir()
    inside, deeper, joining, leaving, stranger = (
        reader(spawn, loop.target, blocks) for blocks in (3, 5, 7, 11, 13))
    (group / "cgroup.procs").write_text(str(inside.pid))
    (below / "cgroup.procs").write_text(str(deeper.pid))
    (group / "cgroup.procs").write_text(str(leaving.pid))
    tracer = whystall_both.attach("-c", group)
    (group / "cgroup.procs").write_text(str(joining.pid))
    (group.parent / "cgroup.procs").write_text(str(leaving.pid))
    # How soon whystall learns of one that joins is not fixed; one interval is.
    time.sleep(1.5)
    finished(inside, deeper, joining, leaving, stranger)
    report = tracer.report(signal.SIGINT)
    assert bytes_of(report, loop) == {
        inside.pid: 3 * BLOCK, deeper.pid: 5 * BLOCK, joining.pid: 7 * BLOCK, leaving.pid: 11 * BLOCK}
    assert stranger.pid not in {row["pid"] for row in report.processes}


def test_cgroup_made_below_while_tracing(whystall, spawn, loop, new_cgroup, cgroup2):
    group = new_cgroup(cgroup2)
    child = reader(spawn, loop.target, 3)
    tracer = whystall.attach("-c", group)
    (group / "later").mkdir()
    (group / "later" / "cgroup.procs").write_text(str(child.pid))
    time.sleep(1.5)
    finished(child)
    report = tracer.report(signal.SIGINT)
    assert bytes_of(report, loop) == {child.pid: 3 * BLOCK}


def logged(path):
    with open(path, encoding="ascii") as file:
        return {int(pid): int(start) for pid, start in (line.split() for line in file)}


def each_read_one_block(report, loop, pids):
    counted = bytes_of(report, loop)
    lost = [pid for pid in pids if counted.get(pid) != BLOCK]
    assert not lost, f"{len(lost)} of {len(pids)} readers, the first {lost[:5]}"
    assert report.nothing_lost(), report.loss


@pytest.mark.parametrize("attempt", range(3))
def test_forks_while_attaching(whystall_both, spawn, loop, tmp_path, attempt):
    """A parent forks without pause before, during and after the attach. Every child is alive then and
    reads one block afterwards, so that not one of them may be missing."""
    log = tmp_path / f"log{attempt}"
    storm = spawn(*helpers.workload("fork_storm"), "hold", loop.target, log, "1500")
    storm.expect("ready")
    tracer = whystall_both.attach("-p", str(storm.pid))
    storm.go()
    storm.expect("done")
    report = tracer.report()
    pids = logged(log)
    assert len(pids) > 50
    each_read_one_block(report, loop, pids)
    assert set(bytes_of(report, loop)) == set(pids)


def test_grandchildren_that_live_shortly(whystall_both, spawn, loop, tmp_path):
    """All that began to read after whystall said that it traces."""
    log = tmp_path / "log"
    storm = spawn(*helpers.workload("fork_storm"), "churn", loop.target, log, "100000")
    storm.expect("ready")
    tracer = whystall_both.attach("-p", str(storm.pid))
    attached_ns = time.monotonic_ns()
    helpers.wait_until(
        lambda: sum(start > attached_ns for start in list(logged_so_far(log).values())) > 200,
        "200 grandchildren")
    storm.go()
    storm.expect("done")
    report = tracer.report()
    each_read_one_block(
        report, loop, [pid for pid, start in logged(log).items() if start > attached_ns])


def logged_so_far(path):
    """The last line may be half written."""
    text = path.read_text(encoding="ascii") if path.exists() else ""
    return {int(pid): int(start) for pid, start in
            (line.split() for line in text[:text.rfind("\n") + 1].splitlines())}


def test_chain_of_orphans(whystall_both, spawn, loop, tmp_path):
    """Each reader forks the next and exits at once: their parents are gone, yet they are the job."""
    log = tmp_path / "log"
    chain = spawn(*helpers.workload("fork_storm"), "chain", loop.target, log, "300")
    chain.expect("ready")
    tracer = whystall_both.attach("-p", str(chain.pid))
    chain.go()
    chain.expect("done")
    report = tracer.report()
    pids = logged(log)
    assert len(pids) == 300
    each_read_one_block(report, loop, pids)


def test_devices_selected(whystall, new_loop):
    """-D keeps one of two devices, named in every way that means it."""
    one, two = new_loop(), new_loop()
    program = helpers.workload("blockread")
    for name in (one.name, one.target, one.name[:-1] + f"[{one.name[-1]}]"):
        report = whystall.report(
            "-D", name, "--", *program, "-n", "3", one.target, program[0], "-n", "5", two.target)
        assert [device["name"] for device in report.data["devices"]] == [one.name]
        assert {io["device"] for io in report.io()} == {one.name}
        assert report.total("bytes") == 3 * BLOCK
    report = whystall.report("-D", one.name, "-D", two.name, "--",
                             *program, "-n", "3", one.target, program[0], "-n", "5", two.target)
    assert report.total("bytes", device=one.name) == 3 * BLOCK
    assert report.total("bytes", device=two.name) == 5 * BLOCK


def test_device_under_a_path(whystall, mounted_loop):
    file = mounted_loop.folder / "data"
    file.write_bytes(b"x" * 64 * BLOCK)
    os.sync()
    report = whystall.report(
        "-D", mounted_loop.folder, "--", *helpers.workload("blockread"), "-n", "64", file)
    assert report.total("bytes", op="read") == 64 * BLOCK
    assert {io["device"] for io in report.io()} == {mounted_loop.name}


def test_more_processes_than_the_table_holds(whystall, spawn):
    """As many entries less 4 fixed ones: the rest is counted, once each; start and end do not hang. (Fewer
    rows, if the first that ended were added up before the end.)"""
    crowd = spawn(*helpers.workload("crowd.py"), "4200")
    crowd.expect("ready")
    tracer = whystall.attach("-p", str(crowd.pid), env={"WHYSTALL_TABLES": "owners=4096"})
    crowd.go()
    report = tracer.report()
    assert 0 < len(report.processes) <= 4092
    assert report.loss["processes_dropped"] == 4201 - 4092


def test_five_thousand_processes(whystall, spawn):
    crowd = spawn(*helpers.workload("crowd.py"), "5000")
    crowd.expect("ready")
    tracer = whystall.attach("-p", str(crowd.pid))
    crowd.go()
    report = tracer.report()
    assert len(report.processes) == 5001
    assert report.loss["processes_dropped"] == 0


def test_whole_host_knows_short_processes(whystall, spawn, loop):
    """A process that came and went between two looks at /proc has its command line and threads."""
    tracer = whystall.attach("-a")
    child = spawn(*helpers.workload("blockread"), "-n", "17", loop.target)
    assert child.wait() == 0
    row = tracer.report(signal.SIGINT).row(pid=child.pid)
    assert row["cmdline"].endswith(f"blockread -n 17 {loop.target}")
    assert row["threads"] == 1
