"""The commands about access tokens: what goes to which stream, and what a refusal ends with."""

from __future__ import annotations

import json
import re

import pytest

SECRET = re.compile(r"wy_[A-Za-z0-9_-]{43}")


@pytest.fixture
def made(command):
    return command("token", "create", "--name", "CI", "--scope", "build", "-c", "team", "--json")


def test_the_token_alone_is_on_standard_output(command):
    ended = command(
        "token", "create", "--name", "CI", "--scope", "build", "--scope", "publish", "--channel", "default",
        "--expires", "never",
    )  # fmt: skip
    assert ended.code == 0
    assert SECRET.fullmatch(ended.out.strip())
    assert "build, publish in default" in ended.err
    assert "it ends: never" in ended.err
    assert not SECRET.search(ended.err)


def test_a_script_reads_it_as_it_is(service, program):
    process = program("token", "create", "--name", "CI", "--scope", "read", "--quiet")
    out, err = process.communicate(timeout=60)
    assert (SECRET.fullmatch(out.strip()) is not None, err) == (True, "")


def test_as_json_it_is_one_document(made):
    document = json.loads(made.out)
    assert SECRET.fullmatch(document["secret"])
    assert (document["name"], document["channels"]) == ("CI", ["team"])


def test_a_list_shows_rights_and_no_secret(command, made):
    ended = command("token", "list")
    assert ended.out.splitlines()[0].split() == ["ID", "NAME", "SCOPES", "CHANNELS", "ENDS", "USED"]
    assert json.loads(made.out)["id"] in ended.out
    assert not SECRET.search(ended.out)


def test_a_revoked_one_is_listed_with_the_others_only(command, made):
    token_id = json.loads(made.out)["id"]
    assert "is revoked" in command("token", "revoke", token_id).out
    assert command("token", "list").out == "no tokens\n"
    assert "revoked 20" in command("token", "list", "--all").out
    assert command("token", "revoke", "nobody").code == 2


@pytest.mark.parametrize(
    "options",
    [
        ["--scope", "build"], ["--name", "CI"], ["--name", "CI", "--scope", "root"],
        ["--name", "CI", "--scope", "read", "--expires", "soon"],
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_wrong_input(command, options):
    assert command("token", "create", *options).code == 2
