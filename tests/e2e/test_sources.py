"""Sources of every origin on the whole stack: commits, uploads, hostile sdists; and the lock of a build."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.distributions import sdist_members, tarred
from tests.e2e.conftest import Stack, stack_with_toolchain
from tests.e2e.projects import C_SOURCE, PYPROJECT, SETUP
from tests.git_site import GitSite, serve_git
from tests.index_site import IndexSite
from wheelyard.digests import Digest
from worker.engine.contract import Engine

GIT_PROJECT = {
    "pyproject.toml": PYPROJECT,
    "setup.py": SETUP.format(name="gitdemo", module="gitdemo", source="gitdemo.c", needs=[]),
    "gitdemo.c": C_SOURCE.replace("cdemo", "gitdemo"),
    "MANIFEST.in": "include gitdemo.c\n",
}


# It makes an sdist of itself with what its recipe gives, and not otherwise.
PICKY_SETUP = """\
import os, sys
if "sdist" in sys.argv:
    assert os.environ.get("PICKY") == "second", "not this variant"
    assert os.path.exists("/usr/include/yaml.h"), "no package of the recipe"
"""
PICKY_RECIPE = """\
packages = ["libyaml-dev"]
[variants.first]
default = true
environment = { PICKY = "first" }
[variants.second]
environment = { PICKY = "second" }
"""


@pytest.fixture(scope="module")
def git_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitSite]:
    with serve_git(tmp_path_factory.mktemp("repositories")) as serving:
        yield serving


@pytest.fixture(scope="module")
def stack(
    site: IndexSite, git_site: GitSite, engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A stack that may fetch from the git server, over a bucket with a toolchain in it."""
    folder = tmp_path_factory.mktemp("sources")
    (folder / "recipes").mkdir()
    settings = {"WHEELYARD_GIT_HOSTS": git_site.host, "WHEELYARD_RECIPES_DIR": str(folder / "recipes")}
    with stack_with_toolchain(folder, engine, site, **settings) as running:
        running.cli("cache", "rebuild-db")
        yield running


@pytest.fixture(scope="module")
def commit(git_site: GitSite) -> str:
    return git_site.commit("gitdemo", GIT_PROJECT)


@pytest.fixture
def own_sdist(tmp_path: Path) -> Path:
    """An sdist of a project that no index has."""
    project = {
        "pyproject.toml": PYPROJECT,
        "setup.py": SETUP.format(name="owndemo", module="owndemo", source="owndemo.c", needs=["cdemo"]),
        "owndemo.c": C_SOURCE.replace("cdemo", "owndemo"),
    }
    members = [member for member in sdist_members("owndemo", "1.0") if member[0].name.endswith("PKG-INFO")]
    for name, text in project.items():
        members.append((tarfile.TarInfo(f"owndemo-1.0/{name}"), text.encode()))
    path = tmp_path / "owndemo-1.0.tar.gz"
    path.write_bytes(tarred(members))
    return path


def inputs_of(stack: Stack, project: str) -> dict[str, object]:
    """What the one wheel of a project was made of."""
    (inputs,) = [one["record"]["inputs"] for one in stack.answer("cache", "show", project) if one["record"]]
    return dict(inputs)


def test_a_commit_is_built_like_a_release_and_fetched_once(stack: Stack, git_site: GitSite, commit: str):
    requirement = git_site.requirement("gitdemo", commit)
    stack.cli("build", requirement, "--progress", "plain")
    inputs = inputs_of(stack, "gitdemo")
    assert inputs["sdist_filename"] == "gitdemo-1.0.tar.gz"
    git_site.requests.clear()
    assert " hit " in stack.cli("build", requirement, "--refresh", "--progress", "plain")
    assert git_site.requests == []
    lock = stack.cli("lock", stack.cli("build", requirement, "--detach").strip())
    assert f"--hash={inputs['sdist']}" in lock


def test_a_commits_sdist_is_made_with_the_recipe_in_the_variant_that_is_asked_for(
    stack: Stack, git_site: GitSite
):
    project = {
        **GIT_PROJECT,
        "setup.py": PICKY_SETUP + GIT_PROJECT["setup.py"].replace("gitdemo", "pickydemo"),
    }
    project["pickydemo.c"] = project.pop("gitdemo.c").replace("gitdemo", "pickydemo")
    project["MANIFEST.in"] = "include pickydemo.c\n"
    (stack.folder / "recipes" / "pickydemo.toml").write_text(PICKY_RECIPE)
    requirement = git_site.requirement("pickydemo", git_site.commit("pickydemo", project))
    assert "not this variant" in stack.cli("build", requirement, "--progress", "plain", code=1)
    stack.cli("build", requirement, "--variant", "pickydemo=second", "--progress", "plain")
    assert inputs_of(stack, "pickydemo")["variant"] == "second"


def test_a_commit_of_another_project_is_refused_by_its_own_name(stack: Stack, git_site: GitSite, commit: str):
    told = stack.cli("build", git_site.requirement("gitdemo", commit).replace("gitdemo @", "numpy @"), code=2)
    assert "is another project" in told
    assert "gitdemo @ git+" in told


def test_a_host_that_is_not_listed_is_refused_at_the_door(stack: Stack, commit: str):
    told = stack.cli("build", f"gitdemo @ git+https://git.example.org/gitdemo.git@{commit}", code=2)
    assert "WHEELYARD_GIT_HOSTS" in told


def test_an_sdist_of_ones_own_is_uploaded_and_built_with_the_same_key(stack: Stack, own_sdist: Path):
    stack.cli("build", str(own_sdist), "--progress", "plain")
    inputs = inputs_of(stack, "owndemo")
    assert inputs["sdist"] == str(Digest.of_file(own_sdist))
    # By its version, and once more by its path, it is the same wheel.
    for asked in ("owndemo==1.0", str(own_sdist)):
        assert "hit" in stack.cli("build", asked, "--refresh", "--progress", "plain")


def test_a_hostile_sdist_is_refused_before_anything_of_it_runs(stack: Stack):
    member = tarfile.TarInfo("hostile-1.0/link")
    member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
    stack.site.add("hostile", "hostile-1.0.tar.gz", tarred([*sdist_members("hostile", "1.0"), (member, b"")]))
    told = stack.cli("build", "hostile", code=1)
    assert "the sdist hostile-1.0.tar.gz was refused: a link leaves the folder" in told


def test_the_lock_of_a_build_installs_with_hashes_from_the_index(stack: Stack, tmp_path: Path):
    stack.cli("build", "cppdemo", "--progress", "plain")
    job = stack.cli("build", "cppdemo", "--detach").strip()
    lock, pylock = tmp_path / "lock.txt", tmp_path / "pylock.toml"
    stack.cli("lock", job, "-o", str(lock))
    stack.cli("lock", job, "--format", "pylock", "-o", str(pylock))
    assert "cdemo==1.0" in lock.read_text()
    target = tmp_path / "installed"
    install = [
        sys.executable, "-m", "pip", "install", "--isolated", "--no-cache-dir", "--require-hashes",
        "--only-binary", ":all:", "--index-url", f"{stack.url}/simple/", "--target", str(target),
        "--python-version", "3.11", "--implementation", "cp", "--platform", "manylinux_2_36_x86_64",
    ]  # fmt: skip
    done = subprocess.run(
        [*install, "-r", str(lock)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in target.glob("*.dist-info")) == [
        "cdemo-1.0.dist-info", "cppdemo-1.0.dist-info",
    ]  # fmt: skip
    # What was locked is asked for again, and is there.
    for file in (lock, pylock):
        assert "hit" in stack.cli("build", "-r", str(file), "--locked", "--refresh", "--progress", "plain")


def test_a_lock_with_the_hashes_of_wheels_only_is_refused_by_name(stack: Stack, tmp_path: Path):
    lock = tmp_path / "lock.txt"
    lock.write_text(f"cdemo==1.0 --hash={Digest.of(b'some wheel')}\n")
    told = stack.cli("build", "-r", str(lock), code=2)
    assert "cdemo 1.0" in told
    assert "sdists" in told
