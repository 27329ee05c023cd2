# SPDX-License-Identifier: BSD-2-Clause
"""The report: tables for people, and the same figures as JSON."""

import json
import os

from running import Failed


class Writer:
    """Prints to one stream; figures that were not measured are a dash."""

    def __init__(self, stream):
        self.stream = stream

    def line(self, text=""):
        try:
            print(text, file=self.stream, flush=True)
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())  # what it still holds is not written at the end
            raise Failed(f"standard output: {error.strerror}") from error

    @staticmethod
    def figure(value, digits):
        return "-" if value is None else f"{value:.{digits}f}"

    def spread(self, value, digits):
        if value is None:
            return "-"
        if value.count == 1:
            return self.figure(value.median, digits)
        return f"{value.median:.{digits}f} ({value.low:.{digits}f}..{value.high:.{digits}f})"

    def table(self, headers, rows):
        rows = [headers, *rows]
        widths = [max(len(row[column]) for row in rows) for column in range(len(headers))]
        for row in rows:
            first, *others = (f"{cell:<{width}}" if column == 0 else f"{cell:>{width}}"
                              for column, (cell, width) in enumerate(zip(row, widths)))
            self.line("  " + "  ".join([first, *others]).rstrip())


def judged(value, how, goal):
    """Whether a median meets its goal; None where nothing was measured."""
    if value is None:
        return None
    return value.median <= goal if how == "at most" else value.median >= goal


def write_goals(goals, write):
    rows = []
    for what, value, how, goal, unit in goals:
        met = judged(value, how, goal)
        rows.append([what, write.spread(value, 3 if not unit or unit.startswith("%") else 1), f"{how} {goal} {unit}".strip(),
                     "not measured" if met is None else "met" if met else "MISSED"])
    write.table(["Goal", "measured", "wanted", ""], rows)


def plain(value):
    """Spreads as objects."""
    if hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return round(value, 4) if isinstance(value, float) else value


def can_write(path):
    """Asked before measuring, which leaves an old report as it is until there is a new one."""
    return not os.path.isdir(path) and os.access(path if os.path.exists(path) else os.path.dirname(path) or ".", os.W_OK)


def write_json(path, report):
    try:
        with open(path, "w", encoding="utf-8") as file:
            json.dump(plain(report), file, indent=1)
            file.write("\n")
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}") from error


def goals_for_json(goals):
    return [{"what": what, "measured": value, "wanted": f"{how} {goal} {unit}".strip(), "met": judged(value, how, goal)}
            for what, value, how, goal, unit in goals]
