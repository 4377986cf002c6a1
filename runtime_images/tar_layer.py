"""Layer tars: members checked one by one, and written again so that equal content is equal bytes."""

from __future__ import annotations

import io
import posixpath
import tarfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from wheelyard.errors import ForeignOutputRefused, WheelyardError

MAX_MEMBERS = 500_000
MAX_PATH = 4096
_WHITEOUT = ".wh."


@dataclass(frozen=True, slots=True, kw_only=True)
class TarRules:
    """What members of a foreign tar may be.

    :param origin: what the tar was made of, for messages: `the layer of numpy 2.4.6`.
    :param place: folder of the image that all members are put below; empty for the root. Symbolic links may
        not point out of it.
    :param within: folders, one of which every member must be in, or be on the way to; empty for anywhere.
    :param failure: class of the error that refuses.
    """

    origin: str
    place: str = ""
    within: tuple[str, ...] = ()
    failure: type[WheelyardError] = ForeignOutputRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMember:
    """One member of a layer to be written.

    :param path: in the image, without a slash at its start.
    :param kind: `tarfile.REGTYPE`, `DIRTYPE` or `SYMTYPE`.
    :param executable: whether a regular file may be run.
    :param target: of a symbolic link.
    :param size: of a regular file, in bytes.
    :param opener: gives a regular file's bytes, closed by whoever calls it.
    """

    path: str
    kind: bytes
    executable: bool = False
    target: str = ""
    size: int = 0
    opener: Callable[[], IO[bytes]] | None = None


def write_layer_tar(target: IO[bytes], members: Iterable[NewMember]) -> None:
    """Write members as a layer: sorted, epoch times, owner 0:0, modes 0644 and 0755, every folder on the way.

    :param members: in any order, each path once.
    """
    by_path = {member.path: member for member in members}
    for path in list(by_path):
        for folder in _folders_above(path):
            by_path.setdefault(folder, NewMember(path=folder, kind=tarfile.DIRTYPE))
    with tarfile.open(fileobj=target, mode="w|", format=tarfile.PAX_FORMAT, encoding="utf-8") as tar:
        for path, member in sorted(by_path.items(), key=lambda item: item[0].split("/")):
            entry = tarfile.TarInfo(path)
            entry.type, entry.mtime, entry.linkname = member.kind, 0, member.target
            entry.mode = 0o755 if member.executable or member.kind == tarfile.DIRTYPE else 0o644
            if member.kind == tarfile.SYMTYPE:
                entry.mode = 0o777
            entry.size = member.size
            if member.opener is None:
                tar.addfile(entry)
            else:
                with closing(member.opener()) as stream:
                    tar.addfile(entry, stream)


def normalise_tar(source: Path, target: IO[bytes], rules: TarRules, extra: Iterable[NewMember] = ()) -> None:
    """Check a foreign tar and write it again as a layer; equal files give equal bytes, however packed.

    Only regular files, folders and symbolic links pass. Owners, times, extended attributes and all mode bits
    but "may be run" are dropped.

    :param source: an uncompressed tar.
    :param extra: members that are added; a foreign one of the same path is refused, unless both are folders.
    :raises ForeignOutputRefused: or the class that the rules name: an absolute path, `..`, a device or hard
        link, a setuid file, a link out of the place, a name that a layer must not have, or no whole tar.
    """
    try:
        with tarfile.open(source, mode="r:", encoding="utf-8") as tar:
            members = {member.path: member for member in extra}
            folders = {path for path, member in members.items() if member.kind == tarfile.DIRTYPE}
            for entry in _entries(tar, rules):
                member = _checked(tar, entry, rules)
                if member is None:
                    continue
                if member.path in folders and member.kind == tarfile.DIRTYPE:
                    folders.remove(member.path)
                elif member.path in members:
                    raise _refused(rules, entry.name, "a path comes twice")
                members[member.path] = member
            links = {m.path: m.target for m in members.values() if m.kind == tarfile.SYMTYPE}
            for member in members.values():
                _check_links(member, members, links, rules)
            write_layer_tar(target, members.values())
    except (tarfile.TarError, UnicodeError) as error:
        raise rules.failure(f"{rules.origin} is not a readable tar", found=str(error)[:300]) from error


def _folders_above(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def _refused(rules: TarRules, name: str, why: str) -> WheelyardError:
    return rules.failure(
        f"{rules.origin} holds something that must not get into an image",
        expected="regular files, folders, and symbolic links that stay inside",
        found=f"{why}: {name!r}"[:400],
        path=name[:400],
    )


def _entries(tar: tarfile.TarFile, rules: TarRules) -> Iterable[tarfile.TarInfo]:
    for count, entry in enumerate(tar):
        if count >= MAX_MEMBERS:
            raise _refused(rules, entry.name, f"more than {MAX_MEMBERS} members")
        yield entry
    # tarfile takes a broken header in the middle for the end, and would drop what follows without a word.
    stream = tar.fileobj
    if stream is not None:
        stream.seek(tar.offset)
        if stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError("it breaks off in the middle")


def _checked(tar: tarfile.TarFile, entry: tarfile.TarInfo, rules: TarRules) -> NewMember | None:
    path = _clean_path(entry.name, rules)
    if entry.issparse() or not (entry.isfile() or entry.isdir() or entry.issym()):
        raise _refused(rules, entry.name, "neither a file, nor a folder, nor a symbolic link")
    if entry.isfile() and entry.mode & 0o6000:
        raise _refused(rules, entry.name, "a setuid or setgid file")
    if not path:
        if entry.isdir():
            return None
        raise _refused(rules, entry.name, "an empty name")
    if rules.place:
        path = f"{rules.place}/{path}"
    if rules.within and not any(_related(path, folder, entry.isdir()) for folder in rules.within):
        raise _refused(rules, entry.name, f"a path outside {' and '.join(rules.within)}")
    if entry.isdir():
        return NewMember(path=path, kind=tarfile.DIRTYPE)
    if entry.issym():
        return NewMember(path=path, kind=tarfile.SYMTYPE, target=entry.linkname)

    def opener() -> IO[bytes]:
        stream = tar.extractfile(entry)
        return stream if stream is not None else io.BytesIO()

    return NewMember(
        path=path, kind=tarfile.REGTYPE, executable=bool(entry.mode & 0o111), size=entry.size, opener=opener
    )


def _related(path: str, folder: str, is_folder: bool) -> bool:
    return path.startswith(folder + "/") or (is_folder and (path == folder or folder.startswith(path + "/")))


def _clean_path(name: str, rules: TarRules) -> str:
    if name.startswith("/"):
        raise _refused(rules, name, "an absolute path")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise _refused(rules, name, "a path with `..`")
    _check_text(name, rules)
    if len(name.encode()) > MAX_PATH or any(len(part.encode()) > 255 for part in parts):
        raise _refused(rules, name, "a path that is too long")
    if any(part.startswith(_WHITEOUT) for part in parts):
        raise _refused(rules, name, "a name that would delete a file of a lower layer (`.wh.`)")
    return "/".join(parts)


def _check_text(text: str, rules: TarRules) -> None:
    if any(ord(letter) < 32 or ord(letter) == 127 or 0xD800 <= ord(letter) <= 0xDFFF for letter in text):
        raise _refused(rules, text, "a name with control characters, or not in UTF-8")


def _check_links(
    member: NewMember, members: Mapping[str, NewMember], links: Mapping[str, str], rules: TarRules
) -> None:
    for folder in _folders_above(member.path):
        if folder in members and members[folder].kind != tarfile.DIRTYPE:
            raise _refused(rules, member.path, "a path below a link or a file")
    if member.kind != tarfile.SYMTYPE:
        return
    _check_text(member.target, rules)
    shown = f"{member.path} -> {member.target}"
    if not member.target or member.target.startswith("/"):
        raise _refused(rules, shown, "a link with an absolute target")
    if not _stays_inside(member.path, links, rules.place):
        raise _refused(rules, shown, "a link out of its folder")


def _stays_inside(path: str, links: Mapping[str, str], place: str) -> bool:
    """Follow a link, and the links on its way, as the kernel would; a chain without end stays nowhere."""
    place_parts = place.split("/") if place else []
    done = posixpath.dirname(path).split("/") if "/" in path else []
    ahead = links[path].split("/")
    for _ in range(1000):
        if not ahead:
            return True
        part, *ahead = ahead
        if part in ("", "."):
            continue
        if part == "..":
            if len(done) <= len(place_parts):
                return False
            done.pop()
            continue
        done.append(part)
        target = links.get("/".join(done))
        if target is not None:
            if target.startswith("/"):
                return False
            done.pop()
            ahead = [*target.split("/"), *ahead]
    return False
