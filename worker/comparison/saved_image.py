"""An image as the engine saves it: its layers, and what of them is in the image that one runs."""

from __future__ import annotations

import json
import posixpath
import re
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from runtime_images.build_tools import find_setuid, find_tools
from runtime_images.file_tree import FileTree
from runtime_images.layer_contents import Entry, LayerContents, clean_name
from wheelyard.digests import Digest
from wheelyard.errors import EngineFailed

# What fetches is no tool of building: images are asked to have it.
_NO_BUILD_TOOLS = frozenset({"curl", "wget", "perl"})
_STATUS = "var/lib/dpkg/status"
_STATUS_FOLDER = "var/lib/dpkg/status.d/"
_INSTALLED = re.compile(r"^Status: install ok installed$", re.MULTILINE)
_METADATA = re.compile(r"(?:.*/)?[^/]+\.(?:dist-info/METADATA|egg-info/PKG-INFO)")
_LIBRARY = re.compile(r".*\.so(\.[0-9].*)?")
_CHUNK = 1 << 20
_GZIP_LEVEL = 6
_WORKERS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedLayer:
    """One layer of a saved image.

    :param unpacked: of its tar stream, in bytes.
    :param compressed: of the same after gzip, as a registry would hold it.
    """

    diff_id: Digest
    unpacked: int
    compressed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedImage:
    """What a saved image consists of.

    :param layers: bottom first.
    :param documents: bytes of its config, and of a manifest over its layers.
    """

    layers: tuple[SavedLayer, ...]
    documents: int
    debian_packages: int
    python_packages: int
    setuid: tuple[str, ...]
    executables: int
    build_tools: Mapping[str, str]

    @property
    def unpacked(self) -> int:
        """Bytes of all tar streams."""
        return sum(layer.unpacked for layer in self.layers)

    @property
    def compressed(self) -> int:
        """Bytes of all layers as a registry would hold them."""
        return sum(layer.compressed for layer in self.layers)

    def pulled_after(self, first: SavedImage) -> int:
        """Bytes that a node pulls for this image when it has another one already."""
        there = {layer.diff_id for layer in first.layers}
        return self.documents + sum(layer.compressed for layer in self.layers if layer.diff_id not in there)


def read_saved(archive: Path, known: Iterable[SavedLayer] = ()) -> SavedImage:
    """Measure an image.

    :param archive: as `docker save` and `podman save --format docker-archive` write it.
    :param known: layers that were measured before, which takes the longest.
    :raises EngineFailed: it is no such archive.
    """
    try:
        with tarfile.open(archive, mode="r:", encoding="utf-8") as tar:
            (entry,) = json.loads(_member(tar, "manifest.json").read())
            config = _member(tar, entry["Config"]).read()
            diff_ids = [Digest.parse(one) for one in json.loads(config)["rootfs"]["diff_ids"]]
            names = list(entry["Layers"])
            tree, kept = _lay(tar, names)
        measured = {layer.diff_id: layer for layer in known}
        layers = _measure(archive, dict(zip(diff_ids, names, strict=True)), measured)
    except (OSError, tarfile.TarError, KeyError, ValueError) as error:
        raise EngineFailed(
            f"{archive.name} is not an image that an engine saved", found=str(error)
        ) from error
    items = list(tree.items())
    tools = find_tools(items)
    return SavedImage(
        layers=tuple(layers[one] for one in diff_ids),
        # A manifest names each layer in about 150 bytes.
        documents=len(config) + 300 + 150 * len(diff_ids),
        debian_packages=_debian_packages(_present(tree, kept)),
        python_packages=sum(bool(_METADATA.fullmatch(path)) for path, _ in items),
        setuid=find_setuid(items),
        executables=sum(_is_executable(path, entry) for path, entry in items),
        build_tools={
            tool: min(paths, key=lambda path: ("bin/" not in path, path))
            for tool, paths in tools.items()
            if tool not in _NO_BUILD_TOOLS
        },
    )


def _present(tree: FileTree, kept: Mapping[str, str]) -> dict[str, str]:
    """Texts of the files that are still there when all layers lie on each other."""
    return {path: text for path, text in kept.items() if tree.get(path) is not None}


def _lay(tar: tarfile.TarFile, names: Iterable[str]) -> tuple[FileTree, dict[str, str]]:
    """The tree of all layers, and the texts that say which packages there are."""
    tree, texts = FileTree(), dict[str, str]()
    for name in names:
        entries: dict[str, Entry] = {}
        with tarfile.open(fileobj=_member(tar, name), mode="r:", encoding="utf-8") as layer:
            for member in layer:
                path = clean_name(member.name)
                if not path:
                    continue
                if member.islnk() and (original := entries.get(clean_name(member.linkname))) is not None:
                    entries[path] = original
                    continue
                entries[path] = _entry(member)
                if path == _STATUS or (path.startswith(_STATUS_FOLDER) and not path.endswith(".md5sums")):
                    stream = layer.extractfile(member) if member.isfile() else None
                    if stream is not None:
                        texts[path] = stream.read().decode(errors="replace")
        tree.lay(LayerContents(entries=entries))
    return tree, texts


def _entry(member: tarfile.TarInfo) -> Entry:
    mode = member.mode & 0o7777
    if member.isdir():
        return Entry(kind="folder", mode=mode)
    if member.issym():
        return Entry(kind="link", mode=mode, target=member.linkname)
    # A hard link into a lower layer has that file's mode.
    return Entry(kind="file" if member.isfile() or member.islnk() else "other", mode=mode, size=member.size)


def _measure(
    archive: Path, names: Mapping[Digest, str], measured: Mapping[Digest, SavedLayer]
) -> dict[Digest, SavedLayer]:
    """Compress each layer that is not known yet, two at a time: zlib works outside of Python's lock."""

    def one(diff_id: Digest) -> SavedLayer:
        if diff_id in measured:
            return measured[diff_id]
        with tarfile.open(archive, mode="r:", encoding="utf-8") as tar:
            unpacked, compressed = _sizes(_chunks(_member(tar, names[diff_id])))
        return SavedLayer(diff_id=diff_id, unpacked=unpacked, compressed=compressed)

    with ThreadPoolExecutor(_WORKERS) as workers:
        return dict(zip(names, workers.map(one, names), strict=True))


def _sizes(chunks: Iterable[bytes]) -> tuple[int, int]:
    packer, unpacked, compressed = zlib.compressobj(_GZIP_LEVEL, wbits=31), 0, 0
    for chunk in chunks:
        unpacked += len(chunk)
        compressed += len(packer.compress(chunk))
    return unpacked, compressed + len(packer.flush())


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    while chunk := stream.read(_CHUNK):
        yield chunk


def _member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    member: Any = tar.getmember(name)
    # podman names a layer that comes twice once, and links the second one to it.
    stream = tar.extractfile(member)
    if stream is None:
        raise ValueError(f"{name} is not a file")
    return stream


def _debian_packages(texts: Mapping[str, str]) -> int:
    whole = _INSTALLED.findall(texts.get(_STATUS, ""))
    return len(whole) + sum(path.startswith(_STATUS_FOLDER) for path in texts)


def _is_executable(path: str, entry: Entry) -> bool:
    name = posixpath.basename(path)
    return entry.kind == "file" and bool(entry.mode & 0o111) and not _LIBRARY.fullmatch(name)
