"""Wheels that are built again and compared, and wheels that are built once for several toolchains."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.conftest import TOOLCHAIN, Stack, stack_with_toolchain
from tests.e2e.made_toolchain import ROOT, made_toolchain
from tests.e2e.test_builds import built
from tests.index_site import IndexSite
from wheelyard.digests import Digest
from wheelyard.store.folder import FolderStore
from wheelyard.toolchain_record import save_record
from worker.engine.contract import Engine

TWIN = "twin"
TWIN_POLICY = "manylinux_2_40_x86_64"


@pytest.fixture(scope="module")
def stack(site: IndexSite, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack with two toolchains: Debian 12's, and one of the same image for a newer platform policy."""
    folder = tmp_path_factory.mktemp("sameness")
    record = made_toolchain(engine).record
    definitions = folder / "toolchains"
    definitions.mkdir()
    definition = (ROOT / "infra" / "toolchains" / f"{TOOLCHAIN}.toml").read_text()
    (definitions / f"{TWIN}.toml").write_text(definition.replace(record.policy, TWIN_POLICY))
    more = {"WHEELYARD_TOOLCHAINS_DIR": str(definitions)}
    with stack_with_toolchain(folder, engine, site, **more) as running:
        save_record(FolderStore(folder / "store"), replace(record, name=TWIN, policy=TWIN_POLICY))
        assert f"toolchains: {TWIN} added" in running.cli("cache", "rebuild-db")
        yield running


@pytest.mark.parametrize("project", ["cdemo", "placedemo"])
def test_a_wheel_is_the_same_in_another_place_on_another_host_and_at_another_time(
    stack: Stack, tmp_path: Path, project: str
):
    """The second one's compiler sees an absolute path, which it writes into the extension."""
    wheel = built(stack, project)[0]
    both = tmp_path / "both"
    outcome = json.loads(stack.cli("verify", f"{project}==1.0", "--json", "--keep", str(both)))
    assert outcome["equal"], outcome["difference"]
    assert not both.exists()
    assert outcome["difference"]["digests"] == [wheel["digest"], wheel["digest"]]
    assert outcome["circumstances"]["hostname"] == "another-host"
    assert "equal, byte by byte" in stack.cli("verify", f"{project}==1.0", "--progress", "plain")


def test_what_differs_is_named_with_members_and_bytes_and_the_published_wheel_stays(
    stack: Stack, tmp_path: Path
):
    wheel = built(stack, "stampdemo")[0]
    outcome = json.loads(stack.start_cli("verify", "stampdemo==1.0", "--json").communicate(timeout=300)[0])
    assert not outcome["equal"]
    members = {member["name"]: member for member in outcome["difference"]["members"]}
    lines = members["stampdemo_made.py"]["lines"]
    assert "-where = '/build/src'" in lines
    assert "+where = '/elsewhere/and/further/down/src'" in lines
    assert "-host = 'wheelyard'" in lines
    assert "+host = 'another-host'" in lines
    years = [int(line.rpartition(" ")[2]) for line in lines if "year = " in line]
    assert years[1] > years[0]
    # A program of its name: the compiler cache has the clock that the times of its files come from.
    assert not any("compiler_cache" in line for line in lines), lines
    (library,) = [member for name, member in members.items() if name.endswith(".so")]
    assert ".rodata" in library["sections"]
    assert "stampdemo-1.0.dist-info/RECORD" in members
    assert set(members) == {"stampdemo_made.py", library["name"], "stampdemo-1.0.dist-info/RECORD"}

    both = tmp_path / "both"
    keep = ("--keep", str(both))
    said = stack.cli("verify", "stampdemo==1.0", "--progress", "plain", *keep, code=1)
    assert "not equal: 3 members differ" in said
    assert f"{library['name']}: other bytes" in said
    published, rebuilt = (both / which / wheel["filename"] for which in ("published", "rebuilt"))
    assert str(Digest.of_file(published)) == wheel["digest"]
    assert f"/v1/blobs/{Digest.of_file(rebuilt)}" in said
    with zipfile.ZipFile(rebuilt) as opened:
        assert b"/elsewhere/and/further/down/src" in opened.read("stampdemo_made.py")
    (shown,) = stack.answer("cache", "show", "stampdemo")
    assert wheel["digest"] in json.dumps(shown)


def test_what_leaves_before_the_second_wheel_can_not_fetch_it(stack: Stack, tmp_path: Path):
    said = stack.cli("verify", "cdemo==1.0", "--detach", "--keep", str(tmp_path), code=2)
    assert "leave --keep out" in said


@pytest.mark.parametrize("requirement", ["cdemo", "cdemo>=1", "cdemo==1.*", "cdemo==9.9", "neverbuilt==1.0"])
def test_what_names_no_published_wheel_is_wrong_input(stack: Stack, requirement: str):
    assert "cache ls" in stack.cli("verify", requirement, code=2)


@pytest.mark.parametrize("project", ["puredemo", "abidemo"])
def test_a_wheel_that_fits_another_toolchain_is_built_once(stack: Stack, project: str):
    (first,) = built(stack, project)
    assert first["hit"] is False
    (second,) = built(stack, project, "--toolchain", TWIN)
    assert second["hit"] is True
    assert second["digest"] == first["digest"]


def test_a_wheel_of_one_python_is_built_for_each_toolchain(stack: Stack):
    """The twin's own build can't even be installed: the image's libc is older than the twin's policy says."""
    built(stack, "tracedemo")
    said = stack.cli("build", "tracedemo", "--toolchain", TWIN, "--progress", "plain", code=1)
    assert f"tracedemo-1.0-cp311-cp311-{TWIN_POLICY}.whl is not a supported wheel" in said


def test_a_wheel_that_breaks_the_stable_abi_it_claims_fails_with_its_symbols(stack: Stack):
    said = stack.cli("build", "nonabidemo", "--progress", "plain", code=1)
    assert "breaks the stable ABI that its tag claims" in said
    assert "nonabidemo.abi3.so: PyUnicode_AsUTF8" in said
