"""The lock of a build: what pip and uv install from, in both of its forms."""

from __future__ import annotations

import tomllib

import pytest
from packaging.pylock import Pylock

from tests.plans import node, plan
from wheelyard.built_lock import BuiltLock, projects_of
from wheelyard.digests import Digest
from wheelyard.inputs.group_markers import Choice
from wheelyard.inputs.pylock import read_pylock
from wheelyard.locks import IndexFile, Lock, Pin, parse_lock_text
from wheelyard.plan import Role, Standing

WHEEL, SDIST, OTHER = Digest.of(b"wheel"), Digest.of(b"sdist"), Digest.of(b"other")
SITE = "http://wheels.example:8765"
FILENAME = "numpy-1.0-cp311-cp311-manylinux_2_36_x86_64.whl"
LOCK = Lock(
    pins=(
        Pin(project="pillow", version="1.0", files=(IndexFile(filename="pillow-1.0.tar.gz", digest=OTHER),)),
        Pin(
            project="numpy", version="1.0",
            files=(
                IndexFile(filename="numpy-1.0.tar.gz", digest=SDIST),
                IndexFile(filename="numpy-1.0-cp312-cp312-win_amd64.whl", digest=OTHER),
            ),
        ),
    ),
    text="",
)  # fmt: skip
PLAN = plan(
    node("numpy", Standing.HIT, role=Role.BUILD, digest=str(OTHER), filename="numpy-1.0-py3-none-any.whl"),
    node("numpy", Standing.BUILT, digest=str(WHEEL), filename=FILENAME),
    node("pillow"),
)


@pytest.fixture
def built():
    return BuiltLock(
        toolchain="debian12-cp311", python="3.11", machine="x86_64", site=SITE, index=f"{SITE}/simple/",
        projects=projects_of(PLAN, LOCK),
    )  # fmt: skip


def test_requirements_allow_the_wheel_that_was_built_and_its_sdist_and_nothing_else(built):
    numpy, pillow = parse_lock_text(built.requirements_text())
    assert (numpy.project, numpy.version, numpy.digests) == ("numpy", "1.0", {WHEEL, SDIST})
    assert (pillow.project, pillow.digests) == ("pillow", {OTHER})
    assert "# not built yet: pillow" in built.requirements_text()
    assert f"--index-url {SITE}/simple/" in built.requirements_text()


def test_a_pylock_is_one_and_has_what_is_built(built):
    document = tomllib.loads(built.pylock_text())
    lock = Pylock.from_dict(document)
    (package,) = lock.packages
    assert (package.name, str(package.version), package.index) == ("numpy", "1.0", f"{SITE}/simple/")
    assert package.wheels[0].url == f"{SITE}/files/{WHEEL.hex}/{FILENAME}"
    assert package.wheels[0].hashes == {"sha256": WHEEL.hex}
    assert (package.sdist.name, package.sdist.hashes) == ("numpy-1.0.tar.gz", {"sha256": SDIST.hex})
    assert str(lock.requires_python) == "==3.11.*"


def test_what_is_written_is_read_again(built):
    wanted = read_pylock(built.pylock_text(), "pylock.toml", Choice())
    assert [str(line.requirement) for line in wanted.requirements] == ["numpy==1.0"]
    assert wanted.hashes == {"numpy": (str(SDIST),)}


def test_the_same_build_is_the_same_text(built):
    assert built.pylock_text() == built.pylock_text()
    assert built.requirements_text() == built.requirements_text()
