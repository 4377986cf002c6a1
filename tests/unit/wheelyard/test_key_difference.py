"""What differs between two builds, as facts and in words."""

from dataclasses import fields, replace

import pytest

from tests.unit.wheelyard.test_build_key import INPUTS, OTHERS
from wheelyard.build_key import BuildInputs
from wheelyard.key_difference import Change, in_words, key_difference

CHANGED = {**OTHERS, "packages": {"libx-dev": "1.0"}, "natives": {"ffmpeg": "sha256:" + "7" * 64}}
ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def texts(before, after):
    return [change.text for change in key_difference(before, after)]


@pytest.mark.parametrize("name", [field.name for field in fields(BuildInputs)])
def test_whatever_changes_the_key_is_named(name):
    changed = replace(INPUTS, **{name: CHANGED.get(name, "something else")})
    found = key_difference(INPUTS, changed)
    assert {change.field for change in found} == {name}
    assert found[0].text


def test_equal_inputs_differ_in_nothing():
    assert key_difference(INPUTS, replace(INPUTS)) == ()


def test_a_build_wheel_of_another_version_is_one_change():
    before = replace(INPUTS, build_wheels={"Cython-3.1.0-py3-none-any.whl": ONE})
    after = replace(INPUTS, build_wheels={"cython-3.2.1-cp311-cp311-manylinux_2_17_x86_64.whl": TWO})
    (change,) = key_difference(before, after)
    assert (change.field, change.name, change.before, change.after) == (
        "build_wheels", "cython", "3.1.0", "3.2.1",
    )  # fmt: skip
    assert change.text == "the cython wheel changed from 3.1.0 to 3.2.1"
    assert change.short == "cython 3.1.0 -> 3.2.1"


def test_a_build_wheel_of_the_same_version_is_told_by_its_file_or_its_bytes():
    upstream = replace(INPUTS, build_wheels={"ninja-1.13-py3-none-manylinux_2_17_x86_64.whl": ONE})
    own = replace(INPUTS, build_wheels={"ninja-1.13-py3-none-manylinux_2_36_x86_64.whl": TWO})
    again = replace(INPUTS, build_wheels={"ninja-1.13-py3-none-manylinux_2_36_x86_64.whl": ONE})
    (text,) = texts(upstream, own)
    assert text == (
        "the ninja wheel changed from ninja-1.13-py3-none-manylinux_2_17_x86_64.whl "
        "to ninja-1.13-py3-none-manylinux_2_36_x86_64.whl"
    )
    assert texts(own, again) == [
        "the ninja 1.13 wheel has other bytes, sha256:111111111111 and not sha256:222222222222"
    ]


def test_build_wheels_come_and_go():
    none = replace(INPUTS, build_wheels={})
    some = replace(INPUTS, build_wheels={"wheel-1-py3-none-any.whl": ONE})
    assert texts(none, some) == ["the wheel wheel is new (1)"]
    assert texts(some, none) == ["the wheel wheel is gone (it was 1)"]


def test_variables_and_settings_come_go_and_change():
    before = replace(INPUTS, environment={"A": "1", "B": ""}, config_settings={"setup-args": "-Dblas=none"})
    after = replace(INPUTS, environment={"A": "2", "C": "3"}, config_settings={})
    assert texts(before, after) == [
        "the variable A changed from 1 to 2",
        "the variable B is gone (it was empty)",
        "the variable C is new (3)",
        "the config setting setup-args is gone (it was -Dblas=none)",
    ]


def test_a_setting_that_is_given_twice_is_told_with_both():
    before = replace(INPUTS, config_settings={"setup-args": "-Da=1"})
    after = replace(INPUTS, config_settings={"setup-args": ["-Da=1", "-Db=2"]})
    assert texts(before, after) == ["the config setting setup-args changed from -Da=1 to -Da=1, -Db=2"]


def test_packages_say_their_versions_and_patches_their_first_digits():
    before = replace(INPUTS, packages={"libopenblas-dev": f"0.3.21 {ONE}"}, patches=(ONE,))
    after = replace(INPUTS, packages={"libopenblas-dev": f"0.3.26 {TWO}"}, patches=(ONE, TWO))
    assert texts(before, after) == [
        "the patch sha256:222222222222 is new",
        "the package libopenblas-dev changed from 0.3.21 sha256:111111111111 to 0.3.26 sha256:222222222222",
    ]


def test_the_order_of_patches_counts():
    assert texts(replace(INPUTS, patches=(ONE, TWO)), replace(INPUTS, patches=(TWO, ONE))) == [
        "the order of the patches changed"
    ]


def test_no_value_at_all_has_a_name():
    changed = replace(INPUTS, variant="video", build_deps="source")
    assert texts(INPUTS, changed) == [
        "where the build requirements come from changed from wheels to source",
        "the variant changed from the default to video",
    ]


def test_what_matters_most_comes_first_and_all_of_it_is_one_clause():
    changed = replace(INPUTS, version="1.1", toolchain=ONE, recipe_format=99)
    found = key_difference(INPUTS, changed)
    assert [change.field for change in found] == ["version", "toolchain", "recipe_format"]
    assert in_words(found[:1]) == "the version changed from 1.0 to 1.1"
    assert in_words(found).startswith("the version changed from 1.0 to 1.1, the toolchain image changed")
    assert in_words(found).endswith(" and the builder's recipe format changed from 2 to 99")
    assert in_words(()) == ""


def test_a_change_is_read_back_as_it_was_written():
    (change,) = key_difference(INPUTS, replace(INPUTS, variant="video"))
    assert Change.from_document({**change.to_document(), "newer": 1}) == change


def test_a_file_name_that_is_no_wheels_still_counts():
    changed = replace(INPUTS, build_wheels={**INPUTS.build_wheels, "Odd_Thing.whl": ONE})
    assert [change.name for change in key_difference(INPUTS, changed)] == ["odd-thing-whl"]
