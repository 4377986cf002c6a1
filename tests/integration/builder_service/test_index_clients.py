"""The index as programs read it that we did not write: pip, uv, pip-tools, poetry."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.client_tools import POETRY, clean_environment, client_tool, uv_program
from wheelyard.channels import Channel
from wheelyard.projects import Status

EARLY, LATE = 1_735_689_600.0, 1_748_736_000.0  # 2025-01-01 and 2025-06-01
BETWEEN = "2025-03-01T00:00:00Z"


@pytest.fixture
def run(tmp_path):
    """Runs a client that sees nothing of this machine's settings; gives all that it said."""

    def run_client(*argv, code=0, cwd=tmp_path, **variables):
        environment = clean_environment(tmp_path, UV_NO_CONFIG="1", **variables)
        done = subprocess.run(
            [str(part) for part in argv], cwd=cwd, env=environment, capture_output=True, text=True,
            timeout=180, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run_client


@pytest.fixture
def pip(run, tmp_path):
    def run_pip(door, *argv, index="/simple/", **options):
        return run(
            sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", argv[0],
            "--index-url", door.url + index, "--cache-dir", tmp_path / "pip-cache", *argv[1:], **options,
        )  # fmt: skip

    return run_pip


@pytest.fixture
def uv(run, tmp_path):
    def run_uv(door, *argv, **options):
        return run(
            uv_program(), "pip", *argv[:1], "--default-index", f"{door.url}/simple/", "--python",
            sys.executable, "--cache-dir", tmp_path / "uv-cache", *argv[1:], **options,
        )  # fmt: skip

    return run_uv


@pytest.fixture
def two_versions(front_door, publish):
    """An early version and a late one."""
    publish(front_door.services, version="1.0", published_at=EARLY)
    publish(front_door.services, version="2.0", published_at=LATE)
    return front_door


def installed(folder):
    return sorted(path.name for path in folder.glob("*.dist-info"))


@pytest.fixture
def served(capfd):
    """Paths that were asked for since the last look, as the service's log says."""

    def look():
        text = re.sub(r"\x1b\[[0-9;]*m", "", capfd.readouterr().out)
        return re.findall(r"path='?([^\s']+)'?", text)

    return look


@pytest.mark.parametrize("mode", ["stream", "redirect"])
def test_pips_second_install_downloads_nothing(settings_with, redis_url, serve, publish, pip, tmp_path, mode):
    door = serve(settings_with(redis_url=redis_url, serve_files=mode))
    record = publish(door.services)
    words = []
    for turn in ("first", "second"):
        # pip keeps nothing of a host that it does not trust; over HTTPS it needs no word.
        trust = ("--trusted-host", "127.0.0.1")
        said = pip(door, "install", *trust, "--target", tmp_path / turn, "tiny-thing")
        assert installed(tmp_path / turn) == ["tiny_thing-1.0.dist-info"]
        words.append([line.split()[0] for line in said.splitlines() if record.filename in line])
    assert "Downloading" in words[0]
    assert ("Using" in words[1], "Downloading" in words[1]) == (True, False)


def test_pip_takes_what_was_there_at_a_moment(two_versions, pip, tmp_path):
    pip(two_versions, "install", "--uploaded-prior-to", BETWEEN, "--target", tmp_path / "site", "tiny-thing")
    assert installed(tmp_path / "site") == ["tiny_thing-1.0.dist-info"]


def test_uv_takes_what_was_there_at_a_moment(two_versions, uv, tmp_path):
    uv(two_versions, "install", "--exclude-newer", BETWEEN, "--target", tmp_path / "site", "tiny-thing")
    assert installed(tmp_path / "site") == ["tiny_thing-1.0.dist-info"]


@pytest.mark.parametrize("client", ["pip", "uv"])
def test_a_yanked_version_is_passed_over_unless_it_is_pinned(two_versions, client, request, tmp_path):
    install = request.getfixturevalue(client)
    answer = two_versions.http.put(
        "/v1/channels/default/files/tiny_thing-2.0-py3-none-any.whl/yank", json={"reason": "loses rows"}
    )
    assert answer.json()["yanked"] == "loses rows"
    install(two_versions, "install", "--target", tmp_path / "free", "tiny-thing")
    assert installed(tmp_path / "free") == ["tiny_thing-1.0.dist-info"]
    said = install(two_versions, "install", "--target", tmp_path / "pinned", "tiny-thing==2.0")
    assert installed(tmp_path / "pinned") == ["tiny_thing-2.0.dist-info"]
    assert "loses rows" in said


@pytest.mark.parametrize("client", ["pip", "uv"])
def test_nothing_of_a_quarantined_project_is_installed(two_versions, client, request, tmp_path):
    two_versions.services.projects.set_status("tiny-thing", Status.QUARANTINED, "steals keys", "the-test")
    install = request.getfixturevalue(client)
    install(two_versions, "install", "--target", tmp_path / "site", "tiny-thing", code=1)
    assert installed(tmp_path / "site") == []


def test_pip_installs_from_a_channel_and_its_base(front_door, publish, pip, tmp_path):
    front_door.services.channels.create(Channel(name="team", base="default"), "the-test")
    publish(front_door.services, "of-the-base")
    publish(front_door.services, "of-the-team", channel="team", requires="of-the-base")
    target = tmp_path / "site"
    pip(front_door, "install", "--target", target, "of-the-team", index="/channels/team/simple/")
    assert installed(target) == ["of_the_base-1.0.dist-info", "of_the_team-1.0.dist-info"]


@pytest.fixture
def needing(front_door, publish):
    """A project that needs another one."""
    publish(front_door.services)
    publish(front_door.services, "needs-it", requires="tiny-thing>=1")
    return front_door


def test_pip_tools_makes_a_lock_with_hashes(needing, run, tmp_path, served):
    (tmp_path / "requirements.in").write_text("needs-it\n")
    served()
    run(
        Path(sys.executable).with_name("pip-compile"), "--quiet", "--generate-hashes", "--strip-extras",
        "--no-emit-index-url", "--index-url", f"{needing.url}/simple/", "requirements.in",
    )  # fmt: skip
    lock = (tmp_path / "requirements.txt").read_text()
    assert re.findall(r"^[a-z-]+==[0-9.]+", lock, re.MULTILINE) == ["needs-it==1.0", "tiny-thing==1.0"]
    assert lock.count("--hash=sha256:") == 2
    assert any(path.endswith(".whl.metadata") for path in served())


def test_uv_resolves_and_downloads_no_wheel(needing, uv, tmp_path, served):
    (tmp_path / "requirements.in").write_text("needs-it\n")
    served()
    lock = uv(needing, "compile", "--generate-hashes", "--quiet", "requirements.in")
    assert ("needs-it==1.0" in lock, "tiny-thing==1.0" in lock) == (True, True)
    assert [path for path in served() if path.endswith(".whl")] == []


def test_poetry_locks_and_installs(needing, run, tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(f"""
[project]
name = "consumer"
version = "1"
requires-python = ">=3.11,<3.12"
dependencies = ["needs-it"]

[tool.poetry]
package-mode = false

[[tool.poetry.source]]
name = "team"
url = "{needing.url}/simple/"
priority = "primary"
""")
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "site")
    run(
        client_tool(POETRY), "install", "--no-interaction", "--no-ansi", cwd=project,
        VIRTUAL_ENV=str(tmp_path / "site"), POETRY_CACHE_DIR=str(tmp_path / "poetry"),
    )  # fmt: skip
    assert installed(tmp_path / "site" / "lib" / "python3.11" / "site-packages") == [
        "needs_it-1.0.dist-info",
        "tiny_thing-1.0.dist-info",
    ]
    assert "sha256:" in (project / "poetry.lock").read_text()
