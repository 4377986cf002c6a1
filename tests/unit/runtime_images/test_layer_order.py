"""Where a wheel's layer lies is made of the set alone, and changes as little as can be with it."""

from __future__ import annotations

import random

import pytest

from runtime_images.layer_order import HEAVY, WheelLayer, order_by_needs, plan_layers
from wheelyard.digests import Digest
from wheelyard.errors import InputError
from wheelyard.image_record import WheelPin
from wheelyard.oci import Layer


def wheel(project: str, size: int = 1000, *requires: str, pure: bool = True) -> WheelLayer:
    digest = Digest.of(f"{project} {size}".encode())
    tag = "py3-none-any" if pure else "cp311-cp311-linux_x86_64"
    pin = WheelPin(project=project, version="1", filename=f"{project}-1-{tag}.whl", digest=digest)
    layer = Layer(digest=digest, diff_id=digest, size=size, unpacked=size, title=f"{project} 1")
    return WheelLayer(pin=pin, layer=layer, requires=frozenset(requires))


def names(wheels) -> list[str]:
    return [each.pin.project for each in wheels]


def groups(plan) -> list[list[str]]:
    return [names(group) for group in plan.light]


NUMPY = wheel("numpy", 50 << 20, pure=False)
OPENCV = wheel("opencv", 150 << 20, "numpy", pure=False)
PANDAS = wheel("pandas", 60 << 20, "numpy", "six", pure=False)
SMALL = [wheel(f"small{number}") for number in range(100)]


def test_what_a_heavy_wheel_needs_lies_below_it():
    assert names(order_by_needs([OPENCV, PANDAS, NUMPY])) == ["numpy", "opencv", "pandas"]
    assert names(order_by_needs([PANDAS, NUMPY])) == ["numpy", "pandas"]


def test_wheels_that_need_each_other_have_an_order_all_the_same():
    ring = [wheel("a", HEAVY, "b"), wheel("b", HEAVY, "c"), wheel("c", HEAVY, "a"), wheel("d", HEAVY, "d")]
    orders = {tuple(names(order_by_needs(random.sample(ring, 4)))) for _ in range(20)}
    assert orders == {("c", "b", "a", "d")}


def test_the_plan_does_not_depend_on_the_order_that_wheels_come_in():
    wheels = [NUMPY, OPENCV, PANDAS, *SMALL]
    shuffled = random.sample(wheels, len(wheels))
    for room in (1, 2, 7, 20, 60, 200):
        assert plan_layers(shuffled, room) == plan_layers(wheels, room)


def test_each_wheel_has_its_layer_where_there_is_room():
    plan = plan_layers([NUMPY, *SMALL[:3]], 4)
    assert names(plan.heavy) == ["numpy"]
    assert groups(plan) == [["small0"], ["small1"], ["small2"]]


@pytest.mark.parametrize("room", [1, 2, 5, 8, 9, 20, 57, 100, 102])
def test_no_more_layers_than_there_is_room_for_and_each_wheel_once(room):
    wheels = [NUMPY, OPENCV, PANDAS, *SMALL[:60], *(wheel(f"native{n}", pure=False) for n in range(40))]
    plan = plan_layers(wheels, room)
    assert len(plan.heavy) + len(plan.light) <= room
    assert sorted([*names(plan.heavy), *(name for group in groups(plan) for name in group)]) == sorted(
        names(wheels)
    )


def test_heavy_and_native_wheels_keep_layers_of_their_own():
    native = wheel("native", pure=False)
    plan = plan_layers([NUMPY, OPENCV, native, *SMALL], 20)
    assert names(plan.heavy) == ["numpy", "opencv"]
    assert groups(plan)[0] == ["native"]


def test_one_more_small_wheel_changes_one_group():
    before, after = (
        groups(plan_layers([NUMPY, *SMALL], 57)),
        groups(plan_layers([NUMPY, *SMALL, wheel("x")], 57)),
    )
    assert len([group for group in after if group not in before]) == 1
    assert len([group for group in before if group not in after]) <= 1


def test_one_more_heavy_wheel_changes_no_group():
    assert groups(plan_layers([NUMPY, *SMALL], 57)) == groups(plan_layers([NUMPY, PANDAS, *SMALL], 57))


def test_wheels_without_room_are_refused():
    with pytest.raises(InputError) as refusal:
        plan_layers([NUMPY], 0)
    assert "layer_limit" in refusal.value.do
    assert plan_layers([], 0).heavy == ()
