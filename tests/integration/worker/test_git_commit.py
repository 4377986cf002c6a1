"""Commits fetched with the real git from a real server: what comes, what is not run, what is refused."""

from __future__ import annotations

import gzip
import tarfile
import time

import pytest

from tests.git_site import COMMITTED_AT, git, serve_git
from wheelyard.errors import Cancelled, InfrastructureError, InputError
from wheelyard.git_address import GitAddress
from worker.git_commit import Bounds, fetch_commit

FILES = {"pyproject.toml": "[project]\n", "demo/__init__.py": "x = 1\n", "run.sh": "#!/bin/sh\n"}


def nothing() -> None:
    """Nobody cancels."""


BOUNDS = Bounds(bytes=64 << 20, seconds=60, check=nothing)


@pytest.fixture
def site(tmp_path):
    (tmp_path / "repositories").mkdir()
    with serve_git(tmp_path / "repositories") as serving:
        yield serving


@pytest.fixture
def fetched(site, tmp_path):
    """Fetches a commit of the site into a new folder each time."""

    def fetch(name, commit, subdirectory="", bounds=BOUNDS):
        folder = tmp_path / f"fetched-{time.monotonic_ns()}"
        folder.mkdir()
        address = GitAddress(url=f"{site.url}/{name}.git", commit=commit, subdirectory=subdirectory)
        return fetch_commit(address, folder, bounds)

    return fetch


def members(packed):
    with tarfile.open(packed.archive) as pack:
        return {
            member.name: pack.extractfile(member).read() if member.isreg() else member.linkname
            for member in pack
            if not member.isdir()
        }


def test_a_commit_comes_as_one_folder_with_its_own_time(site, fetched):
    first = site.commit("demo", FILES)
    site.commit("demo", {"demo/__init__.py": "x = 2\n"})
    packed = fetched("demo", first)
    assert packed.committed_at == COMMITTED_AT
    assert packed.submodules == ()
    assert members(packed) == {f"source/{name}": text.encode() for name, text in FILES.items()}
    with tarfile.open(packed.archive) as pack:
        assert {(one.mtime, one.uid, one.uname) for one in pack} == {(COMMITTED_AT, 0, "")}


def test_the_same_commit_is_the_same_bytes(site, fetched):
    commit = site.commit("demo", FILES)
    assert fetched("demo", commit).archive.read_bytes() == fetched("demo", commit).archive.read_bytes()


def test_a_folder_of_a_repository_is_taken_alone(site, fetched):
    commit = site.commit("demo", {"packages/one/pyproject.toml": "a", "packages/two/pyproject.toml": "b"})
    assert members(fetched("demo", commit, "packages/two")) == {"source/pyproject.toml": b"b"}
    with pytest.raises(InputError, match="no folder packages/three"):
        fetched("demo", commit, "packages/three")


def test_attributes_of_the_commit_change_and_leave_out_nothing(site, fetched):
    files = {
        ".gitattributes": "*.txt export-subst text eol=crlf\nsecret.txt export-ignore\n*.bin filter=x\n",
        "plain.txt": "$Format:%H$\n", "secret.txt": "kept\n", "some.bin": "$Id$\n",
    }  # fmt: skip
    commit = site.commit("demo", files)
    got = members(fetched("demo", commit))
    assert got["source/plain.txt"] == b"$Format:%H$\n"
    assert got["source/secret.txt"] == b"kept\n"
    assert got["source/some.bin"] == b"$Id$\n"


def test_a_repository_can_not_have_a_hook_or_filter_run(site, fetched, tmp_path, monkeypatch):
    """Not even where the worker's own configuration of git would."""
    marker = tmp_path / "ran"
    evil = tmp_path / "evil"
    evil.mkdir()
    for name in ("post-checkout", "reference-transaction", "post-merge"):
        (evil / name).write_text(f"#!/bin/sh\ntouch {marker}\n")
        (evil / name).chmod(0o755)
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        f'[core]\n hooksPath = {evil}\n[filter "evil"]\n smudge = touch {marker}\n required = true\n'
        f"[credential]\n helper = !touch {marker}\n"
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.hooksPath")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(evil))
    commit = site.commit("demo", {".gitattributes": "* filter=evil\n", "a.txt": "a\n"})
    marker.unlink(missing_ok=True)
    assert members(fetched("demo", commit))["source/a.txt"] == b"a\n"
    assert not marker.exists()


def test_links_stay_links_and_are_never_written_here(site, fetched, tmp_path):
    commit = site.commit("demo", {"a.txt": "a\n"}, {"out": "/etc/passwd", "in": "a.txt"})
    packed = fetched("demo", commit)
    assert members(packed)["source/out"] == "/etc/passwd"
    assert not any(path.is_symlink() for path in packed.archive.parent.rglob("*"))


def test_submodules_are_named_and_not_fetched(site, fetched, tmp_path):
    inner = site.commit("inner", {"a.txt": "a\n"})
    site.commit("demo", FILES)
    work = site.folder / "demo.work"
    (work / "sub").mkdir()
    (work / ".gitmodules").write_text(f'[submodule "x"]\n path = sub\n url = {site.url}/inner.git\n')
    git(work, "update-index", "--add", "--cacheinfo", f"160000,{inner},sub")
    commit = site.commit("demo", {})
    site.requests.clear()
    packed = fetched("demo", commit)
    assert packed.submodules == ("sub",)
    assert not any("inner" in path for path in site.requests)


def test_a_commit_that_is_not_there_is_named(site, fetched):
    site.commit("demo", FILES)
    with pytest.raises(InputError, match="has no commit") as raised:
        fetched("demo", "0" * 40)
    assert "git ls-remote" in raised.value.do


def test_a_repository_that_is_not_there_is_no_outage(site, fetched):
    with pytest.raises(InputError, match="is not there"):
        fetched("nothing", "0" * 40)


def test_a_server_that_does_not_answer_is_an_outage(fetched, site):
    commit = site.commit("demo", FILES)
    address = GitAddress(url="http://127.0.0.1:9/demo.git", commit=commit)
    folder = site.folder / "out"
    folder.mkdir()
    with pytest.raises(InfrastructureError, match="failed"):
        fetch_commit(address, folder, BOUNDS)


def test_a_repository_that_is_too_large_is_refused(site, fetched):
    noise = gzip.compress(bytes(range(256)) * 4) + b"".join(
        bytes([(number * 7919) % 251]) for number in range(200_000)
    )
    commit = site.commit("demo", {"big.bin": noise})
    with pytest.raises(InputError, match="too large"):
        fetched("demo", commit, bounds=Bounds(bytes=20_000, seconds=60, check=nothing))


def test_whoever_cancels_is_heard(site, fetched):
    commit = site.commit("demo", FILES)

    def cancelled():
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        fetched("demo", commit, bounds=Bounds(bytes=1 << 30, seconds=60, check=cancelled))
