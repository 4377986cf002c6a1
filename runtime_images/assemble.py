"""An image out of layers that exist: no container runs, and the same inputs are the same digest."""

from __future__ import annotations

import posixpath
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime_images.app_layer import make_app_layer
from runtime_images.build_tools import TOOLS, find_setuid, find_tools
from runtime_images.file_tree import FileTree
from runtime_images.library_search import Need, Part, find_needs
from runtime_images.library_source import LibrarySource, NoSource
from runtime_images.loader_layer import make_loader_layer
from runtime_images.lower_layers import LowerLayers
from runtime_images.missing_libraries import provide_libraries
from runtime_images.spec import ImageSpec
from runtime_images.stored_layers import contents_of
from runtime_images.wheel_layers import WheelFill, find_wheel_layer
from wheelyard.digests import canonical_json
from wheelyard.errors import Conflict, InputError, WheelyardError
from wheelyard.image_record import ImageRecord, image_document, load_record
from wheelyard.oci import Image, Layer, Runtime, make_image
from wheelyard.store.contract import Store

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_SEARCH_PATH = "/usr/local/bin:/usr/bin:/bin"
_DEFAULTS = {"PATH": _SEARCH_PATH, "LANG": "C.UTF-8"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stack:
    """All layers of one image and the files that they add up to."""

    layers: tuple[Layer, ...]
    tree: FileTree
    system: LowerLayers


def assemble(
    spec: ImageSpec,
    store: Store,
    *,
    compile_layers: Sequence[Layer],
    scratch: Path,
    source: LibrarySource | None = None,
) -> ImageRecord:
    """Make an image: base, system libraries, one layer a wheel, the application; config, manifest and record.

    Safe to repeat, and at the same time. Equal specs are equal digests; a second call answers from the store.

    :param spec: every wheel of it has been filled; see `missing_wheel_layers`.
    :param compile_layers: of the toolchain's compile image, bottom first; read if the base lacks a library.
    :param scratch: folder for tars that have to be unpacked.
    :param source: of libraries that the compile image lacks too; None means that they are missing.
    :raises InputError: two layers bring one path with different content, or the entry point is nowhere.
    :raises BuildFailed: a library that a wheel needs is nowhere.
    :raises Conflict: a wheel has no layer yet.
    """
    record = load_record(store, spec.key)
    if record is not None:
        return record
    scratch.mkdir(parents=True, exist_ok=True)
    stack = _stack(spec, store, compile_layers, source or NoSource(), scratch)
    _check_entrypoint(spec, stack.tree)
    environment = {**_DEFAULTS, **spec.environment}
    runtime = Runtime(
        user=spec.user,
        entrypoint=spec.entrypoint,
        command=spec.command,
        workdir=spec.workdir,
        environment=environment,
        labels=spec.labels,
    )
    image = make_image(stack.layers, runtime, _ARCHITECTURES[machine_of(spec.policy)])
    store.put_blob(image.config, image.id)
    store.put_blob(image.manifest, image.digest)
    record = _record(spec, stack, image, environment)
    store.put_document(image_document(spec.key), canonical_json(record.to_document()))
    return record


def machine_of(policy: str) -> str:
    """The machine of a platform tag: `x86_64` or `aarch64`.

    :raises InputError: it is another one.
    """
    for machine in _ARCHITECTURES:
        if policy.endswith(f"_{machine}"):
            return machine
    raise InputError(
        "images can't be made for that platform", expected=" or ".join(_ARCHITECTURES), found=policy
    )


def _stack(
    spec: ImageSpec, store: Store, compile_layers: Sequence[Layer], source: LibrarySource, scratch: Path
) -> _Stack:
    tree, below = FileTree(), FileTree()
    under = (spec.base, *spec.more_base, *spec.lower.layers)
    lower = [Part(owner=layer.title, contents=contents_of(store, layer, scratch)) for layer in under]
    for part in lower:
        tree.lay(part.contents, part.owner)
        below.lay(part.contents, part.owner)
    wheel_layers = _wheel_layers(spec, store)
    parts = [Part(owner=layer.title, contents=contents_of(store, layer, scratch)) for layer in wheel_layers]
    for part in parts:
        tree.add(part.contents, part.owner)
    app_layer = make_app_layer(store, spec.app, spec.workdir, scratch)
    app = Part(owner=app_layer.title, contents=contents_of(store, app_layer, scratch))
    tree.add(app.contents, app.owner)
    machine = machine_of(spec.policy)
    # A base is taken as it is; what lies on it is looked at like the wheels.
    ours = len(under) - len(spec.lower.layers)
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
        lower.append(Part(owner=layer.title, contents=contents))
    layers = (*under, *system.layers)
    if len(layers) > ours:
        elves = {path: elf for part in lower for path, elf in part.contents.elves.items()}
        loader = make_loader_layer(store, layers, below, elves, machine, scratch)
        tree.lay(contents_of(store, loader, scratch), loader.title)
        layers = (*layers, loader)
    allowed = {*spec.optional_libraries, *spec.lower.left_out, *system.left_out}
    _check_all_met(find_needs(tree, [*lower[ours:], *parts], machine), allowed)
    return _Stack(layers=(*layers, *wheel_layers, app_layer), tree=tree, system=system)


def _wheel_layers(spec: ImageSpec, store: Store) -> list[Layer]:
    layers = []
    for pin in spec.ordered_wheels:
        layer = find_wheel_layer(store, pin.digest, WheelFill.of(spec))
        if layer is None:
            raise Conflict(
                f"{pin.title} has no layer yet",
                expected="a layer that was filled from the wheel",
                found="nothing in the store",
                do="ask for the image again; its wheels are filled first",
                wheel=pin.filename,
            )
        layers.append(layer)
    return layers


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


def _check_entrypoint(spec: ImageSpec, tree: FileTree) -> None:
    command = (*spec.entrypoint, *spec.command)
    if not command:
        raise InputError(
            "the image has neither an entry point nor a command",
            expected="a list of words, for instance python3 main.py",
        )
    program = command[0]
    search = spec.environment.get("PATH", _SEARCH_PATH).split(":")
    if "/" in program:
        places = [posixpath.join(spec.workdir, program)]
    else:
        places = [posixpath.join(folder, program) for folder in search]
    for place in places:
        real = tree.resolve(place)
        entry = tree.get(real) if real is not None else None
        if entry is not None and entry.kind == "file" and entry.mode & 0o111:
            return
    raise InputError(
        f"the image holds no program {program!r}, so its entry point can't start",
        expected="one of " + ", ".join(places),
        found="a shell is not in the image either" if posixpath.basename(program) in ("sh", "bash") else "",
        do="give the entry point as a list that begins with a program, for instance python3 main.py",
        program=program,
    )


def _record(spec: ImageSpec, stack: _Stack, image: Image, environment: dict[str, str]) -> ImageRecord:
    items = list(stack.tree.items())
    tools = find_tools(items)
    return ImageRecord(
        key=spec.key,
        image_id=image.id,
        config_size=len(image.config),
        manifest_digest=image.digest,
        manifest_size=len(image.manifest),
        toolchain=spec.toolchain,
        toolchain_image=spec.toolchain_image,
        layers=stack.layers,
        wheels=spec.ordered_wheels,
        packages={**spec.lower.packages, **stack.system.packages},
        libraries={
            soname: f"/{path}" for soname, path in {**spec.lower.libraries, **stack.system.libraries}.items()
        },
        left_out=tuple(sorted({*spec.lower.left_out, *stack.system.left_out})),
        entrypoint=spec.entrypoint,
        command=spec.command,
        environment=environment,
        labels=spec.labels,
        workdir=spec.workdir,
        user=spec.user,
        size=sum(layer.size for layer in stack.layers),
        unpacked=sum(layer.unpacked for layer in stack.layers),
        absent={tool: tool not in tools for tool in TOOLS},
        tools_found=tools,
        setuid=find_setuid(items),
    )
