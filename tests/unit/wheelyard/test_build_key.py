"""The build key covers every input."""

from dataclasses import fields, replace

import pytest

from wheelyard.build_key import BuildInputs

INPUTS = BuildInputs(
    project="demo",
    version="1.0",
    sdist="sha256:" + "1" * 64,
    sdist_filename="demo-1.0.tar.gz",
    toolchain="sha256:" + "2" * 64,
    target="manylinux_2_36_x86_64",
    python_tag="cp311",
    build_wheels={"setuptools-1.whl": "sha256:" + "3" * 64, "wheel-1.whl": "sha256:" + "4" * 64},
    environment={"A": "1"},
    config_settings={},
)
OTHERS = {
    "build_wheels": {"setuptools-1.whl": "sha256:" + "5" * 64, "wheel-1.whl": "sha256:" + "4" * 64},
    "environment": {"A": "2"},
    "config_settings": {"setup-args": "-Dx=1"},
    "patches": ("sha256:" + "6" * 64,),
    "recipe_format": 99,
}


@pytest.mark.parametrize("name", [field.name for field in fields(BuildInputs)])
def test_a_change_of_any_input_is_another_key(name):
    changed = replace(INPUTS, **{name: OTHERS.get(name, "something else")})
    assert changed.key != INPUTS.key


def test_the_order_in_which_inputs_were_found_does_not_count():
    shuffled = replace(INPUTS, build_wheels=dict(reversed(INPUTS.build_wheels.items())))
    assert shuffled.key == INPUTS.key


def test_the_order_of_patches_counts():
    first = replace(INPUTS, patches=("sha256:" + "6" * 64, "sha256:" + "7" * 64))
    assert first.key != replace(first, patches=first.patches[::-1]).key


def test_the_inputs_survive_their_document():
    assert BuildInputs.from_document(INPUTS.to_document()) == INPUTS
