# SPDX-License-Identifier: BSD-2-Clause
"""whystall's own processor time per interval of 1 s, over tracked processes and over devices and operations.

Each process reads and writes a block of each device once a second: two keys for each process and device.
"""

import contextlib
import json
import os
import pathlib
import time

import host
import tools
from figures import parse_stat_ticks, spread
from running import Failed, Running

TITLE = "User space: processor time of whystall per interval of 1 s"
GOAL_PCT = 0.5
GOAL_PROCESSES = 1000
PROCESSES, PROCESSES_QUICK = (10, 100, 1000, 5000), (10, 1000)
DEVICES, DEVICES_QUICK = (4, 32, 256), (32,)  # two operations on each
FEW = 10
MOST_KEYS = 2048  # --max-keys, unless it is given
WARM_S = 2.5  # looks come at whole seconds: midway, each interval has one
INTERVALS, INTERVALS_QUICK = 6, 3
TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")


def cpu_ms(pid):
    """On a processor, of all threads."""
    return sum(int((task / "schedstat").read_text(encoding="ascii").split()[0])
               for task in pathlib.Path(f"/proc/{pid}/task").iterdir()) / 1e6


def user_system_ms(pid):
    text = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    return [ticks * TICK_MS for ticks in parse_stat_ticks(text)]


def intervals(pid, count):
    """(milliseconds of each interval, {"user", "system"} per interval)"""
    at_s, last_ms, split = time.monotonic(), cpu_ms(pid), user_system_ms(pid)
    took = []
    for _ in range(count):
        at_s += 1
        time.sleep(max(at_s - time.monotonic(), 0))
        now_ms = cpu_ms(pid)
        took.append(now_ms - last_ms)
        last_ms = now_ms
    user, system = ((now - then) / count for now, then in zip(user_system_ms(pid), split))
    return took, {"user_ms": user, "system_ms": system}


def under(bench, clients, mode, options=()):
    """One run of whystall beside these clients."""
    result = bench.folder / "report.json"
    selection = ["-a"] if mode == "-a" else ["-p", str(clients.pid)]
    command = [tools.WHYSTALL, *selection, *options, "-i", "1s", "-O", "json", "-o", str(result)]
    with Running(command, ready="tracing") as running:
        time.sleep(WARM_S)
        took, split = intervals(running.pid, INTERVALS_QUICK if bench.quick else INTERVALS)
    report = json.loads(result.read_text(encoding="utf-8"))
    result.unlink()
    rows = [row for row in report["processes"] if row["comm"] == "clients"]
    return {"interval_ms": spread(took), **split, "pct": spread([ms / 10 for ms in took]),
            "processes_seen": len(rows), "keys_seen": sum(len(row["io"] or []) for row in rows),
            "processes_dropped": report["loss"]["processes_dropped"], "keys_folded": report["loss"]["keys_folded"]}


def modes(keys):
    """(mode, options) of the runs beside so many keys: with the room that there is by default, and with room for all."""
    found = [("-a", ()), ("-p", ())]
    if keys > MOST_KEYS:
        found += [(mode, ("--max-keys", str(keys + MOST_KEYS // 2))) for mode, _ in found]
    return found


def beside(bench, count, wanted):
    """Rows of so many processes on so many devices, which are there only meanwhile: whystall looks at all that there are."""
    bench.say(f"{TITLE}: {count} processes, {wanted} devices")
    with contextlib.ExitStack() as stack:
        devices = stack.enter_context(host.loop_devices(bench.folder, wanted, 1))
        if not devices:
            raise Failed("no loop device can be made")
        clients = stack.enter_context(Running([tools.BENCH / "clients", str(count), *devices], ready="ready"))
        return [{"processes": count, "devices": len(devices), "devices_wanted": wanted, "mode": " ".join([mode, *options]),
                 **under(bench, clients, mode, options)} for mode, options in modes(2 * len(devices) * count)]


def by_processes(bench):
    return [row for count in (PROCESSES_QUICK if bench.quick else PROCESSES) for row in beside(bench, count, 1)]


def by_devices(bench):
    return [row for wanted in (DEVICES_QUICK if bench.quick else DEVICES) for row in beside(bench, FEW, wanted)]


def measure(bench):
    return {"by_processes": by_processes(bench), "by_devices": by_devices(bench)}


def table(result, write):
    fewer = {row["devices"] for row in result["by_devices"] if row["devices"] < row["devices_wanted"]}
    if fewer:
        write.line(f"  no more than {max(fewer)} loop devices can be made here")
    write.table(["whystall", "processes", "devices x op", "ms per interval", "user", "system", "% of a CPU",
                 "processes seen", "dropped", "keys seen", "requests folded"],
                [[row["mode"], str(row["processes"]), str(2 * row["devices"]), write.spread(row["interval_ms"], 1),
                  *(f"{row[key]:.1f}" for key in ("user_ms", "system_ms")), write.figure(row["pct"].median, 2),
                  *(str(row[key]) for key in ("processes_seen", "processes_dropped", "keys_seen", "keys_folded"))]
                 for row in [*result["by_processes"], *result["by_devices"]]])


def goals(result):
    """Not judged where whystall did not see them all."""
    return [(f"user space with {GOAL_PROCESSES:,} processes, whystall {row['mode']}",
             row["pct"] if row["keys_seen"] >= 2 * GOAL_PROCESSES else None, "at most", GOAL_PCT, "% of a CPU")
            for row in result["by_processes"] if row["processes"] == GOAL_PROCESSES]
