"""Logins out of the files and programs of docker and podman."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest

from wheelyard.errors import InputError
from wheelyard.registry.logins import Login, Logins, login_files


def written(folder: Path, document: object, name: str = "config.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(document))
    return path


def pair(user: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.mark.parametrize(
    "key",
    ["registry.example", "https://registry.example", "https://registry.example/v1/", "registry.example/v2"],
)
def test_a_login_is_found_under_every_key_that_docker_wrote(tmp_path, key):
    logins = Logins([written(tmp_path, {"auths": {key: pair("me", "a:b")}})])
    assert logins.find("registry.example", "team/app") == Login(username="me", password="a:b")
    assert logins.find("registry.example:5000", "team/app") is None


def test_the_narrowest_login_wins(tmp_path):
    auths = {
        "r.example": pair("all", "1"),
        "r.example/team": pair("team", "2"),
        "r.example/team/a": pair("a", "3"),
    }
    logins = Logins([written(tmp_path, {"auths": auths})])
    found = [logins.find("r.example", name) for name in ("other", "team/b", "team/a")]
    assert [login.username for login in found if login] == ["all", "team", "a"]


def test_the_first_file_that_knows_the_registry_wins(tmp_path):
    first = written(tmp_path, {"auths": {"a.example": pair("one", "1")}}, "first.json")
    second = written(
        tmp_path, {"auths": {"a.example": pair("two", "2"), "b.example": pair("b", "3")}}, "second.json"
    )
    logins = Logins([tmp_path / "none.json", first, second])
    assert logins.find("a.example", "x") == Login(username="one", password="1")
    assert logins.find("b.example", "x") == Login(username="b", password="3")


@pytest.fixture
def program(tmp_path, monkeypatch):
    """A credential program that knows one registry; gives the folder of its config."""
    place = tmp_path / "docker-credential-tests"
    place.write_text(
        "#!/bin/sh\n[ $1 = get ] || exit 9\nread host\n"
        '[ $host = r.example ] || { echo "credentials not found in native keychain"; exit 1; }\n'
        'echo \'{"ServerURL":"r.example","Username":"kept","Secret":"s3cret"}\'\n'
    )
    place.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


@pytest.mark.parametrize("how", [{"credsStore": "tests"}, {"credHelpers": {"r.example": "tests"}}])
def test_a_credential_program_is_asked(program, how):
    logins = Logins([written(program, {"auths": {"r.example": {}}, **how})])
    assert logins.find("r.example", "x") == Login(username="kept", password="s3cret")
    assert logins.find("other.example", "x") is None


def test_a_credential_program_that_is_not_there_or_no_name_is_a_complaint(tmp_path):
    for name in ("not-installed-anywhere", "../evil"):
        logins = Logins([written(tmp_path, {"credHelpers": {"r.example": name}})])
        assert logins.find("r.example", "x") is None
        assert name in logins.complaints[0]


@pytest.mark.parametrize("body", ["{", '{"auths":{"r.example":{"auth":"%%%"}}}'])
def test_a_file_that_can_not_be_read_is_said_without_its_secrets(tmp_path, body):
    (tmp_path / "config.json").write_text(body)
    with pytest.raises(InputError) as refused:
        Logins([tmp_path / "config.json"]).find("r.example", "x")
    assert "config.json" in refused.value.failed


def test_no_text_of_a_login_shows_its_secret():
    login = Login(username="me", password="s3cret", identity_token="t0ken")
    assert "s3cret" not in repr(login)
    assert "t0ken" not in repr(login)


def test_the_files_are_those_of_docker_and_podman():
    assert login_files({}, Path("/home/me"), 7) == (
        Path("/home/me/.docker/config.json"),
        Path("/run/containers/7/auth.json"),
        Path("/home/me/.config/containers/auth.json"),
    )
    named = {"DOCKER_CONFIG": "/d", "XDG_RUNTIME_DIR": "/run/user/7", "REGISTRY_AUTH_FILE": "/a.json"}
    assert login_files(named, Path("/home/me"), 7)[:3] == (
        Path("/a.json"),
        Path("/d/config.json"),
        Path("/run/user/7/containers/auth.json"),
    )
