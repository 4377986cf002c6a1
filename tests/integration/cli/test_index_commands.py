"""The commands about channels, projects and yanks."""

import json

import pytest

from tests.fake_service import wheel_document


@pytest.fixture
def release(service):
    """Two files of one release, and one of the next."""
    for version in ("1.0", "1.1"):
        wheel = wheel_document("acme", version, hit=False)
        wheel |= {
            "channel": "default",
            "requires_python": "",
            "published_at": 1_764_000_000.0,
            "yanked": None,
        }
        service.wheels.append(wheel)
    return service.wheels


def test_a_channel_is_made_shown_changed_and_taken_away(command):
    made = command("channel", "create", "team", "--base", "default", "--upstream", "all", "--min-age", "7d")
    assert (made.code, made.err) == (0, "")
    assert "/channels/team/simple/" in made.out
    shown = json.loads(command("channel", "show", "team", "--json").out)
    assert (shown["base"], shown["upstream"], shown["min_age"]) == ("default", "all", 7 * 86400)
    assert "all, 1w old" in command("channel", "list").out
    assert command("channel", "set", "team", "--base", "").code == 0
    assert json.loads(command("channel", "list", "--json").out)[1]["base"] == ""
    assert command("channel", "remove", "team").out == "the channel team is gone\n"
    assert command("channel", "show", "team").code == 2


def test_a_channel_that_is_not_there_is_said_with_what_makes_it(command):
    ended = command("channel", "show", "nightly")
    assert ended.code == 2
    assert "wheelyard channel create nightly" in ended.err


def test_a_base_that_stands_on_the_channel_is_refused(command):
    command("channel", "create", "team", "--base", "default")
    ended = command("channel", "set", "default", "--base", "team")
    assert (ended.code, "can't build on team" in ended.err) == (2, True)


@pytest.mark.parametrize("arguments", [("set", "default"), ("create", "x", "--min-age", "soon")])
def test_a_setting_that_says_nothing_is_refused_before_it_is_sent(command, service, arguments):
    assert command("channel", *arguments).code == 2
    assert service.requests == []


def test_a_release_is_yanked_and_taken_back(command, release):
    ended = command("cache", "yank", "acme==1", "--reason", "loses rows")
    assert ended.out.endswith("in default is yanked\n")
    assert [wheel["yanked"] for wheel in release] == ["loses rows", None]
    assert "(yanked)" in command("cache", "ls", "acme").out
    assert command("cache", "yank", release[0]["filename"], "--undo").code == 0
    assert release[0]["yanked"] is None


def test_what_is_not_there_can_not_be_yanked(command, release):
    assert command("cache", "yank", "acme==7").code == 2
    assert command("cache", "yank", "acme-7-py3-none-any.whl").code == 2


def test_a_name_becomes_the_teams_and_a_project_gets_a_status(command, release):
    assert "nobody here (never said)" in command("project", "show", "Acme").out
    assert "the team (said so)" in command("project", "own", "acme").out
    assert "nobody here (said so)" in command("project", "disown", "acme").out
    ended = command("project", "status", "acme", "deprecated", "--reason", "use acme2")
    assert ("deprecated" in ended.out, "use acme2" in ended.out) == (True, True)
    shown = json.loads(command("project", "show", "acme", "--json").out)
    assert shown["status"] == "deprecated"
    assert len(shown["channels"]["default"]) == 2
    assert command("project", "status", "acme", "dead").code == 2
