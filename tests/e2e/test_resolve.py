"""Resolving in real containers: with the real pip-compile, against an index that the test fills."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

from tests.e2e.conftest import TOOLCHAIN, Stack
from tests.index_site import IndexSite, serve_index
from wheelyard.errors import (
    BuildFailed,
    Cancelled,
    ForeignOutputRefused,
    IndexUnavailable,
    InputError,
    NotFound,
    TimedOut,
    WheelyardError,
)
from wheelyard.locks import Lock
from wheelyard.settings import Settings
from wheelyard.store.folder import FolderStore
from wheelyard.toolchains import get_toolchain
from wheelyard.upstream.fetch import fetch_file
from wheelyard.upstream.index import Upstream
from wheelyard.upstream.pip_index import PipIndex, configured_index
from worker.engine.contract import Container, Engine
from worker.resolve import Resolver

JOB = "resolve-test"
SETUP = "from setuptools import setup\nsetup(name={name!r}, version={version!r}{more})\n"


@pytest.fixture(scope="module")
def image(stack: Stack) -> str:
    return str(stack.answer("toolchain", "show", TOOLCHAIN)["image"])


@pytest.fixture(scope="module")
def setuptools() -> tuple[str, bytes]:
    """The newest setuptools of the real index, as a wheel."""
    upstream = Upstream(configured_index())
    listing = upstream.listing("setuptools")
    fitting = [file for file in listing.files if file.kind == "wheel" and file.version and file.fits("3.11")]
    newest = max(fitting, key=lambda file: file.version or Version("0"))
    target = io.BytesIO()
    upstream.download(newest, target, 64 << 20)
    return newest.filename, target.getvalue()


@pytest.fixture
def index(setuptools: tuple[str, bytes]) -> Iterator[IndexSite]:
    """An index of this test's own, with setuptools on it: a wheel without an sdist."""
    with serve_index() as own:
        own.add("setuptools", *setuptools)
        yield own


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def resolver(index: IndexSite, engine: Engine, image: str, tmp_path: Path, lines: list[str]):
    yield Resolver(
        engine=engine,
        image=image,
        toolchain=get_toolchain(TOOLCHAIN),
        upstream=Upstream(PipIndex(url=index.url), attempts=2, patience=2),
        store=FolderStore(tmp_path / "store"),
        settings=Settings(),
        job=JOB,
        owner="tests",
        scratch=tmp_path,
        report=lines.append,
    )
    assert not any(one.job == JOB for one in engine.containers())


def setup_py(name: str, version: str = "1.0", more: str = "") -> dict[str, str]:
    return {"setup.py": SETUP.format(name=name, version=version, more=more)}


def requiring(*requirements: str, backend: str = "setuptools.build_meta", more: str = "") -> str:
    listed = ", ".join(f'"{requirement}"' for requirement in requirements)
    return f'[build-system]\nrequires = [{listed}]\nbuild-backend = "{backend}"\n{more}'


def add(
    index: IndexSite, name: str, version: str = "1.0", requires: tuple[str, ...] = (), **how: Any
) -> None:
    """A project with an sdist and a wheel."""
    index.add_sdist(name, version, **how)
    index.add_wheel(name, version, requires=requires, **how)


def build_lock(resolver: Resolver, lock: Lock, project: str, folder: Path) -> Lock:
    """The build lock of a pin's sdist."""
    pin = lock.pin(project)
    assert pin is not None
    assert pin.sdist is not None
    fetch_file(project, pin.sdist, resolver.store, resolver.upstream)
    target = folder / "sdist"
    assert resolver.store.fetch_blob(pin.sdist.digest, target)
    return resolver.resolve_build(target, pin.sdist.filename)


def build_lock_of(
    resolver: Resolver, index: IndexSite, folder: Path, name: str, files: dict[str, str]
) -> Lock:
    """The build lock of an sdist with these files."""
    file = index.add_sdist(name, "1.0", files)
    target = folder / "sdist"
    target.write_bytes(file.body)
    return resolver.resolve_build(target, file.filename)


def pinned(lock: Lock) -> dict[str, str]:
    return {pin.project: pin.version for pin in lock.pins}


def test_locks_the_newest_versions_that_have_an_sdist(index, resolver, lines):
    add(index, "base", "1.0")
    add(index, "base", "1.1")
    index.add_wheel("base", "2.0")
    add(index, "app", requires=("base>=1",))
    lock = resolver.resolve_requirements(["App"])
    assert pinned(lock) == {"app": "1.0", "base": "1.1"}
    assert [file.filename for file in lock.pins[1].files] == ["base-1.1-py3-none-any.whl", "base-1.1.tar.gz"]
    assert index.url not in lock.text
    assert "127.0.0.1" not in lock.text
    assert any("Collecting app" in line for line in lines)
    assert not any("--hash" in line for line in lines)


def test_metadata_alone_is_enough(index, resolver):
    index.add_sdist("base", "1.0")
    body = b"Metadata-Version: 2.1\nName: base\nVersion: 1.0\n\n"
    index.add_wheel("base", "1.0", metadata=body)
    assert pinned(resolver.resolve_requirements(["base"])) == {"base": "1.0"}
    assert [path for path in index.asked if path.startswith("/packages/")] == [
        "/packages/base/base-1.0-py3-none-any.whl.metadata"
    ]


def test_an_sdist_alone_is_asked_in_the_container_and_wheels_do_not_hold_back_a_newer_one(index, resolver):
    add(index, "base", "1.0")
    index.add_sdist("base", "2.0", setup_py("base", "2.0"))
    index.add_sdist("app", "1.0", setup_py("app", more=", install_requires=['base']"))
    assert pinned(resolver.resolve_requirements(["app"])) == {"app": "1.0", "base": "2.0"}


def test_constraints_hold_for_what_is_needed_and_ask_for_nothing(index, resolver):
    add(index, "base", "1.0")
    add(index, "base", "2.0")
    add(index, "app", requires=("base",))
    lock = resolver.resolve_requirements(["app"], ["base==1.0", "ghost==3.0"])
    assert pinned(lock) == {"app": "1.0", "base": "1.0"}


def test_a_marker_is_judged_by_the_toolchains_python(index, resolver):
    add(index, "base")
    requirements = ["base; python_version >= '3'", "ghost; python_version < '3'"]
    assert pinned(resolver.resolve_requirements(requirements)) == {"base": "1.0"}


def test_an_extra_is_locked_with_what_it_needs(index, resolver):
    add(index, "base")
    index.add_sdist("app", "1.0")
    index.add_wheel("app", "1.0", requires=("base; extra == 'more'",), extras=("more",))
    assert pinned(resolver.resolve_requirements(["app[more]"])) == {"app": "1.0", "base": "1.0"}


def test_the_build_requirements_of_a_setup_py_are_setuptools_and_what_it_asks_for(index, resolver, tmp_path):
    add(index, "base")
    lock = build_lock_of(resolver, index, tmp_path, "app", setup_py("app", more=", setup_requires=['base']"))
    assert list(pinned(lock)) == ["base", "setuptools"]
    for pin in lock.pins:
        (file,) = pin.files
        assert file.is_wheel
        assert resolver.store.blob_size(file.digest)


def test_a_backend_inside_the_sdist_is_asked_with_the_recipes_settings(index, resolver, tmp_path):
    add(index, "base")
    backend = (
        "import os\ndef get_requires_for_build_wheel(settings=None):\n"
        "    assert os.environ['DEMO'] == '1' and settings == {'need': 'base'}, settings\n"
        "    return [settings['need']]\n"
    )
    table = requiring(backend="inner", more='backend-path = ["."]\n')
    target = tmp_path / "sdist"
    target.write_bytes(index.add_sdist("app", "1.0", {"pyproject.toml": table, "inner.py": backend}).body)
    lock = resolver.resolve_build(
        target, "app-1.0.tar.gz", config_settings={"need": "base"}, environment={"DEMO": "1"}
    )
    assert pinned(lock) == {"base": "1.0"}


def test_an_sdist_that_needs_nothing_has_an_empty_lock(index, resolver, tmp_path):
    table = requiring(backend="inner", more='backend-path = ["."]\n')
    lock = build_lock_of(resolver, index, tmp_path, "app", {"pyproject.toml": table, "inner.py": ""})
    assert lock == Lock(pins=(), text="")


REFUSED = [
    ("ghost", NotFound, "there is no project ghost on the index"),
    ("base==9", NotFound, "no version of base fits base==9"),
    ("base==2.0", InputError, "base 2.0 has no sdist on the index"),
    ("future>=2", InputError, "future 2.0 requires Python >=3.99; the toolchain debian12-cp311 has 3.11"),
    ("wants-ghost", NotFound, "; wants-ghost needs it"),
    ("wants-base2", InputError, "base 2.0, which wants-base2 needs, has no sdist on the index"),
    ("wants-future2", InputError, "future 2.0, which wants-future2 needs, requires Python >=3.99"),
    ("wants-url", InputError, "wants-url needs base from an address"),
    ("dies", BuildFailed, "the build backend of dies failed while it was asked for the project's metadata"),
    ("lies", ForeignOutputRefused, "lies-1.0-py3-none-any.whl is not the file that the index lists"),
]


@pytest.mark.parametrize(("requirements", "kind", "words"), REFUSED, ids=[case[0] for case in REFUSED])
def test_what_can_not_be_had_is_said_plainly(index, resolver, requirements, kind, words):
    add(index, "base", "1.0")
    add(index, "base", "1.1")
    index.add_wheel("base", "2.0")
    add(index, "future", "1.0")
    add(index, "future", "2.0", requires_python=">=3.99")
    for name, needs in {
        "wants-ghost": "ghost",
        "wants-base2": "base>=2",
        "wants-future2": "future>=2",
        "wants-url": "base @ https://example.org/base-1.0.tar.gz",
    }.items():
        add(index, name, requires=(needs,))
    index.add_sdist("dies", "1.0", {"setup.py": "raise SystemExit('no moon tonight')\n"})
    index.add_sdist("lies", "1.0")
    index.add_wheel("lies", "1.0", listed_sha256="0" * 64)
    with pytest.raises(WheelyardError) as caught:
        resolver.resolve_requirements(requirements.split())
    assert isinstance(caught.value, kind)
    assert words.lower() in caught.value.failed.lower()
    assert "Traceback" not in str(caught.value)


def test_contradicting_requirements_are_told_with_their_causes(index, resolver):
    add(index, "base", "1.0")
    add(index, "base", "1.1")
    add(index, "left", requires=("base==1.0",))
    add(index, "right", requires=("base==1.1",))
    with pytest.raises(InputError) as caught:
        resolver.resolve_requirements(["left", "right"])
    assert caught.value.facts["causes"] == ["left 1.0 depends on base==1.0", "right 1.0 depends on base==1.1"]


@pytest.mark.parametrize("below", ["/simple/base", "/packages/base"])
def test_an_outage_in_the_middle_is_an_outage(index, resolver, below):
    add(index, "base")
    add(index, "app", requires=("base",))
    index.fail_with, index.fail_below = 500, below
    with pytest.raises(IndexUnavailable, match="base"):
        resolver.resolve_requirements(["app"])


def test_a_hook_that_does_not_end_is_ended(index, resolver, tmp_path):
    index.add_sdist("slow", "1.0", {"setup.py": "import time\ntime.sleep(600)\n"})
    impatient = replace(resolver, settings=resolver.settings.model_copy(update={"resolve_timeout": 8}))
    with pytest.raises(TimedOut, match="resolving slow took too long"):
        impatient.resolve_requirements(["slow"])


def test_a_cancelled_resolution_ends_at_once(index, resolver):
    index.add_sdist("slow", "1.0", {"setup.py": "import time\ntime.sleep(600)\n"})
    started: list[Container] = []

    def cancel_when_it_runs(line: str) -> None:
        if "Getting requirements to build wheel: started" in line:
            started[0].kill()

    watched = replace(resolver, report=cancel_when_it_runs, watch=started.append)
    with pytest.raises(Cancelled):
        watched.resolve_requirements(["slow"])


BAD_SDISTS = [
    ({"pyproject.toml": requiring("ghost")}, NotFound, "there is no project ghost"),
    (
        {"pyproject.toml": requiring("sourceonly")},
        InputError,
        "sourceonly, which app-1.0.tar.gz needs, has no wheel",
    ),
    ({"pyproject.toml": requiring("base @ https://example.org/b.whl")}, InputError, "names an address"),
    ({"pyproject.toml": "[build-system\n"}, BuildFailed, "pyproject.toml can't be used"),
    (
        {"setup.py": "raise SystemExit(3)\n"},
        BuildFailed,
        "its build backend failed when it was asked what it needs",
    ),
    (
        {
            "pyproject.toml": requiring(backend="inner", more='backend-path = ["."]\n'),
            "inner.py": "def get_requires_for_build_wheel(settings=None):\n    return ['-r /etc/passwd']\n",
        },
        InputError,
        "is a pip option",
    ),
]


@pytest.mark.parametrize(("files", "kind", "words"), BAD_SDISTS)
def test_an_sdist_that_can_not_be_prepared_is_said_plainly(index, resolver, tmp_path, files, kind, words):
    add(index, "base")
    index.add_sdist("sourceonly", "1.0")
    with pytest.raises(WheelyardError) as caught:
        build_lock_of(resolver, index, tmp_path, "app", files)
    assert isinstance(caught.value, kind)
    assert words in caught.value.failed


@pytest.mark.parametrize("body", [b"no archive at all", b""])
def test_an_archive_that_is_none_is_said_to_be_none(resolver, tmp_path, body):
    target = tmp_path / "sdist"
    target.write_bytes(body)
    with pytest.raises(BuildFailed, match="it can't be unpacked"):
        resolver.resolve_build(target, "app-1.0.tar.gz")


def test_a_real_project_from_the_real_index(resolver, tmp_path):
    real = replace(resolver, upstream=Upstream(configured_index()))
    lock = real.resolve_requirements(
        ["docopt==0.6.2"]
    )  # one setup.py, and no wheel that would spare asking it
    assert pinned(lock) == {"docopt": "0.6.2"}
    assert "setuptools" in pinned(build_lock(real, lock, "docopt", tmp_path))
