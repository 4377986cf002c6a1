"""The doctor on this very machine, before any toolchain is needed."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from wheelyard.errors import EngineFailed
from wheelyard.settings import Settings
from worker import doctor
from worker.sandbox_proof import PROPERTIES

pytestmark = pytest.mark.engine


def test_proves_each_property_and_leaves_nothing_behind(engine):
    done = subprocess.run(
        [sys.executable, "-m", "worker.doctor", "--json"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    found = {finding["name"]: finding for finding in json.loads(done.stdout)}
    sandbox = [name for name in found if name.startswith("sandbox: ")]
    assert len(sandbox) == len(PROPERTIES)
    assert [name for name in ("engine", *sandbox) if not found[name]["ok"]] == []
    assert {"mmdebstrap", "disk", "apt mirror", "package index"} <= set(found)
    assert done.returncode == (0 if all(finding["ok"] for finding in found.values()) else 3)
    assert not any(one.job == "doctor" for one in engine.containers())


def test_says_what_to_do_where_there_is_no_engine_and_no_room(monkeypatch, tmp_path):
    def nothing(_settings):
        raise EngineFailed("no container engine works on this machine", do="install podman and runc")

    monkeypatch.setattr(doctor, "detect_engine", nothing)
    monkeypatch.setattr(doctor, "FREE_DISK", 1 << 60)
    found = {finding.name: finding for finding in doctor.examine(Settings(data_dir=tmp_path / "not" / "yet"))}
    assert (found["engine"].ok, found["engine"].do) == (False, "install podman and runc")
    assert not found["disk"].ok
    assert "WHEELYARD_DATA_DIR" in found["disk"].do
