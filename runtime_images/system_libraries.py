"""The system layer: shared libraries that wheels need and the base lacks, out of the toolchain's image."""

from __future__ import annotations

import io
import json
import tarfile
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from runtime_images.compile_image import CompileImage
from runtime_images.debian_packages import STATUS_FOLDER, Package, find_owners
from runtime_images.file_tree import FileTree
from runtime_images.library_closure import Closure, find_closure
from runtime_images.library_search import Need
from runtime_images.stored_layers import find_layer, keep_layer
from runtime_images.tar_layer import NewMember, write_layer_tar
from wheelyard.digests import canonical_json, key_of
from wheelyard.errors import BuildFailed
from wheelyard.oci import Layer
from wheelyard.store.contract import Store

SYSTEM_LAYER_FORMAT = 1
"""Raised when the same libraries would make another layer; part of its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemLayer:
    """A layer of shared libraries, and where they come from.

    :param layer: None where nothing could be or had to be taken.
    :param libraries: soname to path in the image.
    :param packages: Debian package to version.
    :param left_out: optional sonames that nothing provides.
    """

    layer: Layer | None
    libraries: Mapping[str, str]
    packages: Mapping[str, str]
    left_out: tuple[str, ...]


def make_system_layer(
    store: Store,
    missing: Sequence[Need],
    *,
    optional: Sequence[str],
    base: tuple[Layer, FileTree],
    compile_layers: Sequence[Layer],
    machine: str,
    scratch: Path,
) -> SystemLayer:
    """Take what is missing from the image in which the wheels were linked, with the closure of its needs.

    A function of its arguments: kept in the store, and answered from there the next time.

    :param missing: needs that neither wheels nor base meet.
    :param optional: sonames that may stay missing.
    :param base: the base layer, and its files.
    :param compile_layers: of the toolchain's compile image, bottom first.
    :param scratch: folder for the compile image's tars while they are read.
    :raises BuildFailed: a soname that nothing provides; the message names the wheel, the file and the soname.
    """
    sonames = sorted({need.soname for need in missing})
    if not sonames:
        return SystemLayer(layer=None, libraries={}, packages={}, left_out=())
    key = key_of(
        {
            "sonames": sonames,
            "base": str(base[0].diff_id),
            "compile_layers": [str(layer.diff_id) for layer in compile_layers],
            "machine": machine,
            "format": SYSTEM_LAYER_FORMAT,
        }
    )
    with CompileImage(store, compile_layers, scratch) as image:
        closure = find_closure(sonames, image.tree, image.elves, base[1], machine)
        _refuse_missing(closure, missing, optional)
        left_out = tuple(sorted(closure.nowhere))
        if not closure.files:
            return SystemLayer(layer=None, libraries={}, packages={}, left_out=left_out)
        layer, packages = _kept(store, key) or _make(store, key, closure, image, base[1], scratch)
    return SystemLayer(layer=layer, libraries=closure.libraries, packages=packages, left_out=left_out)


def _kept(store: Store, key: str) -> tuple[Layer, dict[str, str]] | None:
    layer = find_layer(store, f"records/layers/system/{key}.json")
    body = store.get_document(f"records/layers/system/{key}-packages.json")
    return (layer, json.loads(body)) if layer is not None and body is not None else None


def _make(
    store: Store, key: str, closure: Closure, image: CompileImage, base: FileTree, scratch: Path
) -> tuple[Layer, dict[str, str]]:
    owners = find_owners(image, closure.files | closure.links.keys())
    packages = {package.name: package.version for package in owners}
    store.put_document(f"records/layers/system/{key}-packages.json", canonical_json(packages))
    with tempfile.NamedTemporaryFile(dir=scratch, prefix="system-", suffix=".tar") as tar:
        write_layer_tar(tar, _members(closure, owners, image, base))
        tar.flush()
        title = "system " + " ".join(sorted(packages) or sorted(closure.libraries))
        layer = keep_layer(store, f"records/layers/system/{key}.json", Path(tar.name), title, scratch)
    return layer, packages


def _members(
    closure: Closure, owners: Sequence[Package], image: CompileImage, base: FileTree
) -> list[NewMember]:
    members = [
        NewMember(path=path, kind=tarfile.REGTYPE, size=image.size(path), opener=partial(image.open, path))
        for path in sorted(closure.files)
    ]
    members += [
        NewMember(path=path, kind=tarfile.SYMTYPE, target=target)
        for path, target in sorted(closure.links.items())
        if path not in closure.files and base.get(path) is None
    ]
    for package in owners:
        if base.get(f"{STATUS_FOLDER}/{package.name}") is not None:
            continue
        members += [
            NewMember(path=path, kind=tarfile.REGTYPE, size=len(body), opener=_in_memory(body))
            for path, body in package.files().items()
            if base.get(path) is None
        ]
    return members


def _in_memory(body: bytes) -> Callable[[], IO[bytes]]:
    return lambda: io.BytesIO(body)


def _refuse_missing(closure: Closure, missing: Sequence[Need], optional: Sequence[str]) -> None:
    lacking = {soname: by for soname, by in closure.nowhere.items() if soname not in optional}
    if not lacking:
        return
    wheels = {need.soname: need for need in reversed(missing)}
    lines, facts = [], []
    for soname, library in sorted(lacking.items()):
        need = wheels.get(soname)
        owner, path = (need.owner, need.path) if need is not None else ("the toolchain's image", library)
        lines.append(f"{owner}: /{path} needs {soname}")
        facts.append({"wheel": owner, "path": f"/{path}", "soname": soname})
    first = facts[0]
    raise BuildFailed(
        f"{first['wheel']} needs {first['soname']}, which nothing provides",
        expected="each library in a wheel, in the runtime base or in the toolchain's image",
        found="\n".join(lines[:20]) + (f"\nand {len(lines) - 20} more" if len(lines) > 20 else ""),
        do="add the Debian package with that library to the toolchain, take a wheel that does without it, "
        "or call it optional if the application never loads that file",
        missing=facts,
    )
