"""pip and uv against a service whose reads are private, with the token in each place that they know."""

from __future__ import annotations

import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from tests.integration.client_tools import clean_environment, uv_program
from wheelyard.access_token import Scope


@pytest.fixture
def door(settings_with, redis_url, serve, publish):
    running = serve(settings_with(redis_url=redis_url, public_reads=False))
    publish(running.services)
    return running


@pytest.fixture
def secret(door):
    return door.services.tokens.create("reader", [Scope.READ], ["default"])[1]


@pytest.fixture
def install(door, tmp_path):
    """Installs the one project; gives the exit code and what was said."""

    def run(program, url, **variables):
        target = tmp_path / "site"
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        if program == "pip":
            line = [sys.executable, "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
            line += ["--index-url", url]
        else:
            line = [str(uv_program()), "pip", "install", "--no-cache", "--python", sys.executable]
            line += ["--index", f"wheelyard={url}", "--default-index", f"{door.url}/nowhere/simple/"]
        ended = subprocess.run(
            [*line, "--target", str(target), "tiny-thing"],
            env=clean_environment(home, **variables), capture_output=True, text=True, timeout=120,
            check=False,
        )  # fmt: skip
        assert (ended.returncode == 0) is (target / "tiny_thing.py").is_file()
        return ended.returncode, ended.stdout + ended.stderr

    return run


def with_user(url, secret):
    return url.replace("http://", f"http://__token__:{secret}@") + "/simple/"


def test_pip_takes_the_token_from_netrc_and_not_a_wrong_one(door, install, secret, tmp_path):
    code, said = install("pip", with_user(door.url, "wy_" + "A" * 43))
    assert code != 0
    assert "401" in said
    (tmp_path / "home").mkdir(exist_ok=True)
    netrc = tmp_path / "home" / ".netrc"
    netrc.write_text(f"machine {urlsplit(door.url).hostname} login __token__ password {secret}\n")
    netrc.chmod(0o600)
    code, said = install("pip", f"{door.url}/simple/")
    assert code == 0, said
    assert secret not in said


def test_pip_takes_the_token_from_the_address(door, install, secret):
    code, said = install("pip", with_user(door.url, secret))
    assert code == 0, said
    assert secret not in said


def test_uv_takes_the_token_from_its_indexs_variables(door, install, secret):
    code, said = install("uv", f"{door.url}/simple/")
    assert code != 0
    names = {"UV_INDEX_WHEELYARD_USERNAME": "__token__", "UV_INDEX_WHEELYARD_PASSWORD": secret}
    code, said = install("uv", f"{door.url}/simple/", **names)
    assert code == 0, said
    assert secret not in said
