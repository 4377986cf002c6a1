"""Whole plans on small projects: failures that hold up no more than they must, and builds to the root."""

from __future__ import annotations

import io
import json
import urllib.request
import zipfile
from typing import Any

import pytest

from tests.e2e.conftest import Stack
from tests.e2e.plan_projects import fill_plan_site
from tests.index_site import IndexSite


@pytest.fixture(scope="module", autouse=True)
def plan_site(site: IndexSite) -> None:
    fill_plan_site(site)


def result(stack: Stack, *arguments: str) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
    """Build; gives the wheels of the answer, and the nodes of its plan by id."""
    last = json.loads(stack.cli("build", *arguments, "--progress", "json").splitlines()[-1])
    assert last["type"] == "result"
    plan = stack.answer("plan", "--of", last["job"])["plan"]
    return last["result"]["wheels"], {node["id"]: node for node in plan["nodes"]}


def made_with(stack: Stack, filename: str) -> str:
    """Whose backend made a wheel, as the wheel itself says."""
    project = filename.partition("-")[0]
    with urllib.request.urlopen(f"{stack.url}/simple/{project.replace('_', '-')}/", timeout=30) as page:
        text = page.read().decode()
    start = text.index(f"/{filename}#") if f"/{filename}#" in text else text.index(f"/{filename}")
    address = text[text.rindex('"', 0, start) + 1 : start] + f"/{filename}"
    address = address if "://" in address else f"{stack.url}{address}"
    with urllib.request.urlopen(address, timeout=30) as body:
        wheel = zipfile.ZipFile(io.BytesIO(body.read()))
    return wheel.read(f"{project}_made_with.py").decode().split("'")[1]


def test_one_leaf_that_fails_holds_up_only_what_needs_it(stack: Stack):
    said = stack.cli("build", "diamond-top", "--progress", "plain", code=1)
    assert "left is broken" in said
    assert "blocked: diamond-top==1.0 (diamond-left==1.0 failed)" in said
    assert "2 of 4 were built" in said
    made = {job["title"]: job["state"] for job in stack.answer("jobs") if job["kind"] == "wheel"}
    assert made["diamond-right 1.0"] == "succeeded"
    assert "diamond-top 1.0" not in made


def test_a_build_from_source_uses_wheels_of_ours_to_the_root(stack: Stack):
    (wheel,), found = result(stack, "rooted", "--build-deps", "source")
    assert {name: node["role"] for name, node in found.items()} == {
        "tinytool==1.0": "build",
        "rooted==1.0": "runtime",
    }
    assert found["rooted==1.0"]["build_needs"] == ["tinytool==1.0"]
    assert made_with(stack, wheel["filename"]) == "ours"


def test_which_build_dependencies_it_was_is_part_of_the_key(stack: Stack):
    (ours,), _ = result(stack, "rooted", "--build-deps", "source")
    (theirs,), _ = result(stack, "rooted", "--build-deps", "wheels")
    assert ours["build_key"] != theirs["build_key"]
    assert made_with(stack, theirs["filename"]) == "upstream"


def test_a_cycle_is_begun_with_a_seed_and_built_again_with_our_own(stack: Stack):
    (wheel,), found = result(stack, "hen", "--build-deps", "source")
    roles = sorted((node["role"], node["project"]) for node in found.values())
    assert roles == [
        ("bootstrap", "egg"), ("build", "egg"), ("build", "tinytool"), ("runtime", "hen"), ("seed", "hen"),
    ]  # fmt: skip
    assert found["egg==1.0 (bootstrap)"]["build_needs"] == ["hen==1.0 (seed)", "tinytool==1.0"]
    assert found["hen==1.0"]["build_needs"] == ["egg==1.0 (bootstrap)", "tinytool==1.0"]
    assert found["egg==1.0"]["build_needs"] == ["hen==1.0", "tinytool==1.0"]
    assert made_with(stack, wheel["filename"]) == "ours"


def test_a_cycle_without_a_seed_is_refused_and_says_what_would_help(stack: Stack):
    said = stack.cli("build", "yin", "--build-deps", "source", "--progress", "plain", code=2)
    assert "yang==2.0 is built with yin==2.0 is built with yang==2.0" in said
    assert "replace_build_requires" in said


def test_what_cannot_be_built_is_blocked_in_a_plan_with_the_reason(stack: Stack):
    told = json.loads(stack.cli("plan", "needs-needy", "rooted", "--json", code=1))
    standings = {node["id"]: (node["standing"], node["reason"]) for node in told["plan"]["nodes"]}
    assert standings["needy==1.0"][0] == "blocked"
    assert "no-such-backend" in standings["needy==1.0"][1]
    assert standings["needs-needy==1.0"] == ("blocked", "needy==1.0 is blocked")
    assert standings["rooted==1.0"][0] in {"waiting", "hit"}


def test_a_build_makes_what_it_can_and_then_names_what_it_could_not(stack: Stack):
    said = stack.cli("build", "needs-needy", "rooted", "--progress", "plain", code=2)
    assert "no-such-backend" in said
    assert "blocked: needs-needy==1.0 (needy==1.0 is blocked)" in said
