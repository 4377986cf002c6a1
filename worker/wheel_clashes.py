"""Wheels that write one path with other bytes, found in the cache before anything is built or filled."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import parse_wheel_filename
from packaging.version import Version

from wheelyard.catalogue import Catalogue
from wheelyard.digests import Digest
from wheelyard.errors import InputError
from wheelyard.index_file import FileKind, IndexFile
from wheelyard.store.contract import Store

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_READ_AHEAD = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownWheel:
    """A wheel in the store that says what a project installs.

    :param title: what it stands for, `opencv-python 4.12.0`.
    """

    title: str
    filename: str
    digest: Digest


def known_wheels(
    catalogue: Catalogue, channel: str, pins: Sequence[tuple[str, str]]
) -> tuple[KnownWheel, ...]:
    """The wheel of each pin that a channel has, or its newest one of another version; none where it has none.

    :param pins: projects and versions.
    """
    found = []
    for project, version in pins:
        wheels = [file for file in catalogue.files(channel, project) if file.kind is FileKind.WHEEL]
        if wheels:
            best = max(wheels, key=lambda file: _nearness(file, Version(version)))
            title = f"{project} {version}"
            found.append(KnownWheel(title=title, filename=best.filename, digest=best.digest))
    return tuple(found)


def refuse_clashes(store: Store, wheels: Sequence[KnownWheel]) -> None:
    """Refuse wheels of which two install one path with different bytes.

    Their lists of members are read, a few kilobytes each, and nothing of what is in them.

    :raises InputError: the message names both and the path.
    """
    owners: dict[str, tuple[KnownWheel, tuple[int, int]]] = {}
    for wheel in wheels:
        for path, content in _members(store, wheel).items():
            other, others_content = owners.setdefault(path, (wheel, content))
            if others_content != content:
                raise InputError(
                    f"{other.title} and {wheel.title} both install {path}, and not the same",
                    expected="each file from one wheel",
                    found=f"{other.filename} and {wheel.filename} in the cache",
                    do="leave one of the two out of the image; a version that no longer does so has to be "
                    "built before it is asked for in an image (`wheelyard build`)",
                    path=path,
                    owners=[other.title, wheel.title],
                )


def _nearness(file: IndexFile, version: Version) -> tuple[bool, Version, tuple[int, str] | tuple[()]]:
    _, found, build, _ = parse_wheel_filename(file.filename)
    return found == version, found, build


def _members(store: Store, wheel: KnownWheel) -> Mapping[str, tuple[int, int]]:
    """Path below the site folder, as RECORD has it, to checksum and size; empty where that can't be read."""
    size = store.blob_size(wheel.digest)
    if size is None:
        return {}
    try:
        with zipfile.ZipFile(io.BufferedReader(_StoredFile(store, wheel.digest, size), _READ_AHEAD)) as pack:
            listed = [(_place(entry.filename), entry) for entry in pack.infolist()]
    except zipfile.BadZipFile:
        return {}
    return {path: (entry.CRC, entry.file_size) for path, entry in listed if path and not entry.is_dir()}


def _place(member: str) -> str:
    """Where a member lands (the binary distribution format); empty for what is a wheel's own."""
    top, _, rest = member.partition("/")
    if top.endswith(".dist-info"):
        return ""
    if not top.endswith(".data"):
        return member
    kind, _, path = rest.partition("/")
    above = {"purelib": "", "platlib": "", "scripts": "../../../bin/", "data": "../../../"}.get(kind)
    return "" if above is None else above + path


class _StoredFile(io.RawIOBase):
    """A blob that is read where it is asked for."""

    def __init__(self, store: Store, digest: Digest, size: int) -> None:
        self._store, self._digest, self._size = store, digest, size
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        self._place = max(0, start + offset)
        return self._place

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        length = min(len(view), self._size - self._place)
        if length <= 0:
            return 0
        stream = self._store.open_blob(self._digest, self._place, length)
        if stream is None:
            return 0
        with stream:
            body = stream.read(length)
        view[: len(body)] = body
        self._place += len(body)
        return len(body)
