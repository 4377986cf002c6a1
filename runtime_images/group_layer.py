"""A layer that several wheels share: the union of their own layers' files, kept by what it is made of."""

from __future__ import annotations

import re
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from runtime_images.stored_layers import find_layer, keep_layer, unpacked_layer
from runtime_images.tar_layer import NewMember, write_layer_tar
from wheelyard.digests import key_of
from wheelyard.oci import Layer
from wheelyard.store.contract import Store

GROUP_FORMAT = 1
"""Raised when the same members would become another layer; part of its name."""

_NAMES_SHOWN = 20
_GROUP = re.compile(r"\d+ wheels: ")


def make_group_layer(store: Store, members: Sequence[Layer], scratch: Path) -> Layer:
    """The layer that holds what its members hold; a single one is its own group.

    A function of its members: kept in the store, and answered from there the next time. No container runs.

    :param members: layers of wheels, in the order of their projects; no two bring one path with other bytes.
    :param scratch: folder for the members' tars while they are read.
    :raises StoreUnavailable: a member's bytes are not in the store, or not what they should be.
    """
    if len(members) == 1:
        return members[0]
    key = key_of({"members": sorted(str(layer.diff_id) for layer in members), "format": GROUP_FORMAT})
    name = f"records/layers/groups/{key}.json"
    kept = find_layer(store, name)
    if kept is not None:
        return kept
    found: dict[str, NewMember] = {}
    with ExitStack() as stack:
        for layer in members:
            tar = stack.enter_context(unpacked_layer(store, layer, scratch))
            archive = stack.enter_context(tarfile.open(tar, mode="r:", encoding="utf-8"))
            for entry in archive:
                found.setdefault(entry.name, _member(archive, entry))
        union = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=scratch, prefix="group-"))) / "tar"
        with union.open("wb") as target:
            write_layer_tar(target, found.values())
        return keep_layer(store, name, union, _title(members), scratch)


def is_group(layer: Layer) -> bool:
    """Whether several wheels share a layer, by its title."""
    return _GROUP.match(layer.title) is not None


def _member(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> NewMember:
    return NewMember(
        path=entry.name,
        kind=entry.type,
        executable=entry.isfile() and bool(entry.mode & 0o111),
        target=entry.linkname,
        size=entry.size,
        opener=_opener(archive, entry) if entry.isfile() else None,
    )


def _opener(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> Callable[[], IO[bytes]]:
    def opener() -> IO[bytes]:
        stream = archive.extractfile(entry)
        if stream is None:
            raise tarfile.ReadError(f"{entry.name} can't be read")
        return stream

    return opener


def _title(members: Sequence[Layer]) -> str:
    names = [layer.title for layer in members]
    shown = ", ".join(names[:_NAMES_SHOWN])
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return f"{len(names)} wheels: {shown}{more}"
