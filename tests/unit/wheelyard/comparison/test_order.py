"""The order of a comparison: which images are made, and how a requirement changes in a file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from wheelyard.comparison.order import (
    ComparisonOrder,
    changed_requirements,
    check_order,
    find_dockerfiles,
    spread,
)
from wheelyard.errors import InputError


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / "requirements.txt").write_text("numpy\n")
    (tmp_path / "image.toml").write_text('requirement_files = ["requirements.txt"]\n')
    (tmp_path / "a-multi.Dockerfile").write_text("FROM one AS builder\nFROM two\n")
    (tmp_path / "b-single.Dockerfile").write_text("FROM one\n")
    return tmp_path


def order_of(app: Path) -> ComparisonOrder:
    return ComparisonOrder(
        app=app,
        spec=app / "image.toml",
        dockerfiles=find_dockerfiles(app),
        change="numpy==2.0.0",
        toolchain="debian12-cp311",
    )


def test_an_image_of_one_stage_comes_before_one_of_two_and_ours_at_the_end(app: Path) -> None:
    assert order_of(app).names == ("b-single", "a-multi", "wheelyard")


def test_an_order_is_the_same_after_it_was_written_down(app: Path) -> None:
    order = order_of(app)
    assert ComparisonOrder.from_document(json.loads(json.dumps(order.to_document()))) == order


def test_only_what_is_asked_for_is_made(app: Path) -> None:
    assert [name for name, _ in spread(find_dockerfiles(app), ("wheelyard", "a-multi"))] == ["a-multi"]


def test_refuses_an_image_that_there_is_none_of(app: Path) -> None:
    with pytest.raises(InputError, match="no image 'c'") as caught:
        list(spread(find_dockerfiles(app), ("c",)))
    assert caught.value.expected == "b-single, a-multi, wheelyard"


@pytest.mark.parametrize(
    ("lacks", "told"), [("requirements.txt", "no application"), ("image.toml", "image.toml is not a file")]
)
def test_refuses_an_application_without_its_files(app: Path, lacks: str, told: str) -> None:
    (app / lacks).unlink()
    with pytest.raises(InputError, match=told):
        check_order(order_of(app))


def test_asks_for_no_spec_where_ours_is_not_made(app: Path) -> None:
    (app / "image.toml").unlink()
    check_order(replace(order_of(app), ours=False))


@pytest.mark.parametrize("shared", ["shared", "/", "/a/../b"])
def test_refuses_a_shared_folder_that_is_no_place_in_an_image(app: Path, shared: str) -> None:
    with pytest.raises(InputError, match="--shared"):
        check_order(replace(order_of(app), shared=shared))


@pytest.mark.parametrize("name", ["wheelyard", "My App", "a--b", "-a", "a/b"])
def test_refuses_a_name_that_no_repository_can_have(app: Path, name: str) -> None:
    with pytest.raises(InputError, match="can't be called"):
        check_order(replace(order_of(app), dockerfiles={name: app / "b-single.Dockerfile"}))


def test_refuses_a_change_that_is_no_requirement(app: Path) -> None:
    with pytest.raises(InputError, match="not a requirement"):
        check_order(replace(order_of(app), change="numpy=2"))


def test_a_changed_requirement_takes_the_place_of_its_project_however_it_is_spelled() -> None:
    before = "# what it needs\nTyping.Extensions>=4  # any\nnumpy==1.0\n-c other.txt\n"
    after = changed_requirements(before, "typing-extensions==4.9.0")
    assert after == "# what it needs\ntyping-extensions==4.9.0\nnumpy==1.0\n-c other.txt\n"


def test_a_changed_requirement_that_was_not_there_is_added() -> None:
    assert changed_requirements("numpy\n", "tqdm==4.66.5") == "numpy\ntqdm==4.66.5\n"
