# SPDX-License-Identifier: BSD-2-Clause
"""What is computed from what was measured: pure functions."""

import collections
import re
import statistics

# The least and the greatest stand beside a median: with so few rounds anything finer would be invented.
Spread = collections.namedtuple("Spread", "median low high count")
# Sums over all programs of one place.
Cost = collections.namedtuple("Cost", "runs ns")

# The moments of a request, and the events of a context switch, by the names of programs (of which older kernels
# keep 15 characters). `again`: the second program on a tracepoint, which only runs after the first.
PLACES = {
    "Q": r"^block_(io_)?start|^block_getrq",
    "D": r"^block_(rq_)?issue",
    "C": r"^block_(rq_)?compl",
    "switch": r"switch",
    "waking": r"waking",
    "wakeup": r"wakeup",
}


def spread(values):
    values = [value for value in values if value is not None]
    return Spread(statistics.median(values), min(values), max(values), len(values)) if values else None


def place_of(name):
    """The moment or event at which a program of this name runs; None for others."""
    return next((place for place, pattern in PLACES.items() if re.search(pattern, name)), None)


def ran(before, after):
    """What each program did between two looks: {name: Cost}, programs of one name added up."""
    costs = collections.defaultdict(lambda: Cost(0, 0))
    for number, program in after.items():
        old = before.get(number)
        runs = program.run_cnt - (old.run_cnt if old else 0)
        ns = program.run_time_ns - (old.run_time_ns if old else 0)
        if runs > 0:
            cost = costs[program.name]
            costs[program.name] = Cost(cost.runs + runs, cost.ns + ns)
    return dict(costs)


def ns_by_place(costs, least_runs=1):
    """Nanoseconds per event: {place: ns}. Where several programs run at one event, all of their time
    counts, by the runs of the one that ran most. A place with fewer runs is left out."""
    places = collections.defaultdict(list)
    for name, cost in costs.items():
        place = place_of(name)
        if place:
            places[place].append(cost)
    return {place: sum(cost.ns for cost in found) / max(cost.runs for cost in found)
            for place, found in places.items()
            if max(cost.runs for cost in found) >= max(least_runs, 1)}


def net(by_place, empty):
    """The sum over its places less what empty programs take at the same; None where one of them is not known."""
    if not by_place or any(place not in empty for place in by_place):
        return None
    return sum(ns - empty[place] for place, ns in by_place.items())


def ratio(part, whole):
    """None where either was not measured, or the whole is nothing."""
    if part is None or not whole or whole < 0:
        return None
    return part / whole


def parse_fdinfo(text):
    """/proc/PID/fdinfo/FD: {key: value}, figures as integers."""
    found = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        value = value.strip()
        if colon:
            found[key.strip()] = int(value) if re.fullmatch(r"-?\d+", value) else value
    return found


def parse_smaps(text):
    """/proc/PID/smaps: [(name of the mapping or "", resident bytes)]"""
    mappings = []
    for line in text.splitlines():
        mapping = re.match(r"[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \d+ *(.*)", line)
        resident = re.match(r"Rss: +(\d+) kB", line)
        if mapping:
            mappings.append([mapping[1], 0])
        elif resident and mappings:
            mappings[-1][1] = int(resident[1]) * 1024
    return [tuple(mapping) for mapping in mappings]


def resident_by_kind(mappings):
    """Resident bytes: of BPF maps, of heap, stack and other memory of the process's own, of files."""
    kinds = {"total": 0, "bpf_maps": 0, "own": 0, "files": 0}
    for name, resident in mappings:
        if name.startswith("anon_inode:bpf"):
            kind = "bpf_maps"
        elif name.startswith("/"):
            kind = "files"
        else:
            kind = "own"
        kinds[kind] += resident
        kinds["total"] += resident
    return kinds


def parse_stat_ticks(text):
    """/proc/PID/stat: (user, system) clock ticks. The name may hold anything, parentheses too."""
    fields = text[text.rindex(")") + 2:].split()
    return int(fields[11]), int(fields[12])
