"""Names of images: what is one, and what is refused; and names that say what an image shall be of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelyard.errors import InputError
from wheelyard.image_name import LONGEST_REPOSITORY, ImageName, check_repository
from wheelyard.run_name import RunName

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "repository", "tag"),
    [
        ("app", "app", "latest"),
        ("team/app:1.2", "team/app", "1.2"),
        ("a__b/c-d---e.f:_1", "a__b/c-d---e.f", "_1"),
        ("x" * LONGEST_REPOSITORY + ":" + "T" * 128, "x" * LONGEST_REPOSITORY, "T" * 128),
    ],
)
def test_a_name_has_a_repository_and_a_tag(text, repository, tag):
    name = ImageName.parse(text)
    assert (name.repository, name.tag, name.digest) == (repository, tag, None)


def test_a_name_may_have_a_digest_and_a_tag_beside_it():
    assert str(ImageName.parse(f"team/app@{DIGEST}")) == f"team/app@{DIGEST}"
    assert ImageName.parse(f"team/app:1@{DIGEST}").tag == "1"


@pytest.mark.parametrize(
    "text",
    ["", ":", "app:", "@", "app@", "app@sha256:1", f"app@{DIGEST}@{DIGEST}", "App", "a..b", "a___b", "-a",
     "a-", "a/", "/a", "a//b", "a/../b", "a b", "a\n", "a:b:c", "a:-x", "a:.x", "a:" + "x" * 129, "ä",
     "a:ä", "a\0b", "x" * (LONGEST_REPOSITORY + 1), "localhost:5000/app:1",
     "registry.example/app@sha512:" + "0" * 128],
)  # fmt: skip
def test_what_is_no_name_is_refused(text):
    with pytest.raises(InputError):
        ImageName.parse(text)


def test_a_name_with_a_host_and_one_in_capitals_are_told_how_to_be_right():
    with pytest.raises(InputError, match="leave out the registry's host"):
        ImageName.parse("localhost:5000/team/app:1")
    with pytest.raises(InputError, match="team/app"):
        ImageName.parse("Team/App:1")


@pytest.mark.parametrize("text", ["app", f"app@{DIGEST}", f"app:1@{DIGEST}", "app:"])
def test_what_moves_is_a_repository_with_a_tag(text):
    with pytest.raises(InputError):
        ImageName.tagged(text)


@given(st.text(max_size=60))
def test_whatever_is_read_as_a_repository_stays_inside_its_place(text):
    try:
        found = check_repository(text)
    except InputError:
        return
    assert ".." not in found.split("/")
    assert found.isascii()
    assert found == found.lower().strip()


def test_a_name_says_what_its_image_shall_be_of():
    name = RunName.parse("run/debian12-cp311/opencv-python-headless/numpy--2.4.6")
    assert name.toolchain == "debian12-cp311"
    assert name.requirements == ("numpy==2.4.6", "opencv-python-headless")
    assert RunName.parse("run/t/b/a").requirements == RunName.parse("run/t/a/b/a").requirements


@pytest.mark.parametrize(
    "repository",
    ["run", "run/t", "run/t/", "walk/t/numpy", "run/t/numpy--", "run/t/numpy--x.y", "run/t/ruamel.yaml",
     "run/t/ruamel_yaml", "run/t/numpy--1--2", "run/t/numpy--1/numpy--2", "run/t/numpy/numpy--2",
     "run/t/" + "/".join(f"p{number}" for number in range(21)), "run/t/numpy---2", "run/t/--2"],
)  # fmt: skip
def test_a_name_that_no_image_can_be_of_is_refused(repository):
    with pytest.raises(InputError, match="expected: run/TOOLCHAIN/PROJECT"):
        RunName.parse(repository)
