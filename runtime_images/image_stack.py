"""The layers of one image in their order, and the files that they add up to."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime_images.app_layer import make_app_layer
from runtime_images.at_once import at_once
from runtime_images.file_tree import FileTree
from runtime_images.group_layer import make_group_layer
from runtime_images.layer_order import LayerPlan, WheelLayer, plan_layers
from runtime_images.library_search import Need, Part, find_needs
from runtime_images.library_source import LibrarySource
from runtime_images.loader_layer import make_loader_layer
from runtime_images.lower_layers import LowerLayers
from runtime_images.machines import machine_of
from runtime_images.missing_libraries import provide_libraries
from runtime_images.spec import ImageSpec
from runtime_images.stored_layers import contents_of
from runtime_images.wheel_layers import wheel_layers_of
from runtime_images.zstd_layer import zstd_layer
from wheelyard.errors import InputError, WheelyardError
from wheelyard.image_request import MOST_LAYERS
from wheelyard.oci import Layer
from wheelyard.store.contract import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageStack:
    """All layers of one image and the files that they add up to.

    :param layers: bottom first: base, heavy wheels, system layers, light wheels, application. So images with
        other system packages share heavy wheels, and one more small wheel leaves both in place.
    :param system: what was laid because wheels need it.
    """

    layers: tuple[Layer, ...]
    tree: FileTree
    system: LowerLayers


def stack_layers(
    spec: ImageSpec, store: Store, *, compile_layers: Sequence[Layer], source: LibrarySource, scratch: Path
) -> ImageStack:
    """Find or make all layers of an image; see `assemble`, which takes the same arguments.

    :raises InputError: two layers bring one path with different content, or there are more than may be.
    :raises BuildFailed: a library that a wheel needs is nowhere.
    :raises Conflict: a wheel has no layer yet.
    """
    base = (spec.base, *spec.more_base)
    wheels = wheel_layers_of(spec, store, scratch)
    app_layer = make_app_layer(store, spec.app, spec.workdir, scratch)
    tree, below = FileTree(), FileTree()
    under = (*base, *spec.lower.layers)
    held = [*under, *(wheel.layer for wheel in wheels), app_layer]
    read = at_once(lambda layer: contents_of(store, layer, scratch), held)
    whole = [
        Part(owner=layer.title, contents=contents, by_loader=number < len(under))
        for number, (layer, contents) in enumerate(zip(held, read, strict=True))
    ]
    lower, parts, app = whole[: len(under)], whole[len(under) : -1], whole[-1]
    for part in lower:
        tree.lay(part.contents, part.owner)
        below.lay(part.contents, part.owner)
    for part in [*parts, app]:
        tree.add(part.contents, part.owner)
    machine = machine_of(spec.policy)
    # A base is taken as it is; what lies on it is looked at like the wheels.
    ours = len(base)
    missing = [need for need in find_needs(tree, [*lower[ours:], *parts, app], machine) if not need.met_by]
    # What the application brought itself is taken as it is: it gets the libraries that there are.
    of_wheels = {need.soname for need in missing if need.owner != app.owner}
    optional = [*spec.optional_libraries, *({need.soname for need in missing} - of_wheels)]
    system = provide_libraries(
        store,
        [need for need in missing if need.soname not in spec.lower.left_out],
        optional=optional,
        below=under,
        tree=below,
        compile_layers=compile_layers,
        source=source,
        machine=machine,
        scratch=scratch,
    )
    for layer in system.layers:
        contents = contents_of(store, layer, scratch)
        for each in (tree, below):
            each.lay(contents, layer.title)
        lower.append(Part(owner=layer.title, contents=contents, by_loader=True))
    libraries = (*spec.lower.layers, *system.layers)
    if libraries:
        elves = {path: elf for part in lower for path, elf in part.contents.elves.items()}
        loader = make_loader_layer(store, (*base, *libraries), below, elves, machine, scratch)
        tree.lay(contents_of(store, loader, scratch), loader.title)
        libraries = (*libraries, loader)
    allowed = {*spec.optional_libraries, *spec.lower.left_out, *system.left_out}
    finished = find_needs(tree, [*lower[ours:], *parts, app], machine)
    _check_all_met([need for need in finished if need.owner != app.owner], allowed)
    plan = _planned(spec, wheels, len(libraries))
    light = [make_group_layer(store, [wheel.layer for wheel in group], scratch) for group in plan.light]
    heavy = [wheel.layer for wheel in plan.heavy]
    own = [wheel.layer for wheel in wheels if wheel.pin == spec.app_wheel]
    layers = [*base, *heavy, *libraries, *light, *own, app_layer]
    if spec.compression == "zstd":
        layers = [zstd_layer(store, layer, scratch) for layer in layers]
    return ImageStack(layers=tuple(layers), tree=tree, system=system)


def _planned(spec: ImageSpec, wheels: Sequence[WheelLayer], libraries: int) -> LayerPlan:
    others = [wheel for wheel in wheels if wheel.pin != spec.app_wheel]
    base, own = 1 + len(spec.more_base), 1 + len(wheels) - len(others)
    taken = base + libraries + own
    least = taken + (1 if others else 0)
    if least > spec.layer_limit:
        raise InputError(
            f"the image needs {least} layers at the least, and may have {spec.layer_limit}",
            expected=f"a `layer_limit` from {least} to {MOST_LAYERS}",
            found=f"{base} of the base, {libraries} of system libraries, {own} of the application"
            + (", and one of wheels" if others else ""),
            do="raise the limit" if least <= MOST_LAYERS else "take a base with fewer layers",
        )
    return plan_layers(others, spec.layer_limit - taken)


def _check_all_met(needs: Sequence[Need], allowed: Container[str]) -> None:
    """Look once more at the finished image: a library in it that the loader can't reach is no library."""
    unmet = [need for need in needs if not need.met_by and need.soname not in allowed]
    if unmet:
        raise WheelyardError(
            "the assembled image lacks a library that it was given",
            expected="every needed library in a folder that the loader searches",
            found=", ".join(f"{need.owner}: /{need.path} needs {need.soname}" for need in unmet[:5]),
            do="report this as a defect of Wheelyard",
        )
