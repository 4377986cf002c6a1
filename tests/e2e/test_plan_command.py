"""`wheelyard plan` and `wheelyard why` on small projects: before a build, while it runs, and after it."""

from __future__ import annotations

import json
import time
import urllib.request
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.e2e.conftest import JOB_SECONDS, Stack
from tests.e2e.plan_projects import BACKEND, add_tiny
from tests.index_site import IndexSite, make_wheel


@pytest.fixture(scope="module", autouse=True)
def paced(site: IndexSite) -> None:
    """A project that two versions of its build tool can build."""
    for version in ("1.0", "1.1"):
        body = make_wheel("pacetool", version, files={"pacetool/__init__.py": BACKEND.format(origin=version)})
        site.add("pacetool", f"pacetool-{version}-py3-none-any.whl", body)
    pyproject = '[build-system]\nrequires = ["pacetool"]\nbuild-backend = "pacetool"\n'
    add_tiny(site, "paced", files={"pyproject.toml": pyproject})


def planned(stack: Stack, *arguments: str) -> dict[str, dict[str, Any]]:
    """The nodes of a plan, by project."""
    return {node["project"]: node for node in stack.answer("plan", *arguments)["plan"]["nodes"]}


def fetched(stack: Stack, path: str) -> str:
    with urllib.request.urlopen(f"{stack.url}{path}", timeout=30) as body:
        return body.read().decode()


def test_a_plan_says_what_is_to_be_built_and_then_that_it_is_there(stack: Stack, tmp_path: Path):
    before = planned(stack, "paced", "--svg", str(tmp_path / "plan.svg"))["paced"]
    assert (before["standing"], before["role"], len(before["key"])) == ("waiting", "runtime", 64)
    assert before["seconds"] > 0
    assert ET.parse(tmp_path / "plan.svg").getroot().tag.endswith("svg")  # noqa: S314 - it is our own
    stack.cli("build", "paced", "--progress", "plain")
    after = planned(stack, "paced")["paced"]
    assert (after["standing"], after["key"], after["seconds"]) == ("hit", before["key"], 0.0)
    assert "1 node: 1 hit" in stack.cli("plan", "paced", "--progress", "plain")


def test_the_cost_of_a_change_is_told_before_and_its_reason_afterwards(stack: Stack, tmp_path: Path):
    stack.cli("build", "paced", "--progress", "plain")
    told = stack.answer("plan", "paced", "--if", "constraint=pacetool==1.0")
    (node,) = told["nodes"]
    assert (node["id"], node["fate"]) == ("paced==1.0", "rebuilt")
    assert [change["text"] for change in node["changes"]] == ["the pacetool wheel changed from 1.1 to 1.0"]
    assert told["now"]["seconds"] == 0 < told["then"]["seconds"]
    (tmp_path / "tools.txt").write_text("pacetool==1.0\n")
    limited = ["paced", "--build-constraint", str(tmp_path / "tools.txt")]
    stack.cli("build", *limited, "--progress", "plain")
    assert planned(stack, *limited)["paced"]["key"] == node["key_then"]
    why = stack.answer("why", "paced==1.0")
    assert why["build"]["build_key"] == node["key_then"]
    assert why["before"]["build_key"] == node["key_now"]
    said = stack.cli("why", "paced==1.0")
    assert said.startswith("paced 1.0 was built again because the pacetool wheel changed from 1.1 to 1.0.\n")
    assert planned(stack, "paced")["paced"]["key"] == node["key_now"]


def test_from_source_the_tools_are_nodes_and_the_plan_says_what_that_costs(stack: Stack):
    stack.cli("build", "cdemo", "--progress", "plain")
    told = stack.answer("plan", "cdemo", "--if", "build-deps=source")
    fates = {node["id"].partition("==")[0]: node["fate"] for node in told["nodes"]}
    assert (fates["cdemo"], fates["setuptools"]) == ("rebuilt", "new")


def test_a_running_build_can_be_watched_as_a_plan(stack: Stack):
    build = stack.cli("build", "slowdemo", "--detach").strip()
    try:
        limit = time.monotonic() + JOB_SECONDS / 2
        found: dict[str, Any] = {}
        while found.get("standing") != "building" and time.monotonic() < limit:
            answer = stack.answer("plan", "--of", build)
            found = answer["plan"]["nodes"][0] if answer["plan"] else {}
            time.sleep(0.5)
        assert (found["project"], found["standing"]) == ("slowdemo", "building")
        assert json.loads(fetched(stack, found["links"]["job"]))["kind"] == "wheel"
        page = fetched(stack, f"/plans/{build}")
        assert "slowdemo==1.0" in page
        assert "being built" in page
        assert "wy-building" in fetched(stack, f"/v1/plans/{build}/plan.svg")
    finally:
        stack.cli("cancel", build)
    # The wheel's own job ends after the build that waited for it, once its container is gone.
    limit = time.monotonic() + 60
    while (node := stack.answer("plan", "--of", build)["plan"]["nodes"][0])["standing"] == "building":
        assert time.monotonic() < limit, node
        time.sleep(0.5)
    assert stack.answer("job", build)["state"] == "cancelled"
    assert node["standing"] in {"failed", "blocked"}
