"""Libraries that wheels need and nothing below them has: found, laid into layers, or named in an error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from runtime_images.file_tree import FileTree
from runtime_images.library_search import Need
from runtime_images.library_source import LibrarySource
from runtime_images.lower_layers import NOTHING_LOWER, LowerLayers
from runtime_images.package_layer import make_package_layer
from runtime_images.package_slice import Below
from runtime_images.stored_layers import contents_of
from runtime_images.system_libraries import make_compile_layer
from wheelyard.errors import BuildFailed
from wheelyard.oci import Layer
from wheelyard.store.contract import Store

_MOST_LINES = 20


def provide_libraries(
    store: Store,
    missing: Sequence[Need],
    *,
    optional: Sequence[str],
    below: Sequence[Layer],
    tree: FileTree,
    compile_layers: Sequence[Layer],
    source: LibrarySource,
    machine: str,
    scratch: Path,
) -> LowerLayers:
    """Find libraries: in the image in which the wheels were linked, and what it lacks in Debian's packages.

    Safe to repeat: the layers are kept in the store, and answered from there the next time.

    :param missing: needs that nothing in the image meets.
    :param optional: sonames that may stay missing.
    :param below: layers of the base and of packages, bottom first.
    :param tree: what these add up to; not changed.
    :param compile_layers: of the toolchain's compile image, bottom first.
    :param scratch: folder for what is unpacked.
    :raises BuildFailed: a library that nothing has; the message names the wheel, the file, the soname and the
        packages that would have it.
    """
    sonames = sorted({need.soname for need in missing})
    if not sonames:
        return NOTHING_LOWER
    linked = make_compile_layer(
        store,
        sonames,
        below=below,
        tree=tree,
        compile_layers=compile_layers,
        machine=machine,
        scratch=scratch,
    )
    found = NOTHING_LOWER.with_layer(linked)
    nowhere = dict(linked.nowhere)
    if nowhere:
        packages = source.find(sorted(nowhere))
        layers = (*below, *found.layers)

        def ground() -> Below:
            source.bring(packages)
            whole = FileTree()
            for layer in layers:
                whole.lay(contents_of(store, layer, scratch), layer.title)
            return Below(tree=whole, packages={**source.base_packages, **found.packages})

        more = make_package_layer(
            store, packages, layers=layers, below=ground, machine=machine, what="libraries", scratch=scratch
        )
        found = found.with_layer(more)
        nowhere = {name: by or nowhere.get(name, "") for name, by in more.nowhere.items()}
    _refuse_missing(nowhere, missing, optional, source)
    return replace(found, left_out=tuple(sorted(nowhere)))


def _refuse_missing(
    nowhere: Mapping[str, str], missing: Sequence[Need], optional: Sequence[str], source: LibrarySource
) -> None:
    lacking = {soname: by for soname, by in nowhere.items() if soname not in optional}
    if not lacking:
        return
    wheels = {need.soname: need for need in reversed(missing)}
    lines, facts = [], []
    for soname, library in sorted(lacking.items()):
        need = wheels.get(soname)
        owner, path = (need.owner, need.path) if need is not None else ("the toolchain's image", library)
        packages = source.packages_with(soname)
        has = f"; {' and '.join(packages)} would have it" if packages else ""
        lines.append(f"{owner}: /{path} needs {soname}{has}")
        facts.append({"wheel": owner, "path": f"/{path}", "soname": soname, "packages": list(packages)})
    first = facts[0]
    raise BuildFailed(
        f"{first['wheel']} needs {first['soname']}, which nothing provides",
        expected="each library in a wheel, in the base, in the toolchain's image or in a Debian package",
        found="\n".join(lines[:_MOST_LINES])
        + (f"\nand {len(lines) - _MOST_LINES} more" if len(lines) > _MOST_LINES else ""),
        do="add the Debian package with that library to the image, take a wheel that does without it, "
        "or call it optional if the application never loads that file",
        missing=facts,
    )
