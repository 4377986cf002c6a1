"""What an image may be asked to be, and the key of that."""

from __future__ import annotations

import pytest

from runtime_images.spec import ImageSpec
from runtime_images.wheel_tags import refuse_foreign_wheel
from wheelyard.digests import Digest
from wheelyard.errors import InputError
from wheelyard.image_record import WheelPin
from wheelyard.oci import Layer
from wheelyard.wheel_tags import accepted_tags

BASE = Layer(digest=Digest.of(b"gz"), diff_id=Digest.of(b"tar"), size=2, unpacked=3, title="base demo")


def pin(filename: str, project: str = "", version: str = "") -> WheelPin:
    name, number = filename.split("-")[:2]
    return WheelPin(
        project=project or name,
        version=version or number,
        filename=filename,
        digest=Digest.of(filename.encode()),
    )


NUMPY = pin("numpy-2.4.6-cp311-cp311-manylinux_2_36_x86_64.whl")
SIX = pin("six-1.17.0-py2.py3-none-any.whl")


def spec(**more) -> ImageSpec:
    fields = {
        "toolchain": "debian12-cp311",
        "toolchain_image": str(Digest.of(b"image")),
        "python_tag": "cp311",
        "policy": "manylinux_2_36_x86_64",
        "base": BASE,
        "wheels": (NUMPY, SIX),
    }
    return ImageSpec(**(fields | more))


def test_the_order_of_wheels_variables_and_labels_makes_no_difference():
    first = spec(environment={"A": "1", "B": "2"}, labels={"a": "1", "b": "2"}, optional_libraries=("x", "y"))
    second = spec(
        wheels=(SIX, NUMPY),
        environment={"B": "2", "A": "1"},
        labels={"b": "2", "a": "1"},
        optional_libraries=("y", "x", "y"),
    )
    assert first.key == second.key


@pytest.mark.parametrize(
    "change",
    [
        {"toolchain_image": str(Digest.of(b"another"))},
        {"wheels": (NUMPY,)},
        {"app": Digest.of(b"app")},
        {"entrypoint": ("python3", "-m", "demo")},
        {"command": ("x",)},
        {"environment": {"A": "1"}},
        {"workdir": "/srv"},
        {"user": "1001"},
        {"labels": {"a": "1"}},
        {"optional_libraries": ("libGL.so.1",)},
    ],
)
def test_every_input_is_in_the_key(change):
    assert spec(**change).key != spec().key


def test_survives_its_document():
    whole = spec(app=Digest.of(b"app"), environment={"A": "1"}, optional_libraries=("libGL.so.1",))
    assert ImageSpec.from_document(whole.to_document()).key == whole.key


@pytest.mark.parametrize(
    "wrong",
    [
        {"user": "0"},
        {"user": "0:1000"},
        {"user": "000:1"},
        {"user": "root"},
        {"user": "1000:"},
        {"user": "1000\n"},
        {"workdir": "app"},
        {"workdir": "/a/../b"},
        {"workdir": "/a\n"},
        {"entrypoint": "python3 main.py"},
        {"entrypoint": ("",)},
        {"entrypoint": ("python3", "a\0b")},
        {"environment": {"A B": "1"}},
        {"environment": {"A": "1\0"}},
        {"environment": {"A=B": "1"}},
        {"labels": {"a": "1\n2"}},
        {"labels": {"a\nb": "1"}},
        {"labels": {"": "1"}},
        {"toolchain_image": "debian12"},
        {"wheels": (NUMPY, pin("numpy-2.4.5-cp311-cp311-manylinux_2_36_x86_64.whl"))},
    ],
)
def test_refuses_what_no_image_should_be(wrong):
    with pytest.raises(InputError):
        spec(**wrong)


def test_root_is_possible_where_it_is_meant():
    assert spec(user="0", allow_root=True).user == "0"


@pytest.mark.parametrize(
    "filename",
    [
        "demo-1.0-cp311-cp311-manylinux_2_36_x86_64.whl",
        "demo-1.0-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        "demo-1.0-cp311-cp311-linux_x86_64.whl",
        "demo-1.0-cp37-abi3-manylinux_2_28_x86_64.whl",
        "demo-1.0-py3-none-any.whl",
        "demo-1.0-py3-none-manylinux1_x86_64.whl",
        "demo-1.0-3-cp311-cp311-manylinux_2_5_x86_64.whl",
    ],
)
def test_takes_wheels_that_run_there(filename):
    refuse_foreign_wheel(pin(filename), "cp311", "manylinux_2_36_x86_64")


@pytest.mark.parametrize(
    "filename",
    [
        "demo-1.0-cp312-cp312-manylinux_2_36_x86_64.whl",
        "demo-1.0-cp312-abi3-manylinux_2_36_x86_64.whl",
        "demo-1.0-cp311-cp311-manylinux_2_39_x86_64.whl",
        "demo-1.0-cp311-cp311-manylinux_2_36_aarch64.whl",
        "demo-1.0-cp311-cp311-musllinux_1_2_x86_64.whl",
        "demo-1.0-cp311-cp311-win_amd64.whl",
        "demo-1.0-py2-none-any.whl",
        "demo-1.0.tar.gz",
    ],
)
def test_refuses_wheels_for_another_python_or_platform(filename):
    with pytest.raises(InputError):
        refuse_foreign_wheel(pin(filename), "cp311", "manylinux_2_36_x86_64")


def test_refuses_a_wheel_that_is_not_the_pinned_one():
    with pytest.raises(InputError):
        spec(wheels=(pin("six-1.17.0-py3-none-any.whl", version="1.16.0"),))
    with pytest.raises(InputError):
        spec(wheels=(pin("six-1.17.0-py3-none-any.whl", project="seven"),))


def test_a_musl_policy_takes_musl_wheels_only():
    refuse_foreign_wheel(
        pin("demo-1.0-cp311-cp311-musllinux_1_1_x86_64.whl"), "cp311", "musllinux_1_2_x86_64"
    )
    with pytest.raises(InputError):
        refuse_foreign_wheel(
            pin("demo-1.0-cp311-cp311-manylinux_2_17_x86_64.whl"), "cp311", "musllinux_1_2_x86_64"
        )


def test_refuses_tags_that_are_none():
    with pytest.raises(InputError):
        accepted_tags("py311", "debian")
