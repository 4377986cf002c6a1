"""Everything below an image's wheels: the base, the shell of a debug image, Debian packages, natives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runtime_images.file_tree import FileTree
from runtime_images.library_search import find_in_default_folders
from runtime_images.library_source import LibrarySource
from runtime_images.lower_layers import NOTHING_LOWER, LowerLayers
from runtime_images.machines import machine_of
from runtime_images.native_layer import make_native_layer
from runtime_images.package_layer import Packages, make_package_layer
from runtime_images.package_slice import Below
from runtime_images.stored_layers import contents_of
from runtime_images.system_layer import SystemLayer
from wheelyard.errors import InfrastructureError, InputError
from wheelyard.image_request import ImageRequest
from wheelyard.native_recipe import get_native_recipe
from wheelyard.native_record import NativeInputs, whole_native
from wheelyard.oci import Layer
from wheelyard.plan import PlanNode
from wheelyard.toolchains import get_toolchain
from worker.context import Work
from worker.image_ground import Ground, own_ground
from worker.image_packages import DebianLibraries, bring_packages, image_apt, lock_image_packages
from worker.native_job import native_node, submit_native
from worker.recipe_packages import debian_of
from worker.registry_base import registry_ground
from worker.toolchain_images import base_toolchain
from worker.toolchain_job import ReadyToolchain

SHELL = "busybox-static"
OWN_BASES = ("slim", "debug")


@dataclass(frozen=True, slots=True, kw_only=True)
class Foundation:
    """What an image's wheels are laid on.

    :param ground: the base.
    :param lower: what lies between it and the wheels.
    :param source: of libraries that the wheels turn out to need.
    """

    ground: Ground
    lower: LowerLayers
    source: LibrarySource


def refuse_unknown_parts(work: Work, request: ImageRequest) -> None:
    """Refuse packages and natives that do not exist, before anything is built for the image.

    The packages of a registry's base are looked at when it has been pulled.

    :raises InputError: the toolchain's release has no such package, or a native can't be made for it.
    :raises NotFound: there is no such recipe of a native.
    """
    settings = work.services.settings
    toolchain = get_toolchain(request.build.toolchain, settings.toolchains_dir)
    for name in request.natives:
        debian = debian_of(toolchain, f"the native artifact {name}")
        get_native_recipe(name, settings.recipes_dir).source_for(debian.suite)
    base = base_toolchain(toolchain, settings) if request.base in OWN_BASES else None
    names = (*request.packages, *request.whole_packages)
    if names and base is not None and base.debian is not None:
        image_apt(work, base.debian.suite).refuse_unknown(names)


def submit_natives(work: Work, ready: ReadyToolchain, names: Sequence[str]) -> tuple[str, ...]:
    """Submit the making of natives that are not there; the ids of the jobs that are to be waited for.

    :raises NotFound: there is no such recipe.
    """
    nodes = [native_node(work, ready, name) for name in sorted(set(names))]
    return tuple(submit_native(work, ready.record.image, node) for node in nodes if not node.digest)


def base_layers(work: Work, ready: ReadyToolchain, request: ImageRequest) -> Foundation:
    """The layers below the wheels: all from the store, but those that nobody asked for yet.

    :param request: its natives are there; see `submit_natives`.
    :raises InputError: a package does not exist, or the base does not fit the toolchain.
    :raises InfrastructureError: a mirror, a registry or the store does not answer.
    """
    own = request.base in OWN_BASES
    ground = own_ground(work, ready) if own else registry_ground(work, ready.toolchain, request.base)
    packages = lock_image_packages(work, ready, ground, request.packages, request.whole_packages)
    lower = _with_packages(work, ready, ground, NOTHING_LOWER, packages, "packages")
    for name in sorted(set(request.natives)):
        lower = _with_native(work, ready, native_node(work, ready, name), ground, lower)
    if request.base == "debug":
        # On top: what lies below it is shared with the slim image of the same parts.
        shell = lock_image_packages(work, ready, ground, (SHELL,), ())
        lower = _with_packages(work, ready, ground, lower, shell, "debug")
    return Foundation(ground=ground, lower=lower, source=DebianLibraries(work, ready, ground, packages))


def _with_packages(
    work: Work, ready: ReadyToolchain, ground: Ground, lower: LowerLayers, packages: Packages, what: str
) -> LowerLayers:
    store, scratch = work.services.store, work.scratch / "packages"
    scratch.mkdir(parents=True, exist_ok=True)

    # Over the base alone, so that a layer of packages is the same one whatever else an image has.
    def below() -> Below:
        work.log.line(f"slicing {len(packages.debs)} Debian packages")
        bring_packages(work, ground, packages.debs)
        return Below(tree=_tree(work, ground.layers), packages=ground.packages)

    made = make_package_layer(
        store,
        packages,
        layers=ground.layers,
        below=below,
        machine=machine_of(ready.record.policy),
        what=what,
        scratch=scratch,
        check=work.check,
    )
    return lower.with_layer(made, left_out=True)


def _with_native(
    work: Work, ready: ReadyToolchain, node: PlanNode, ground: Ground, lower: LowerLayers
) -> LowerLayers:
    store, scratch = work.services.store, work.scratch / "natives"
    record = whole_native(store, NativeInputs.from_document(node.inputs).key)
    if record is None:
        raise InfrastructureError(
            f"the native artifact {node.project} was lost while the image was made", do="ask for it again"
        )
    scratch.mkdir(parents=True, exist_ok=True)
    made = make_native_layer(store, record, scratch)
    below = _tree(work, (*ground.layers, *lower.layers))
    own = _tree(work, [] if made.layer is None else [made.layer])
    refuse_second_library(node.project, made, own, below, machine_of(ready.record.policy))
    return lower.with_layer(made)


def refuse_second_library(
    native: str, made: SystemLayer, own: FileTree, below: FileTree, machine: str
) -> None:
    """Refuse a library that lies below in other bytes: the loader would give the native's to both users.

    :param native: its name.
    :param own: files of its layer.
    :param below: files of the layers below it, whose owners are known.
    :raises InputError: the message names both.
    """
    for soname, path in sorted(made.libraries.items()):
        there = find_in_default_folders(below, soname, machine)
        theirs = below.resolve(there) if there is not None else None
        ours = own.get(own.resolve(path) or "")
        held = below.get(theirs) if theirs is not None else None
        if theirs is not None and held is not None and ours is not None and held.digest != ours.digest:
            raise InputError(
                f"the native {native} and {below.owner(theirs)} both bring {soname}",
                expected="each library from one place: who needs it would get the native's, whatever it is",
                found=f"/{path} and /{theirs}, with different content",
                do=f"leave out the native {native}, or the packages with that library",
            )


def _tree(work: Work, layers: Sequence[Layer]) -> FileTree:
    tree = FileTree()
    for layer in layers:
        tree.lay(contents_of(work.services.store, layer, work.scratch), layer.title)
    return tree
