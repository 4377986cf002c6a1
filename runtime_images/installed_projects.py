"""Which Python projects an image holds, and whose word is taken for each."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from runtime_images.group_layer import is_group
from runtime_images.layer_facts import LayerFacts, Project
from runtime_images.licence_names import UNSAID, Licence, common_expression
from wheelyard.image_record import ImageRecord, WheelPin
from wheelyard.oci import Layer

APPLICATION = "application"
"""Title of the layer whose files the client sends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A project, with the layer that says so.

    :param layer: its number from the bottom.
    :param pin: the wheel that it came from; None where it is of the base or was brought along by others.
    """

    layer: int
    project: Project
    pin: WheelPin | None = None

    @property
    def title(self) -> str:
        """The title of its part."""
        return f"{self.project.name} {self.project.version}".strip()


def find_installed(
    record: ImageRecord, layers: Sequence[tuple[Layer, LayerFacts]], taken: Iterable[str]
) -> list[Installed]:
    """The projects of an image, one of a title, those with a pin at the end.

    Of a pinned project only its wheel's own layer is believed: any folder can hold a `.dist-info` that says
    something else. Of others the lowest layer is, so that the application speaks for nobody below it.

    :param layers: bottom first.
    :param taken: titles of other parts, which a project of the application can't have.
    """
    pinned = {one.title: one for one in (_of_wheel(pin, layers) for pin in record.wheels)}
    found: dict[str, Installed] = {}
    forbidden = set(taken)
    for number, (layer, facts) in enumerate(layers):
        for project in facts.projects:
            one = Installed(layer=number, project=project)
            if one.title not in pinned and not (layer.title == APPLICATION and one.title in forbidden):
                found.setdefault(one.title, one)
    return [*found.values(), *pinned.values()]


def _of_wheel(pin: WheelPin, layers: Sequence[tuple[Layer, LayerFacts]]) -> Installed:
    """What the wheel's own `.dist-info` says, in its own layer or in the one of its group."""
    found = [
        Installed(layer=number, project=project, pin=pin)
        for number, (layer, facts) in enumerate(layers)
        if layer.title == pin.title or is_group(layer)
        for project in facts.projects
        if _is_own(project, pin)
    ]
    if not found:
        unread = Project(
            name=pin.project,
            version=pin.version,
            folder="",
            licence=UNSAID,
            requires=(),
            files=(),
            components=(),
        )
        return Installed(layer=0, project=unread, pin=pin)
    # Another wheel of the group may bring such a folder in another place: then all that is said holds.
    licences = [one.project.licence for one in found if one.project.licence.expression]
    return replace(found[0], project=replace(found[0].project, licence=_together(licences)))


def _is_own(project: Project, pin: WheelPin) -> bool:
    """Whether a `.dist-info` is named as the wheel is (PEP 427)."""
    name, _, version = posixpath.basename(project.folder).removesuffix(".dist-info").rpartition("-")
    number = "-".join(pin.filename.split("-")[:2]).rpartition("-")[2]
    try:
        same = Version(version) == Version(number)
    except InvalidVersion:
        same = False
    return same and project.name == pin.project == canonicalize_name(name)


def _together(licences: Sequence[Licence]) -> Licence:
    """One licence over several that all hold; of expressions that differ, only the names are taken."""
    if len({one.expression for one in licences}) < 2:
        return licences[0] if licences else UNSAID
    names = tuple(sorted({name for one in licences for name in one.names}))
    return Licence(names=names, expression=common_expression(names), source=licences[0].source)
