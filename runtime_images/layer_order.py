"""The one order of wheel layers, and which wheels share one: the same for all images, of the wheels alone.

Engines know an unpacked layer by all that lies below it, so two images share what they unpack up to the first
layer that differs. Heavy wheels lie lowest, each above those that it needs: numpy below OpenCV and pandas.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wheelyard.errors import InputError
from wheelyard.image_record import WheelPin
from wheelyard.oci import Layer

HEAVY = 4 << 20
"""Unpacked bytes from which on a wheel lies below the system layers."""

_FEW_GROUPS = 8
"""With fewer groups than that, other wheels are grouped, too: one that changes would take many with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelLayer:
    """A wheel's layer, and what its place depends on.

    :param requires: canonical names of projects that the wheel requires under some condition or other.
    """

    pin: WheelPin
    layer: Layer
    requires: frozenset[str] = frozenset()

    @property
    def is_heavy(self) -> bool:
        """Whether it is worth a place near the bottom."""
        return self.layer.unpacked >= HEAVY

    @property
    def is_pure(self) -> bool:
        """Whether it runs on any machine, by its file name (PEP 425)."""
        return self.pin.filename.endswith("-any.whl")

    @property
    def weight(self) -> tuple[int, str]:
        """What it is sorted by: heavy ones first; a new version seldom changes its power of two."""
        return -self.layer.unpacked.bit_length(), self.pin.project


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPlan:
    """Which wheels become which layers, bottom first.

    :param heavy: one layer each, below the system layers.
    :param light: above them; wheels of one tuple share a layer.
    """

    heavy: tuple[WheelLayer, ...]
    light: tuple[tuple[WheelLayer, ...], ...]


def plan_layers(wheels: Sequence[WheelLayer], room: int) -> LayerPlan:
    """Order wheels, and group small ones where there is not a layer for each; a pure function of the set.

    A group is chosen by a hash of the project, and the number of groups is a power of two: one more wheel
    changes one group, and only where a power is crossed do pairs of groups become one.

    :param wheels: in any order, one per project.
    :param room: layers that all of them may take.
    :raises InputError: there are wheels, and no room.
    """
    heavy = order_by_needs(wheel for wheel in wheels if wheel.is_heavy)
    light = sorted((wheel for wheel in wheels if not wheel.is_heavy), key=lambda wheel: wheel.weight)
    if len(wheels) <= room:
        return LayerPlan(heavy=tuple(heavy), light=tuple((wheel,) for wheel in light))
    if room < 1:
        raise InputError(
            "the image needs more layers than it may have",
            expected="room for one layer of wheels at least",
            found=f"{room} left for {len(wheels)} wheels",
            do="raise the layer limit (`layer_limit`)",
        )
    pure = [wheel for wheel in light if wheel.is_pure]
    for grouped in (pure, light):
        groups = room - (len(wheels) - len(grouped))
        if groups >= _FEW_GROUPS:
            single = [wheel for wheel in light if wheel not in grouped]
            ones = tuple((wheel,) for wheel in single)
            return LayerPlan(heavy=tuple(heavy), light=(*ones, *_groups(grouped, groups)))
    return LayerPlan(heavy=(), light=_groups([*heavy, *light], room))


def order_by_needs(wheels: Iterable[WheelLayer]) -> list[WheelLayer]:
    """Heaviest first, but each above those that it needs; a cycle is cut where it was entered."""
    by_project = {wheel.pin.project: wheel for wheel in sorted(wheels, key=lambda wheel: wheel.weight)}
    done: dict[str, WheelLayer] = {}
    begun: set[str] = set()
    for first in by_project:
        ahead = [first]
        while ahead:
            project = ahead[-1]
            wheel = by_project[project]
            needs = [name for name in by_project if name in wheel.requires and name not in begun]
            begun.add(project)
            if needs:
                ahead.append(needs[0])
            else:
                done.setdefault(project, wheel)
                ahead.pop()
    return list(done.values())


def _groups(wheels: Iterable[WheelLayer], most: int) -> tuple[tuple[WheelLayer, ...], ...]:
    """Groups by hash, those without a wheel left out."""
    count = 1 << (most.bit_length() - 1)
    groups: dict[int, list[WheelLayer]] = {}
    for wheel in sorted(wheels, key=lambda wheel: wheel.pin.project):
        drawn = hashlib.sha256(wheel.pin.project.encode()).digest()
        groups.setdefault(int.from_bytes(drawn[:4], "big") % count, []).append(wheel)
    return tuple(tuple(group) for _, group in sorted(groups.items()))
