# SPDX-License-Identifier: BSD-2-Clause
"""whystall doctor: what works here, and the remedy for what does not."""
import json
import os
import platform
import shutil
import subprocess

import pytest

import helpers


def test_json(traceable):
    result = helpers.run("doctor", "-O", "json")
    assert result.status == 0, result
    data = json.loads(result.stdout)
    assert data["schema"] == "whystall.doctor/1"
    assert data["works"] is True
    assert data["sources"] == {"bpf": True, "proc": True}
    assert data["kernel"] == platform.release()
    assert data["checks"]
    for check in data["checks"]:
        assert set(check) == {"name", "ok", "needed", "detail", "remedy"}
        assert isinstance(check["ok"], bool) and isinstance(check["needed"], bool)
        assert check["ok"] or check["remedy"], f"{check['name']}: no remedy"
        assert check["ok"] or not check["needed"], "needed, missing, and yet it works?"
    names = [check["name"] for check in data["checks"]]
    assert len(names) == len(set(names))
    assert any("btf" in name.lower() for name in names)
    if os.path.exists("/sys/bus/event_source/devices/uprobe"):
        (markers,) = [check for check in data["checks"] if check["name"] == "input markers"]
        assert markers["ok"] and not markers["needed"], markers


def test_text(traceable):
    result = helpers.run("doctor")
    assert result.status == 0, result
    data = json.loads(helpers.run("doctor", "-O", "json").stdout)
    for check in data["checks"]:
        assert check["name"] in result.stdout
    assert platform.release() in result.stdout


def test_leaves_nothing(traceable):
    before = helpers.bpf_programs()
    if before is None:
        pytest.skip("needs bpftool")
    assert helpers.run("doctor").status == 0
    helpers.no_programs_since(before)


def test_the_older_path_is_told(traceable):
    """Without block_io_start the main job still works, and doctor says what is missing."""
    result = helpers.run("doctor", "-O", "json", env={"WHYSTALL_WITHOUT": "block_io_start"})
    assert result.status == 0, result
    missing = [check for check in json.loads(result.stdout)["checks"]
               if "block_io_start" in check["name"] + check["detail"] and not check["ok"]]
    assert missing and not any(check["needed"] for check in missing)


def test_not_root(traceable, public_folder):
    binary = public_folder / "whystall"
    shutil.copy(helpers.WHYSTALL, binary)
    binary.chmod(0o755)
    if not shutil.which("setpriv"):
        pytest.skip("needs setpriv")
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", binary, "doctor", "-O", "json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/", text=True, check=False,
        env=helpers.environment(), timeout=helpers.PATIENCE_S)
    assert done.returncode == 0, done
    data = json.loads(done.stdout)
    assert data["works"] is True
    assert data["sources"] == {"bpf": False, "proc": True}
    failed = [check for check in data["checks"] if check["needed"] and not check["ok"]]
    assert failed and all(check["remedy"] for check in failed)
    assert any("sudo" in check["remedy"] for check in failed)


def test_nothing_works(traceable):
    """No BPF, and a /proc of another PID namespace."""
    done = subprocess.run(["unshare", "--pid", "--fork", *helpers.workload("refuse"), "bpf",
                           helpers.WHYSTALL, "doctor", "-O", "json"],
                          stdout=subprocess.PIPE, text=True, check=False, timeout=helpers.PATIENCE_S)
    assert done.returncode == 77, done
    data = json.loads(done.stdout)
    assert data["works"] is False
    assert data["sources"] == {"bpf": False, "proc": False}


def test_full_disk(traceable):
    with open("/dev/full", "wb") as full:
        assert helpers.run("doctor", stdout=full).status == 1
