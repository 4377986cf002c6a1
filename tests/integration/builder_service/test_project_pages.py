"""A project's pages for people: what there is, and how the rest is built; installers see none of it."""

from __future__ import annotations

import pytest

from wheelyard.channels import Channel
from wheelyard.jobs.models import FileRow

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
PIP = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01"


def browse(door, path):
    return door.guest.get(path, headers={"accept": BROWSER})


def test_a_browser_is_told_how_a_project_that_is_not_there_is_built(front_door):
    answer = browse(front_door, "/simple/tiny-thing/")
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["vary"] == "Accept"
    assert "wheelyard build tiny-thing --toolchain debian12-cp311" in answer.text
    assert "wheelyard wait -r lock.txt" in answer.text
    assert "<script" not in answer.text


@pytest.mark.parametrize("accept", [PIP, "text/html", "*/*", "application/vnd.pypi.simple.v1+html", ""])
def test_an_installer_gets_a_problem_and_no_page(front_door, accept):
    answer = front_door.guest.get("/simple/tiny-thing/", headers={"accept": accept})
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_project_that_is_there_is_the_index_page_in_every_browser(front_door, publish):
    publish(front_door.services)
    answer = browse(front_door, "/simple/tiny-thing/")
    assert answer.status_code == 200
    assert 'name="pypi:repository-version"' in answer.text


def test_says_which_versions_are_there_and_for_which_toolchains_they_are_missing(front_door, publish):
    publish(front_door.services)
    publish(front_door.services, version="1.10")
    services = front_door.services
    with services.catalogue.database.transaction() as session:
        session.get(FileRow, ("default", "tiny_thing-1.10-py3-none-any.whl")).requires_python = ">=3.11"
    text = browse(front_door, "/wheels/Tiny_Thing").text
    assert text.index("tiny_thing-1.10-py3-none-any.whl") < text.index("tiny_thing-1.0-py3-none-any.whl")
    assert "wheelyard build tiny-thing==1.10 --toolchain debian11-cp39" in text
    assert "--toolchain debian12-cp311" not in text


def test_a_channels_page_names_the_channel_in_its_commands(front_door, publish):
    front_door.services.channels.create(Channel(name="team"), "the-test")
    publish(front_door.services, "other-thing", channel="team")
    answer = browse(front_door, "/channels/team/simple/tiny-thing/")
    assert answer.status_code == 404
    assert "wheelyard build tiny-thing --toolchain debian12-cp311 --channel team" in answer.text
    assert browse(front_door, "/wheels/other-thing?channel=team").status_code == 200
    assert browse(front_door, "/wheels/other-thing").status_code == 404


@pytest.mark.parametrize("path", ["/wheels/%3Cscript%3E", "/wheels/a%00b", "/wheels/" + "a" * 10_000])
def test_a_name_that_is_none_is_refused(front_door, path):
    answer = browse(front_door, path)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_channel_that_does_not_exist_is_a_problem(front_door):
    assert browse(front_door, "/wheels/tiny-thing?channel=nowhere").status_code == 404
    assert browse(front_door, "/channels/nowhere/simple/tiny-thing/").status_code == 404


def test_the_front_page_leads_to_the_projects(front_door, publish):
    publish(front_door.services)
    assert 'href="/wheels/tiny-thing"' in browse(front_door, "/").text
