"""Real twine and real `uv publish` upload, pip installs what they brought, and people see what was wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.distributions import attestation, sdist, wheel
from tests.integration.client_tools import TWINE, clean_environment, client_tool, uv_program
from wheelyard.digests import Digest

WHEEL = "demo-1.0-py3-none-any.whl"


@pytest.fixture
def dist(tmp_path):
    folder = tmp_path / "dist"
    folder.mkdir()
    (folder / WHEEL).write_bytes(wheel())
    (folder / "demo-1.0.tar.gz").write_bytes(sdist())
    return folder


@pytest.fixture
def run(tmp_path):
    """Runs a client as a person does; gives its exit code and all that he saw."""

    def start(*argv, **variables):
        ended = subprocess.run(
            [str(one) for one in argv], capture_output=True, text=True, timeout=120, check=False,
            env=clean_environment(tmp_path, COLUMNS="1000", NO_COLOR="1", **variables),
        )  # fmt: skip
        return ended.returncode, ended.stdout + ended.stderr

    return start


@pytest.fixture
def twine(run, front_door, tmp_path):
    token = front_door.http.headers["authorization"].removeprefix("Bearer ")
    (tmp_path / ".pypirc").write_text(
        f"[distutils]\nindex-servers = team\n\n[team]\nrepository = {front_door.url}/legacy/\n"
        f"username = __token__\npassword = {token}\n"
    )
    program = client_tool(TWINE)
    return lambda *argv: run(program, "upload", "--non-interactive", "--repository", "team", *argv)


@pytest.fixture
def uv(run, front_door):
    token = front_door.http.headers["authorization"].removeprefix("Bearer ")
    command = (uv_program(), "publish", "--no-cache", "--publish-url", f"{front_door.url}/legacy/")
    return lambda *argv: run(*command, *argv, UV_PUBLISH_TOKEN=token)


def installed(run, front_door, tmp_path, *options):
    folder = tmp_path / "installed"
    code, seen = run(
        sys.executable, "-m", "pip", "install", "--no-cache-dir", "--isolated", "--disable-pip-version-check",
        "--index-url", f"{front_door.url}/simple/", "--target", folder, "demo", *options,
    )  # fmt: skip
    assert code == 0, seen
    return (folder / "demo" / "__init__.py").read_text()


def test_twine_uploads_what_pip_installs(twine, run, front_door, dist, tmp_path):
    code, seen = twine(dist / WHEEL, dist / "demo-1.0.tar.gz")
    assert code == 0, seen
    assert installed(run, front_door, tmp_path) == 'VERSION = "1.0"\n'
    # The same again, as a job does that is started anew.
    assert twine(dist / WHEEL)[0] == 0
    (dist / WHEEL).write_bytes(wheel(members={"demo/more.py": b"1"}))
    code, seen = twine("--verbose", dist / WHEEL)
    assert code == 1
    assert "409 Conflict" in seen
    assert "raise the version, or the build number (PEP 427)" in seen
    (dist / WHEEL).write_bytes(wheel() + b"\0")
    code, seen = twine("--verbose", dist / WHEEL)
    assert (code, "was refused: there are bytes after its end" in seen) == (1, True)


def test_uv_uploads_what_pip_installs(uv, run, front_door, dist, tmp_path):
    code, seen = uv(dist / WHEEL, dist / "demo-1.0.tar.gz")
    assert code == 0, seen
    assert installed(run, front_door, tmp_path) == 'VERSION = "1.0"\n'
    assert uv(dist / WHEEL)[0] == 0
    code, seen = uv("--check-url", f"{front_door.url}/simple/", dist / WHEEL)
    assert (code, "already exists, skipping" in seen) == (0, True), seen
    (dist / WHEEL).write_bytes(wheel(record=b"demo/__init__.py,sha256=AAAA,1\n"))
    code, seen = uv(dist / WHEEL)
    assert code == 2
    assert "its RECORD lies" in seen
    assert "(PEP 376)" in seen


def test_attestations_that_uv_and_twine_send_along_are_kept(uv, twine, front_door, dist):
    for name, send in ((WHEEL, uv), ("demo-1.0.tar.gz", lambda *files: twine("--attestations", *files))):
        kept = attestation(name, Digest.of_file(dist / name))
        beside = dist / f"{name}.publish.attestation"
        beside.write_text(json.dumps(kept))
        code, seen = send(dist / name, beside)
        assert code == 0, seen
        answer = front_door.guest.get(f"/integrity/default/{name}/provenance")
        assert answer.json()["attestation_bundles"][0]["attestations"] == [kept]


def test_what_is_too_large_is_said_before_the_client_gives_up(twine, uv, dist):
    (dist / WHEEL).write_bytes(wheel(members={"demo/noise.bin": os.urandom(14 << 20)}))
    code, seen = twine("--verbose", dist / WHEEL)
    assert (code, "at most 4194304 bytes" in seen) == (1, True), seen
    code, seen = uv(dist / WHEEL)
    assert (code, "at most 4194304 bytes" in seen) == (2, True), seen
