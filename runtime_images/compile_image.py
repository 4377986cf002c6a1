"""The toolchain's compile image as a source of shared libraries: an index that is kept, files on demand."""

from __future__ import annotations

import io
import json
import posixpath
import tarfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import IO, Self

from runtime_images.elf_needs import ElfNeeds
from runtime_images.file_tree import FileTree
from runtime_images.layer_contents import LayerContents, clean_name, read_contents
from runtime_images.stored_layers import unpacked_layer
from wheelyard.digests import Digest, canonical_json
from wheelyard.errors import StoreUnavailable
from wheelyard.oci import Layer
from wheelyard.store.contract import Store

LIBRARIES_FORMAT = 1
"""Raised when other files are indexed; a part of the stored document's name."""

_NOT_FOR_THE_LOADER = ("usr/lib/debug/", "opt/wheelyard/")


class CompileImage:
    """The layers of a compile image; tars are unpacked at the first need and gone when the context ends.

    :param layers: bottom first.
    :param scratch: folder for the tars, some hundreds of megabytes.
    """

    def __init__(self, store: Store, layers: Sequence[Layer], scratch: Path) -> None:
        self._store = store
        self._layers = tuple(layers)
        self._scratch = scratch
        self._open = ExitStack()
        self._tars: dict[Digest, Path] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._open.close()

    @cached_property
    def elves(self) -> dict[str, ElfNeeds]:
        """Shared libraries by path, as the upper layers leave them."""
        return {
            path: needs
            for contents in self._contents
            for path, needs in contents.elves.items()
            if self.tree.get(path) is not None
        }

    @cached_property
    def tree(self) -> FileTree:
        """Shared libraries, and the links that lead to them."""
        tree = FileTree()
        for contents in self._contents:
            tree.lay(contents)
        return tree

    def paths(self) -> Iterable[str]:
        """Every path of the image's layers."""
        return self._members.keys()

    def size(self, path: str) -> int:
        """Size of a regular file in bytes."""
        archive, member = self._members[path]
        stream = archive.extractfile(member)
        if stream is None:
            return 0
        with stream:
            return stream.seek(0, io.SEEK_END)

    def open(self, path: str) -> IO[bytes]:
        """A regular file's bytes.

        :raises StoreUnavailable: the index names a file that the layer does not hold.
        """
        found = self._members.get(path)
        stream = found[0].extractfile(found[1]) if found is not None else None
        if stream is None:
            raise StoreUnavailable(f"the compile image's index names /{path}, which is no file there")
        return stream

    def read(self, path: str) -> bytes | None:
        """A small file's bytes, where it or its folder may be a link; `None` where there is none."""
        for candidate in (path, *self._one_step(path)):
            found = self._members.get(candidate)
            if found is not None and (found[1].isfile() or found[1].islnk()):
                with self.open(candidate) as stream:
                    return stream.read()
        return None

    def _one_step(self, path: str) -> Iterable[str]:
        folder, name = posixpath.split(path)
        for link, rest in ((path, ""), (folder, name)):
            found = self._members.get(link)
            if found is not None and found[1].issym():
                joined = posixpath.join("/", posixpath.dirname(link), found[1].linkname, rest)
                yield posixpath.normpath(joined).lstrip("/")

    @cached_property
    def _contents(self) -> tuple[LayerContents, ...]:
        return tuple(self._libraries(layer) for layer in self._layers)

    @cached_property
    def _members(self) -> dict[str, tuple[tarfile.TarFile, tarfile.TarInfo]]:
        members = {}
        for layer in self._layers:
            tar = tarfile.open(self._tar(layer), mode="r:", encoding="utf-8")  # noqa: SIM115  # the stack closes it
            archive = self._open.enter_context(tar)
            for member in archive:
                members[clean_name(member.name)] = (archive, member)
        return members

    def _libraries(self, layer: Layer) -> LayerContents:
        name = f"records/layers/libraries-{LIBRARIES_FORMAT}/{layer.diff_id.hex}.json"
        body = self._store.get_document(name)
        if body is not None:
            return LayerContents.from_document(json.loads(body))
        contents = read_contents(self._tar(layer), wanted=_is_library)
        self._store.put_document(name, canonical_json(contents.to_document()))
        return contents

    def _tar(self, layer: Layer) -> Path:
        if layer.digest not in self._tars:
            self._tars[layer.digest] = self._open.enter_context(
                unpacked_layer(self._store, layer, self._scratch)
            )
        return self._tars[layer.digest]


def _is_library(member: tarfile.TarInfo) -> bool:
    path = clean_name(member.name)
    name = posixpath.basename(path)
    if name.startswith(".wh."):
        return True
    if path.startswith(_NOT_FOR_THE_LOADER) or "-packages/" in path:
        return False
    # A link near the top is how /lib becomes /usr/lib.
    return ".so" in name or (member.issym() and path.count("/") <= 1)
