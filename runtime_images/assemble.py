"""An image out of layers that exist: no container runs, and the same inputs are the same digest."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Sequence
from pathlib import Path

from runtime_images.build_tools import TOOLS, find_setuid, find_tools
from runtime_images.file_tree import FileTree
from runtime_images.image_stack import ImageStack, stack_layers
from runtime_images.library_source import LibrarySource, NoSource
from runtime_images.machines import ARCHITECTURES, machine_of
from runtime_images.spec import ImageSpec
from wheelyard.digests import canonical_json
from wheelyard.errors import InputError
from wheelyard.image_record import ImageRecord, image_document, load_record
from wheelyard.oci import Image, Layer, Runtime, make_image
from wheelyard.store.contract import Store

_SEARCH_PATH = "/usr/local/bin:/usr/bin:/bin"
_DEFAULTS = {"PATH": _SEARCH_PATH, "LANG": "C.UTF-8"}


def assemble(
    spec: ImageSpec,
    store: Store,
    *,
    compile_layers: Sequence[Layer],
    scratch: Path,
    source: LibrarySource | None = None,
    accept: Callable[[ImageRecord], None] = lambda _record: None,
) -> ImageRecord:
    """Make an image: base, system libraries, one layer a wheel, the application; config, manifest and record.

    Safe to repeat, and at the same time. Equal specs are equal digests; a second call answers from the store.

    :param spec: every wheel of it has been filled; see `missing_wheel_layers`.
    :param compile_layers: of the toolchain's compile image, bottom first; read if the base lacks a library.
    :param scratch: folder for tars that have to be unpacked.
    :param source: of libraries that the compile image lacks too; None means that they are missing.
    :param accept: told of the record before it is kept, of one that is kept already, too; what it raises ends
        the assembly, and nothing that could be found is there.
    :raises InputError: two layers bring one path with different content, the entry point is nowhere, or the
        limit of layers can't be met.
    :raises BuildFailed: a library that a wheel needs is nowhere.
    :raises Conflict: a wheel has no layer yet.
    """
    record = load_record(store, spec.key)
    if record is not None:
        accept(record)
        return record
    scratch.mkdir(parents=True, exist_ok=True)
    stack = stack_layers(
        spec, store, compile_layers=compile_layers, source=source or NoSource(), scratch=scratch
    )
    _check_entrypoint(spec, stack.tree)
    environment = {**_DEFAULTS, **spec.environment}
    runtime = Runtime(
        user=spec.user,
        entrypoint=spec.entrypoint,
        command=spec.command,
        workdir=spec.workdir,
        environment=environment,
        labels=spec.labels,
        ports=spec.ports,
        healthcheck=spec.healthcheck,
    )
    architecture = ARCHITECTURES[machine_of(spec.policy)]
    image = make_image(stack.layers, runtime, architecture, docker=spec.format == "docker")
    store.put_blob(image.config, image.id)
    store.put_blob(image.manifest, image.digest)
    record = _record(spec, stack, image, environment)
    accept(record)
    store.put_document(image_document(spec.key), canonical_json(record.to_document()))
    return record


def _check_entrypoint(spec: ImageSpec, tree: FileTree) -> None:
    command = (*spec.entrypoint, *spec.command)
    if not command:
        raise InputError(
            "the image has neither an entry point nor a command",
            expected="a list of words, for instance python3 main.py",
        )
    _check_program("entry point", command[0], spec, tree)
    if spec.healthcheck is not None:
        _check_program("health check", spec.healthcheck.test[0], spec, tree)


def _check_program(role: str, program: str, spec: ImageSpec, tree: FileTree) -> None:
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
        f"the image holds no program {program!r}, so its {role} can't start",
        expected="one of " + ", ".join(places),
        found="a shell is not in the image either" if posixpath.basename(program) in ("sh", "bash") else "",
        do=f"give the {role} as a list that begins with a program, for instance python3 main.py",
        program=program,
    )


def _record(spec: ImageSpec, stack: ImageStack, image: Image, environment: dict[str, str]) -> ImageRecord:
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
