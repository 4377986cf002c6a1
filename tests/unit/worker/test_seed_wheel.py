"""Which of upstream's wheels stands in for one that can't be built before itself."""

from __future__ import annotations

import pytest
from packaging.version import Version

from wheelyard.digests import Digest
from wheelyard.toolchains import get_toolchain
from wheelyard.upstream.listing import ListedFile, Listing, read_filename
from worker.seed_wheel import seed_wheel

TOOLCHAIN = get_toolchain("debian12-cp311")


def listing(*filenames: str, requires_python: str = "") -> Listing:
    files = tuple(
        ListedFile(
            filename=name, url="", digest=Digest.of(name.encode()), kind=read_filename("demo", name)[0],
            version=read_filename("demo", name)[1], requires_python=requires_python,
        )
        for name in filenames
    )  # fmt: skip
    return Listing(project="demo", files=files)


@pytest.mark.parametrize(
    "tag",
    [
        "cp311-cp311-manylinux_2_36_x86_64", "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64",
        "cp38-abi3-manylinux2014_x86_64", "py3-none-any", "py2.py3-none-manylinux_2_5_x86_64",
    ],
)  # fmt: skip
def test_takes_a_wheel_that_the_toolchain_can_install(tag):
    found = seed_wheel(listing(f"demo-1.0-{tag}.whl"), "1.0", TOOLCHAIN)
    assert found is not None
    assert found.filename == f"demo-1.0-{tag}.whl"


@pytest.mark.parametrize(
    "name",
    [
        "demo-1.0-cp312-cp312-manylinux_2_17_x86_64.whl", "demo-1.0-cp311-cp311-manylinux_2_37_x86_64.whl",
        "demo-1.0-cp311-cp311-manylinux_2_17_aarch64.whl", "demo-1.0-cp311-cp311-musllinux_1_2_x86_64.whl",
        "demo-1.1-py3-none-any.whl", "demo-1.0.tar.gz",
    ],
)  # fmt: skip
def test_takes_no_other(name):
    assert seed_wheel(listing(name), "1.0", TOOLCHAIN) is None


def test_takes_the_one_that_fits_best():
    files = listing(
        "demo-1.0-py3-none-any.whl", "demo-1.0-cp311-cp311-manylinux_2_17_x86_64.whl",
        "demo-1.0-cp311-cp311-manylinux_2_28_x86_64.whl",
    )  # fmt: skip
    found = seed_wheel(files, str(Version("1.0")), TOOLCHAIN)
    assert found is not None
    assert found.filename == "demo-1.0-cp311-cp311-manylinux_2_28_x86_64.whl"


def test_takes_none_that_asks_for_another_python():
    assert (
        seed_wheel(listing("demo-1.0-py3-none-any.whl", requires_python=">=3.12"), "1.0", TOOLCHAIN) is None
    )
