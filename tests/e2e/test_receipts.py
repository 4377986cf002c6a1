"""The receipt of a real image: what is proved of it, what is attached to it, and what a policy refuses."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Stack, stack_with_toolchain
from tests.index_site import IndexSite
from wheelyard.process import run_command
from worker.engine.contract import Engine

pytestmark = pytest.mark.engine

ASKED = ("image", "cdemo", "puredemo", "--progress", "plain")


@pytest.fixture(scope="module")
def stack(site: IndexSite, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with stack_with_toolchain(tmp_path_factory.mktemp("receipts"), engine, site) as stack:
        stack.cli("cache", "rebuild-db")
        yield stack


def test_a_real_image_is_accounted_for_and_a_policy_refuses_another(stack, tmp_path):
    stack.cli(*ASKED, "--tag", "receipts/demo:1", "--label", "tier=dev")
    receipt = stack.answer("image", "receipt", "receipts/demo:1")
    _every_file_has_an_owner(receipt)
    _nothing_that_builds_is_inside(receipt)
    _documents_are_attached(stack, receipt)
    _a_scanner_finds_the_same(stack, receipt)
    why = stack.cli("image", "why", "receipts/demo:1", "libz.so.1")
    assert "(library, of zlib1g" in why
    assert "needs libz.so.1" in why
    _a_policy_refuses(stack, tmp_path)
    stack.cli("image", "cdemo", "--tag", "receipts/demo:2", "--label", "tier=prod", "--progress", "plain")
    difference = stack.answer("image", "diff", "receipts/demo:1", "receipts/demo:2")
    assert [(part["what"], part["name"]) for part in difference["parts"]] == [("removed", "puredemo")]
    assert difference["settings"] == {"Label tier": {"before": "dev", "after": "prod"}}
    assert difference["to_pull"] == 0


def _every_file_has_an_owner(receipt):
    assert sum(part["unpacked"] for part in receipt["parts"]) == receipt["file_bytes"]
    kinds = {part["name"]: part["kind"] for part in receipt["parts"]}
    assert (kinds["cdemo"], kinds["puredemo"], kinds["libc6"]) == ("wheel", "wheel", "package")
    wheels = [part for part in receipt["parts"] if part["kind"] == "wheel"]
    assert all(part["digest"] and part["filename"].endswith(".whl") for part in wheels)
    unowned = sum(part["unpacked"] for part in receipt["parts"] if part["kind"] == "rest")
    assert unowned < receipt["file_bytes"] // 10
    assert receipt["release"] == "debian-12"


def _nothing_that_builds_is_inside(receipt):
    assert [tool["tool"] for tool in receipt["tools"] if tool["found"]] == []
    assert receipt["looked_at"]["programs"] > 0
    programs = [one["path"] for one in receipt["executables"] if one["kind"] == "program"]
    assert any(path.startswith("/usr/bin/python3.") for path in programs)
    (module,) = [elf for elf in receipt["elves"] if elf["owner"] == "cdemo 1.0"]
    assert module["reach"] == "imported"
    assert receipt["setuid"] == []


def _documents_are_attached(stack, receipt):
    attached = {one["artifactType"] for one in receipt["attached"]}
    assert attached == {
        "application/vnd.cyclonedx+json",
        "application/spdx+json",
        "application/vnd.in-toto+json",
    }
    address = f"{stack.url}/v1/images/{receipt['digest']}/documents/"
    provenance = _json(f"{address}provenance")
    assert provenance["subject"][0]["digest"]["sha256"] == receipt["digest"].removeprefix("sha256:")
    inputs = {one["name"]: one for one in provenance["predicate"]["buildDefinition"]["resolvedDependencies"]}
    (wheel,) = [one for name, one in inputs.items() if name.startswith("cdemo-1.0-")]
    assert len(wheel["annotations"]["build_key"]) == 64
    assert "cdemo-1.0.tar.gz" in inputs
    assert "pkg:pypi/cdemo@1.0" in {one.get("purl") for one in _json(f"{address}cyclonedx")["components"]}
    assert _json(f"{address}spdx")["spdxVersion"] == "SPDX-2.3"


def _a_scanner_finds_the_same(stack, receipt):
    """syft, which pulls the image by its name and knows nothing of ours."""
    source = f"registry:{stack.url.removeprefix('http://')}/receipts/demo:1"
    said = run_command(
        [str(Path(sys.executable).with_name("syft")), "scan", source, "--output", "json", "--quiet"],
        timeout=300,
        environment={"SYFT_REGISTRY_INSECURE_USE_HTTP": "true", "SYFT_CHECK_FOR_APP_UPDATE": "false"},
    )
    found = json.loads(said)
    assert (found["distro"]["id"], found["distro"]["versionID"]) == ("debian", "12")
    for kind, type_ in (("package", "deb"), ("wheel", "python")):
        ours = {(part["name"], part["version"]) for part in receipt["parts"] if part["kind"] == kind}
        assert {(one["name"], one["version"]) for one in found["artifacts"] if one["type"] == type_} == ours
    owned = next(one for one in found["artifacts"] if one["name"] == "zlib1g")
    assert any("libz.so.1" in one["path"] for one in owned["metadata"]["files"])


def _a_policy_refuses(stack, tmp_path):
    policy = tmp_path / "policy.toml"
    policy.write_text('forbidden_projects = ["puredemo"]\nforbidden_files = ["/usr/bin/python3.*"]\n')
    said = stack.cli(
        *ASKED, "--policy", str(policy), "--size-budget", "1 MB", "--tag", "receipts/refused:1", code=1
    )
    assert "violates 3 rules and is not published" in said
    assert "puredemo forbids puredemo 1.0" in said
    assert "more than the budget of 1.0 MB; the largest are" in said
    assert "there is no image" in stack.cli("image", "receipt", "receipts/refused:1", code=2)


def _json(address: str):
    with urllib.request.urlopen(address, timeout=60) as answer:
        return json.load(answer)
