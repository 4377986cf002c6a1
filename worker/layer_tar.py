"""Tar archives made reproducible: sorted, one time for everything, owned by root, only files and links."""

from __future__ import annotations

import copy
import io
import tarfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from wheelyard.errors import ForeignOutputRefused

_KINDS = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file, folder or link of ours in a layer.

    :param path: without a slash at its start.
    :param mode: permission bits.
    :param content: bytes of a file; None makes it a folder, or a link where `link` is given.
    :param link: what a symbolic link points at.
    :param owner: user and group id.
    """

    path: str
    mode: int = 0o644
    content: bytes | None = None
    link: str = ""
    owner: int = 0

    def to_member(self, mtime: int) -> tarfile.TarInfo:
        """The entry as a tar header."""
        member = tarfile.TarInfo(self.path)
        member.mode, member.mtime = self.mode, mtime
        member.uid = member.gid = self.owner
        if self.link:
            member.type, member.linkname, member.mode = tarfile.SYMTYPE, self.link, 0o777
        elif self.content is None:
            member.type = tarfile.DIRTYPE
        else:
            member.size = len(self.content)
        return member


def normalise_tar(
    source: Path,
    target: IO[bytes],
    *,
    mtime: int,
    keep: Callable[[str], bool] = lambda _path: True,
    below: str = "",
    extra: Iterable[Entry] = (),
) -> None:
    """Write an archive again, so that equal contents are equal bytes.

    Names are sorted, times and owners fixed; set-uid bits, extended attributes and devices are left out. Hard
    links stay links, to whichever of their names comes first.

    :param source: an uncompressed tar archive.
    :param mtime: seconds since the epoch, for every member.
    :param keep: whether a path (no slash at its start) stays.
    :param below: folder that every path is put below.
    :param extra: entries of ours; they win over the archive's.
    :raises ForeignOutputRefused: a name in the archive leads out of it.
    """
    ours = {entry.path: entry for entry in extra}
    with tarfile.open(source, mode="r:") as tar:
        members = _members(tar, keep, below)
        names = sorted({*members, *ours})
        homes = _first_names(members, [name for name in names if name not in ours])
        with tarfile.open(fileobj=target, mode="w", format=tarfile.GNU_FORMAT) as out:
            for name in names:
                entry = ours.get(name)
                if entry is not None:
                    out.addfile(entry.to_member(mtime), io.BytesIO(entry.content or b""))
                    continue
                original = _original(tar, members[name])
                member = _clean(members[name], name, mtime)
                if members[name].islnk() or homes.get(original.name, name) != name:
                    home = homes[original.name]
                    if home == name:
                        member = _clean(original, name, mtime)
                    else:
                        member.type, member.linkname, member.size = tarfile.LNKTYPE, home, 0
                out.addfile(member, tar.extractfile(original) if member.isreg() else None)


def _members(tar: tarfile.TarFile, keep: Callable[[str], bool], below: str) -> dict[str, tarfile.TarInfo]:
    found: dict[str, tarfile.TarInfo] = {}
    for member in tar:
        path = PurePosixPath(member.name)
        if path.is_absolute() or ".." in path.parts:
            raise ForeignOutputRefused("a name leads out of an archive", found=repr(member.name))
        name = str(path)
        if name != "." and member.type in _KINDS and keep(name):
            found[str(PurePosixPath(below) / name)] = member
    return found


def _original(tar: tarfile.TarFile, member: tarfile.TarInfo) -> tarfile.TarInfo:
    while member.islnk():
        member = tar.getmember(member.linkname)
    return member


def _first_names(members: dict[str, tarfile.TarInfo], names: Iterable[str]) -> dict[str, str]:
    """Original member's name to the first name, in sorted order, under which its bytes are written."""
    by_name = {member.name: member for member in members.values()}
    homes: dict[str, str] = {}
    for name in names:
        member = members[name]
        if member.isreg():
            homes.setdefault(member.name, name)
        elif member.islnk():
            target = member.linkname
            while target in by_name and by_name[target].islnk():
                target = by_name[target].linkname
            homes.setdefault(target, name)
    return homes


def _clean(member: tarfile.TarInfo, name: str, mtime: int) -> tarfile.TarInfo:
    clean = copy.copy(member)
    clean.name, clean.mtime = name, mtime
    clean.uid = clean.gid = 0
    clean.uname = clean.gname = ""
    clean.mode = member.mode & (0o1777 if member.isdir() else 0o777)
    clean.pax_headers = {}
    return clean


def pack_folder(folder: Path, target: Path) -> None:
    """Pack a folder's contents into an uncompressed tar archive, links as links.

    :param target: outside the folder.
    """
    with tarfile.open(target, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for place in sorted(folder.iterdir()):
            tar.add(place, arcname=place.name)
