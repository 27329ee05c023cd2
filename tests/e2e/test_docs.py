# SPDX-License-Identifier: BSD-2-Clause
"""The manual page and docs/report.md say what the program says."""
import csv
import os
import re
import shutil
import subprocess

import pytest

import helpers
from conftest import MIB, filled_file

PAGE = helpers.ROOT / "docs" / "whystall.8"
REPORT = helpers.ROOT / "docs" / "report.md"
OPTIONS_OF = {
    "main": ["Options of the main job and of stat", "Options of the main job alone"],
    "stat": ["Options of the main job and of stat"],
    "doctor": ["Options of doctor"],
}
# Of the last five there is no part of the blame.
VERDICT_CLASSES = {"storage", "cpu", "runqueue", "lock", "network", "gpu", "sleep", "pipeline", "external", "other",
                   "checkpoint", "stuck", "not-input-bound", "mixed", "unknown"}
STAT_COLUMN = re.compile(r"^\.It Sy (\w+)$", re.M)


def page_part(macro, title):
    """The source of one section (Sh) or subsection (Ss) of the manual page."""
    parts = re.split(r"^\.(S[hs]) (.+)\n", PAGE.read_text(encoding="utf-8"), flags=re.M)
    found = [text for kind, name, text in zip(parts[1::3], parts[2::3], parts[3::3])
             if (kind, name) == (macro, title)]
    assert len(found) == 1, (macro, title)
    return found[0]


def help_options(command):
    """{long: (short or None, whether it takes an argument)} by --help."""
    result = helpers.run(*([] if command == "main" else [command]), "--help")
    assert result.status == 0, result
    found = re.findall(r"^ +(?:-(\S), +)?--([a-z-]+)(=\S)?", result.stdout, re.M)
    return {long: (short or None, bool(argument)) for short, long, argument in found}


def page_options(title):
    """The same by the manual page: .It Fl o , Fl -output Ns = Ns Ar FILE"""
    found = {}
    for item in re.findall(r"^\.It (Fl .+)$", page_part("Ss", title), re.M):
        match = re.fullmatch(r"(?:Fl (\S+) , )?Fl -([a-z-]+)( Ns = Ns Ar .+)?", item)
        assert match, item
        short, long, argument = match.groups()
        assert long not in found, f"--{long} twice"
        found[long] = (short.replace(r"\&", "") if short else None, bool(argument))
    return found


@pytest.mark.parametrize("command", OPTIONS_OF)
def test_options(command):
    told = help_options(command)
    assert {"format", "help", "version"} <= set(told)
    found = {}
    for title in OPTIONS_OF[command]:
        found.update(page_options(title))
    assert found == told


def test_stat_columns(whystall):
    result = whystall.start("stat", "-q", "-O", "csv", "50ms", "1").finish()
    assert result.status == 0, result
    (header, *_) = csv.reader(result.stdout.splitlines())
    assert STAT_COLUMN.findall(page_part("Sh", "STAT")) == header


def documented_keys():
    """{path of an object: its keys}, by the tables below the headings "Keys of ..."."""
    keys = {}
    parts = re.split(r"^##+ (.+)\n", REPORT.read_text(encoding="utf-8"), flags=re.M)
    for title, text in zip(parts[1::2], parts[2::2]):
        if not title.startswith("Keys of "):
            continue
        # A section can have another table; that of the keys says so in its header.
        (table,) = re.findall(r"^\| key \|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.M)
        for path in re.findall(r"`(.+?)`", title) or [""]:
            keys[path] = set(re.findall(r"^\| `(\w+)` \|", table, re.M))
    return keys


def written_keys(value, path, keys):
    """The same of a report."""
    if isinstance(value, list):
        for item in value:
            written_keys(item, f"{path}[]", keys)
    elif isinstance(value, dict):
        keys.setdefault(path, set()).update(value)
        for key, item in value.items():
            written_keys(item, f"{path}.{key}".lstrip("."), keys)
    return keys


def report_of_file_read(whystall, mounted_loop):
    file = filled_file(mounted_loop.folder / "data", MIB)
    return whystall.report("--threads", "--", *helpers.workload("cold_read.py"), "self", str(file))


def stuck_report(whystall, cleanup):
    child = helpers.Child([*helpers.workload("lock_cycle"), "2"])
    cleanup.callback(child.kill)
    child.expect("ready")
    child.go()
    return whystall.report("--stuck-after", "1s", "-d", "3s", "-p", str(child.pid))


def test_report_keys(whystall, mounted_loop, fuse_file, cleanup):
    written = written_keys(report_of_file_read(whystall, mounted_loop).data, "", {})
    loader = [*helpers.workload("loader.py"), "--workers", "1", "--cpu-ms", "10", "--step-ms", "1", "--seconds", "5"]
    written_keys(whystall.report("--", *loader).data["verdicts"], "verdicts", written)
    # What rests on looks has keys of its own.
    written_keys(whystall.report("--no-bpf", "--", *loader).data["verdicts"], "verdicts", written)
    loader = [*helpers.workload("loader.py"), "--file", str(fuse_file(5000)), "--reads", "1", "--step-ms", "1"]
    served = whystall.report("--", *loader)
    written_keys({key: served.data[key] for key in ("verdicts", "processes")}, "", written)
    written_keys(stuck_report(whystall, cleanup).data["verdicts"], "verdicts", written)
    assert {"processes[].io[].histogram[]", "processes[].files[]", "verdicts[].where[]",
            "verdicts[].advice[]", "verdicts[].dataset", "verdicts[].waits[]"} <= set(written), "not seen"
    assert written.pop("verdicts[].interval_classes") <= VERDICT_CLASSES
    assert written.pop("verdicts[].where[].time_pct") <= written["processes[].time_s"]
    assert documented_keys() == written


def test_report_csv_columns(whystall):
    result = whystall.start("-q", "-O", "csv", "--", "true").finish()
    assert result.status == 0, result
    (header, *_) = result.stdout.splitlines()
    assert header in REPORT.read_text(encoding="utf-8").splitlines()
    told = set(re.findall(r"\w+", page_part("Ss", "CSV")))
    assert not set(header.split(",")) - told


def test_page_names_the_keys(whystall, mounted_loop):
    """The page has no table of them, but their names."""
    report = report_of_file_read(whystall, mounted_loop)
    written = set().union(*written_keys(report.data, "", {}).values())
    assert not written - set(re.findall(r"\w+", page_part("Ss", "JSON")))


def test_lint():
    if not shutil.which("mandoc"):
        pytest.skip("needs mandoc")
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", PAGE], check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert (done.returncode, done.stdout) == (0, "")


def test_install(tmp_path):
    """Into DESTDIR alone, below PREFIX; from the tree as it was built."""
    if not shutil.which("make"):
        pytest.skip("needs make")
    built = helpers.ROOT / "build" / "whystall"
    assert built.exists(), "run make"
    # Of the make that runs the tests, which may have options that are not meant for this one.
    env = {key: value for key, value in helpers.environment().items()
           if not key.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(["make", "install", f"DESTDIR={tmp_path}", "PREFIX=/usr"], cwd=helpers.ROOT,
                          env=env, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=600)
    assert done.returncode == 0, done.stdout
    binary, page = tmp_path / "usr/sbin/whystall", tmp_path / "usr/share/man/man8/whystall.8"
    installed = {path for path in tmp_path.rglob("*") if not path.is_dir()}
    assert installed == {binary, page}
    assert binary.read_bytes() == built.read_bytes() and os.access(binary, os.X_OK)
    assert page.read_bytes() == PAGE.read_bytes()
    assert page.stat().st_mode & 0o777 == 0o644
    shown = subprocess.run([binary, "--version"], check=True, stdout=subprocess.PIPE, text=True)
    assert shown.stdout == helpers.run("--version").stdout
