"""Which of upstream's wheels a toolchain takes."""

from __future__ import annotations

import pytest

from wheelyard.digests import Digest
from wheelyard.toolchains import get_toolchain
from wheelyard.upstream.listing import ListedFile, read_filename
from worker.wheel_choice import best_wheel

TOOLCHAIN = get_toolchain("debian12-cp311")


def listed(name: str, requires_python: str = "", yanked: str | None = None) -> ListedFile:
    kind, version = read_filename("demo", name)
    return ListedFile(
        filename=name, url="", digest=Digest.of(name.encode()), kind=kind, version=version,
        requires_python=requires_python, yanked=yanked,
    )  # fmt: skip


def best(*files: ListedFile) -> str | None:
    found = best_wheel(files, TOOLCHAIN)
    return None if found is None else found.filename


@pytest.mark.parametrize(
    "tag",
    [
        "cp311-cp311-manylinux_2_36_x86_64", "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64",
        "cp38-abi3-manylinux2014_x86_64", "py3-none-any", "py2.py3-none-manylinux_2_5_x86_64",
    ],
)  # fmt: skip
def test_takes_a_wheel_that_the_toolchain_can_install(tag):
    assert best(listed(f"demo-1.0-{tag}.whl")) == f"demo-1.0-{tag}.whl"


@pytest.mark.parametrize(
    "name",
    [
        "demo-1.0-cp312-cp312-manylinux_2_17_x86_64.whl", "demo-1.0-cp311-cp311-manylinux_2_37_x86_64.whl",
        "demo-1.0-cp311-cp311-manylinux_2_17_aarch64.whl", "demo-1.0-cp311-cp311-musllinux_1_2_x86_64.whl",
        "demo-1.0.tar.gz",
    ],
)  # fmt: skip
def test_takes_no_other(name):
    assert best(listed(name)) is None


@pytest.mark.parametrize("turn", [1, -1])
def test_takes_the_nearest_tag_and_then_the_highest_build_number(turn):
    files = [
        listed("demo-1.0-7-py3-none-any.whl"),
        listed("demo-1.0-cp311-cp311-manylinux_2_17_x86_64.whl"),
        listed("demo-1.0-9-cp311-cp311-manylinux_2_28_x86_64.whl"),
        listed("demo-1.0-10-cp311-cp311-manylinux_2_28_x86_64.whl"),
        listed("demo-1.0-11-cp311-cp311-manylinux_2_28_x86_64.whl", yanked="broken"),
        listed("demo-1.0-12-cp38-abi3-manylinux_2_28_x86_64.whl"),
    ][::turn]
    assert best(*files) == "demo-1.0-10-cp311-cp311-manylinux_2_28_x86_64.whl"


def test_takes_a_yanked_one_where_there_is_no_other():
    assert best(listed("demo-1.0-py3-none-any.whl", yanked="")) == "demo-1.0-py3-none-any.whl"


def test_takes_none_that_asks_for_another_python():
    assert best(listed("demo-1.0-py3-none-any.whl", requires_python=">=3.12")) is None
