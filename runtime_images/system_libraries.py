"""Shared libraries that wheels need and the base lacks, out of the toolchain's image."""

from __future__ import annotations

import io
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import IO

from runtime_images.compile_image import CompileImage
from runtime_images.debian_packages import STATUS_FOLDER, Package, find_owners
from runtime_images.file_tree import FileTree
from runtime_images.library_closure import Closure, find_closure
from runtime_images.stored_layers import keep_layer
from runtime_images.system_layer import (
    SystemLayer,
    find_system_layer,
    keep_system_layer,
    layer_document,
)
from runtime_images.tar_layer import NewMember, write_layer_tar
from wheelyard.digests import key_of
from wheelyard.oci import Layer
from wheelyard.store.contract import Store

SYSTEM_LAYER_FORMAT = 2
"""Raised when the same libraries would make another layer; part of its name."""

_KIND = "system"


def make_compile_layer(
    store: Store,
    sonames: Sequence[str],
    *,
    below: Sequence[Layer],
    tree: FileTree,
    compile_layers: Sequence[Layer],
    machine: str,
    scratch: Path,
) -> SystemLayer:
    """Take libraries from the image in which the wheels were linked, with the closure of their needs.

    A function of its arguments: kept in the store, and answered from there the next time.

    :param sonames: those that neither wheels nor base have.
    :param below: layers of the base and of packages, bottom first.
    :param tree: what these add up to.
    :param compile_layers: of the toolchain's compile image, bottom first.
    :param scratch: folder for the compile image's tars while they are read.
    """
    key = key_of(
        {
            "sonames": sorted(set(sonames)),
            "below": [str(layer.diff_id) for layer in below],
            "compile_layers": [str(layer.diff_id) for layer in compile_layers],
            "machine": machine,
            "format": SYSTEM_LAYER_FORMAT,
        }
    )
    kept = find_system_layer(store, _KIND, key)
    if kept is not None:
        return kept
    with CompileImage(store, compile_layers, scratch) as image:
        closure = find_closure(sonames, image.tree, image.elves, tree, machine)
        owners = find_owners(image, closure.files | closure.links.keys()) if closure.files else ()
        system = SystemLayer(
            layer=_make(store, key, closure, owners, image, tree, scratch) if closure.files else None,
            libraries=closure.libraries,
            packages={package.name: package.version for package in owners},
            nowhere=closure.nowhere,
        )
    keep_system_layer(store, _KIND, key, system)
    return system


def _make(
    store: Store,
    key: str,
    closure: Closure,
    owners: Sequence[Package],
    image: CompileImage,
    base: FileTree,
    scratch: Path,
) -> Layer:
    with tempfile.NamedTemporaryFile(dir=scratch, prefix="system-", suffix=".tar") as tar:
        write_layer_tar(tar, _members(closure, owners, image, base))
        tar.flush()
        title = "system " + " ".join(sorted(package.name for package in owners) or sorted(closure.libraries))
        return keep_layer(store, layer_document(_KIND, key), Path(tar.name), title, scratch)


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
