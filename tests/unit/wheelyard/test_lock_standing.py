"""Which wheels of a page pip would take for a line of a lock, under a toolchain."""

from __future__ import annotations

import pytest
from packaging.markers import Marker

from wheelyard.digests import Digest
from wheelyard.lock_standing import LineStanding, OfferedFile, PythonRoom, Standing
from wheelyard.user_lock import read_user_lock

ROOM = PythonRoom(python="3.11", tag="cp311", policy="manylinux_2_36_x86_64")


def offered(filename: str, requires_python: str = "", *, yanked: bool = False) -> OfferedFile:
    return OfferedFile(
        filename=filename,
        url=f"http://index.example/files/{filename}",
        digest=Digest.of(filename.encode()),
        requires_python=requires_python,
        yanked=yanked,
    )


def standing(line: str, *files: OfferedFile) -> LineStanding:
    (pin,) = read_user_lock([("lock.txt", line)]).pins
    return LineStanding.of(pin, files, ROOM)


@pytest.mark.parametrize(
    "filename",
    [
        "numpy-2.0-cp311-cp311-manylinux_2_36_x86_64.whl",
        "numpy-2.0-1-cp311-cp311-manylinux_2_36_x86_64.whl",
        "numpy-2.0.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        "numpy-2.0-cp39-abi3-manylinux_2_28_x86_64.whl",
        "numpy-2.0-py3-none-any.whl",
        "numpy-2.0+local-cp311-cp311-linux_x86_64.whl",
    ],
)
def test_a_wheel_that_pip_takes_is_ready(filename):
    assert standing("numpy==2.0", offered(filename)).standing is Standing.READY


@pytest.mark.parametrize(
    "filename",
    [
        "numpy-2.0-cp312-cp312-manylinux_2_36_x86_64.whl",
        "numpy-2.0-cp311-cp311-manylinux_2_39_x86_64.whl",
        "numpy-2.0-cp311-cp311-musllinux_1_2_x86_64.whl",
        "numpy-2.0-cp311-cp311-manylinux_2_36_aarch64.whl",
        "numpy-2.0-cp311-cp311-win_amd64.whl",
        "numpy-2.0.1-cp311-cp311-manylinux_2_36_x86_64.whl",
        "numpyro-2.0-py3-none-any.whl",
        "numpy-2.0.tar.gz",
        "no wheel at all.whl",
    ],
)
def test_a_wheel_that_pip_passes_over_is_missing(filename):
    found = standing("numpy==2.0", offered(filename))
    assert (found.standing, found.wheels) == (Standing.MISSING, ())


@pytest.mark.parametrize(
    ("requires", "fits"),
    [(">=3.9", True), (">=3.11.4", True), ("<3.11", False), (">=3.12", False), ("??", True)],
)
def test_requires_python_counts_as_pip_counts_it(requires, fits):
    found = standing("a==1", offered("a-1-py3-none-any.whl", requires))
    assert (found.standing is Standing.READY) is fits


def test_a_yanked_wheel_is_taken_by_an_exact_pin():
    assert standing("a==1", offered("a-1-py3-none-any.whl", yanked=True)).standing is Standing.READY


def test_hashes_choose_among_the_wheels_that_fit():
    one, two = offered("a-1-1-py3-none-any.whl"), offered("a-1-2-py3-none-any.whl")
    assert standing(f"a==1 --hash={two.digest}", one, two).wheels == (two,)
    found = standing(f"a==1 --hash={Digest.of(b'of upstream')}", one, two)
    assert (found.standing, found.wheels) == (Standing.OTHER_BYTES, (one, two))


@pytest.mark.parametrize(
    ("marker", "needed"),
    [
        ('sys_platform == "linux" and platform_machine == "x86_64"', True),
        ('sys_platform == "win32"', False),
        ('python_version < "3.10"', False),
        ('python_full_version < "3.11.3"', True),
        ('python_full_version >= "3.11.3"', True),
        ('implementation_name == "pypy"', False),
    ],
)
def test_a_marker_is_judged_for_the_toolchain_and_in_doubt_for_the_lock(marker, needed):
    assert ROOM.needs(Marker(marker)) is needed


def test_a_page_is_read_with_its_links_and_without_what_it_does_not_say():
    page = {
        "files": [
            {"filename": "a-1-py3-none-any.whl", "url": "../../files/a-1-py3-none-any.whl", "hashes": {}},
            {
                "filename": "a-2-py3-none-any.whl",
                "url": "/b",
                "hashes": {"sha256": "0" * 64},
                "yanked": "why",
            },
        ]
    }
    first, second = OfferedFile.of_page(page, "http://index.example/simple/a/")
    assert (first.url, first.digest, first.yanked) == (
        "http://index.example/files/a-1-py3-none-any.whl",
        None,
        False,
    )
    assert (second.url, str(second.digest), second.yanked) == (
        "http://index.example/b",
        f"sha256:{'0' * 64}",
        True,
    )
