"""Locks in TOML: what uv.lock and pylock.toml ask for, and those that can't be built from source."""

from __future__ import annotations

import pytest

from tests.user_locks import COMMIT, OTHER, PYLOCK, SDIST, UV_LOCK, WHEEL
from wheelyard.errors import InputError
from wheelyard.inputs.group_markers import Choice
from wheelyard.inputs.pylock import is_pylock_name, read_pylock, user_lock_of_pylock
from wheelyard.inputs.uv_lock import read_uv_lock

CLIPS = f"clips@ git+https://git.example.org/clips.git@{COMMIT}#subdirectory=python"
NOTHING = Choice()


def texts(lines):
    return sorted(str(line.requirement).replace(" @ ", "@ ") for line in lines)


def test_a_lock_of_uv_gives_what_the_project_needs_and_limits_all_the_rest():
    wanted = read_uv_lock(UV_LOCK, "uv.lock", NOTHING)
    assert texts(wanted.requirements) == [
        'numpy==1.26.4; python_full_version < "3.11"',
        'numpy==2.4.6; python_full_version >= "3.11"',
        "requests[socks]==2.32.5",
    ]
    assert texts(wanted.constraints) == [
        "idna==3.11",
        'numpy==1.26.4; python_full_version < "3.11"',
        'numpy==2.4.6; python_full_version >= "3.11"',
        "pysocks==1.7.1",
        "requests==2.32.5",
    ]
    assert wanted.hashes == {
        "idna": (str(OTHER),),
        "numpy": tuple(sorted((str(SDIST), str(OTHER)))),
        "pysocks": (str(OTHER),),
        "requests": (str(SDIST),),
    }
    wanted.require_lock()


def test_an_extra_of_a_lock_of_uv_may_be_a_git_commit():
    wanted = read_uv_lock(UV_LOCK, "uv.lock", Choice.of(["Video"], []))
    assert CLIPS in texts(wanted.requirements)
    assert not any(text.startswith("clips") for text in texts(wanted.constraints))


def test_a_project_without_an_sdist_is_named_with_the_way_to_lock_it():
    with pytest.raises(InputError, match=r"uv\.lock has no sdist of pytest 9\.2\.0") as raised:
        read_uv_lock(UV_LOCK, "uv.lock", Choice.of([], ["test"]))
    assert "wheels only" in raised.value.found
    assert "uv lock" in raised.value.do


def test_an_extra_or_group_that_a_lock_of_uv_lacks_is_named_with_those_that_it_has():
    with pytest.raises(InputError, match="no extra audio") as raised:
        read_uv_lock(UV_LOCK, "uv.lock", Choice.of(["audio"], []))
    assert raised.value.expected == "video"
    with pytest.raises(InputError, match="no group docs"):
        read_uv_lock(UV_LOCK, "uv.lock", Choice.of([], ["docs"]))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("version = 1\n", "version = 2\n"), "not a lock of uv that is known"),
        (('{ editable = "." }', '{ editable = "packages/app" }'), "no single project"),
        (('name = "idna"\nversion', 'name = "gone"\nversion'), "can't be read as a lock of uv"),
        (('source = { registry = "https://index.example/simple" }\nsdist = { url = "https://x/idna',
          'source = { path = "vendor/idna" }\nsdist = { url = "https://x/idna'), "comes from path"),
        (("[[package]]", "[[package"), "can't be read"),
    ],
)  # fmt: skip
def test_a_lock_of_uv_that_is_none_is_refused_in_its_own_terms(change, words):
    with pytest.raises(InputError, match=words):
        read_uv_lock(UV_LOCK.replace(*change), "uv.lock", NOTHING)


def test_a_pylock_gives_its_packages_with_markers_and_the_hashes_of_sdists():
    wanted = read_pylock(PYLOCK, "pylock.toml", NOTHING)
    assert texts(wanted.requirements) == [
        'pywin32==311; sys_platform == "win32"',
        'requests==2.32.5; python_version >= "3.9"',
    ]
    assert wanted.hashes == {"requests": (str(SDIST),)}


def test_a_pylock_gives_what_its_extras_and_groups_add():
    wanted = read_pylock(PYLOCK, "pylock.toml", Choice.of(["video"], ["test"]))
    assert CLIPS in texts(wanted.requirements)
    assert 'pytest==9.2.0; python_version >= "3.10"' in texts(wanted.requirements)


def test_a_pylock_without_sdists_is_refused_where_a_toolchain_needs_them():
    with pytest.raises(InputError, match=r"pylock\.toml has no sdist of pywin32 311"):
        read_pylock(PYLOCK.replace("sys_platform == 'win32'", "os_name == 'posix'"), "pylock.toml", NOTHING)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (('lock-version = "1.0"', 'lock-version = "2.0"'), "2.0"),
        (('created-by = "tests"', ""), "created-by"),
        (('version = "2.32.5"', "version = 2"), "of requests"),
        (("python_version >= '3.9'", "python_version >>> 3"), "of requests"),
    ],
)
def test_a_pylock_that_is_none_says_where(change, found):
    with pytest.raises(InputError, match=r"pylock\.toml is not a lock") as raised:
        read_pylock(PYLOCK.replace(*change), "pylock.toml", NOTHING)
    assert found in raised.value.found


def test_archives_and_other_projects_folders_are_refused():
    start, end = PYLOCK.index("[packages.vcs]"), PYLOCK.index('[[packages]]\nname = "pytest"')
    archive = '[packages.archive]\nurl = "https://x/clips.zip"\nhashes = { sha256 = "0" }\n'
    with pytest.raises(InputError, match="an archive by its address"):
        read_pylock(PYLOCK[:start] + archive + PYLOCK[end:], "pylock.toml", Choice.of(["video"], []))
    with pytest.raises(InputError, match="a folder of another project"):
        read_pylock(PYLOCK.replace('path = "."', 'path = "../lib"'), "pylock.toml", NOTHING)


def test_a_pylock_is_waited_for_with_the_hashes_of_its_wheels_too():
    lock = user_lock_of_pylock(PYLOCK, "pylock.toml")
    first = lock.pins[0]
    assert (first.pin, first.digests) == ("requests==2.32.5", {SDIST, WHEEL})
    assert first.origin == "pylock.toml, package requests"
    assert f"--hash={WHEEL}" in lock.with_digests({})
    assert "requests==2.32.5" in lock.lines[first.span[0]]


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("pylock.toml", True), ("a/pylock.dev.toml", True), ("uv.lock", False), ("lock.toml", False)],
)
def test_names_of_pylocks_are_those_of_the_specification(name, is_one):
    assert is_pylock_name(name) is is_one
