"""Which wheels fit more than the toolchain that built them."""

from dataclasses import replace

import pytest

from wheelyard.build_key import BuildInputs
from wheelyard.digests import Digest
from wheelyard.fitting import FittingWheel, declares_dependencies, fits, fits_others, shared_key
from wheelyard.toolchains import Toolchain
from wheelyard.wheel_record import WheelRecord


def toolchain(python="3.13", policy="manylinux_2_41_x86_64") -> Toolchain:
    return Toolchain.model_validate(
        {
            "name": "t",
            "description": "",
            "policy": policy,
            "python": {"version": python, "tag": f"cp{python.replace('.', '')}"},
            "image": "x@sha256:0",
        }
    )


INPUTS = BuildInputs(
    project="demo", version="1.0", sdist=str(Digest.of(b"sdist")), sdist_filename="demo-1.0.tar.gz",
    toolchain=str(Digest.of(b"image")), target="manylinux_2_36_x86_64", python_tag="cp311",
    build_wheels={"setuptools-81.0-py3-none-any.whl": str(Digest.of(b"s"))}, environment={},
    config_settings={}, packages={"libfoo-dev": "1.0 sha256:aa"},
)  # fmt: skip


def record(filename="demo-1.0-py3-none-any.whl", requires_python="") -> WheelRecord:
    return WheelRecord(
        inputs=INPUTS, channel="default", filename=filename, digest=Digest.of(b"wheel"), size=5,
        metadata_digest=Digest.of(b"metadata"), requires_python=requires_python, requires_dist=(), imports=(),
        external=(), toolchain="debian12-cp311", published_at=1.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("filename", "shared"),
    [
        ("demo-1.0-py3-none-any.whl", True),
        ("demo-1.0-py2.py3-none-any.whl", True),
        ("demo-1.0-1-py3-none-any.whl", True),
        ("demo-1.0-cp38-abi3-manylinux_2_36_x86_64.whl", True),
        ("demo-1.0-cp311-cp311-manylinux_2_36_x86_64.whl", False),
        ("demo-1.0-py3-none-manylinux_2_36_x86_64.whl", False),
        ("demo-1.0-cp311-none-any.whl", False),
        ("demo-1.0-cp311-abi3.cp311-manylinux_2_36_x86_64.whl", False),
    ],
)
def test_a_pure_wheel_and_one_of_the_stable_abi_may_fit_others(filename, shared):
    assert fits_others(filename) is shared


@pytest.mark.parametrize(
    ("filename", "python", "policy", "fitting"),
    [
        ("demo-1.0-py3-none-any.whl", "3.9", "manylinux_2_31_x86_64", True),
        ("demo-1.0-cp38-abi3-manylinux_2_36_x86_64.whl", "3.13", "manylinux_2_41_x86_64", True),
        ("demo-1.0-cp38-abi3-manylinux_2_36_x86_64.whl", "3.11", "manylinux_2_36_x86_64", True),
        # An older libc, an older Python, another machine.
        ("demo-1.0-cp38-abi3-manylinux_2_36_x86_64.whl", "3.9", "manylinux_2_31_x86_64", False),
        ("demo-1.0-cp312-abi3-manylinux_2_36_x86_64.whl", "3.11", "manylinux_2_36_x86_64", False),
        ("demo-1.0-cp38-abi3-manylinux_2_36_aarch64.whl", "3.13", "manylinux_2_41_x86_64", False),
        ("demo-1.0-cp311-cp311-manylinux_2_36_x86_64.whl", "3.11", "manylinux_2_36_x86_64", False),
    ],
)
def test_python_and_platform_decide(filename, python, policy, fitting):
    assert fits(record(filename), toolchain(python, policy)) is fitting


@pytest.mark.parametrize(
    ("requires_python", "fitting"),
    [
        ("", True),
        (">=3.9", True),
        (">=3.9,<4", True),
        ("<3.13", False),
        (">=3.14", False),
        # One patch release of 3.13 has it and another has not.
        (">=3.13.2", False),
        ("!=3.13.0", False),
        ("not a specifier", False),
    ],
)
def test_requires_python_must_hold_for_every_patch_release(requires_python, fitting):
    assert fits(record(requires_python=requires_python), toolchain()) is fitting


def test_builds_under_two_toolchains_share_a_key():
    other = replace(
        INPUTS, toolchain=str(Digest.of(b"another")), target="manylinux_2_41_x86_64", python_tag="cp313",
        build_wheels={"setuptools-82.0-py3-none-any.whl": str(Digest.of(b"t"))},
        packages={"libfoo-dev": "2.0 sha256:bb"},
    )  # fmt: skip
    assert other.key != INPUTS.key
    assert shared_key(other) == shared_key(INPUTS)


@pytest.mark.parametrize(
    "change",
    [
        {"version": "1.1"},
        {"sdist": str(Digest.of(b"another"))},
        {"environment": {"A": "b"}},
        {"config_settings": {"a": "b"}},
        {"patches": (str(Digest.of(b"patch")),)},
        {"variant": "full"},
        {"build_deps": "source"},
        {"packages": {"libbar-dev": "1.0 sha256:aa"}},
        {"natives": {"ffmpeg": str(Digest.of(b"native"))}},
        {"leave_out": ("*/tests/*",)},
        {"recipe_format": 99},
    ],
)
def test_another_source_or_recipe_shares_nothing(change):
    assert shared_key(replace(INPUTS, **change)) != shared_key(INPUTS)


@pytest.mark.parametrize(
    ("headers", "declared"),
    [
        ("Metadata-Version: 2.2\n", True),
        ("Metadata-Version: 2.4\nRequires-Dist: attrs\nDynamic: license-file\n", True),
        ("Metadata-Version: 2.10\n", True),
        ("Metadata-Version: 2.1\n", False),
        ("Metadata-Version: 2.4\nDynamic: Requires-Dist\n", False),
        ("Metadata-Version: 2.4\nDynamic: license-file\nDynamic: requires-python\n", False),
        ("Metadata-Version: none\n", False),
        ("", False),
    ],
)
def test_only_declared_dependencies_are_those_of_every_wheel(headers, declared):
    assert declares_dependencies(f"{headers}Name: demo\nVersion: 1.0\n\nText\n".encode()) is declared


def test_a_note_survives_its_bytes_and_lies_below_its_shared_key():
    note = FittingWheel.of_record(record())
    assert FittingWheel.from_bytes(note.to_bytes()) == note
    assert note.document_name == f"records/fitting/{shared_key(INPUTS)}/{INPUTS.key}.json"
