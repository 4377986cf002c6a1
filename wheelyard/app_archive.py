"""The application's folder as a tar: sorted, without times and owners, the same bytes for the same files."""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from wheelyard.digests import Digest, DigestingWriter
from wheelyard.errors import InputError
from wheelyard.ignore_rules import IgnoreRules

IGNORE_FILE = ".dockerignore"
NEVER_WANTED = (".git", "**/.git", "**/.hg", "**/.svn", "**/__pycache__", "**/*.pyc", IGNORE_FILE)
"""Left out unless the ignore file asks for them with `!`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppArchive:
    """What was written.

    :param digest: of the tar's bytes.
    :param size: of the tar, in bytes.
    :param files: number of regular files in it.
    """

    digest: Digest
    size: int
    files: int


def write_app_archive(folder: Path, target: IO[bytes]) -> AppArchive:
    """Write a folder's content as an uncompressed tar (POSIX.1-2001 pax).

    Files are 0644, or 0755 where their owner may execute them; all belong to root and are as old as 1970.

    :param folder: the application; its `.dockerignore` is followed.
    :raises InputError: no folder, something in it that can't be in an image (a socket, a device, a link that
        leads out), or a file that can't be read or changes meanwhile.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder", do="name the application's folder with --app")
    rules = _rules(folder)
    writer, files = DigestingWriter(target), 0
    with tarfile.open(fileobj=cast("IO[bytes]", writer), mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for path in _members(folder, "", rules):
            files += _add(tar, folder, path)
    return AppArchive(digest=writer.digest, size=writer.size, files=files)


def _rules(folder: Path) -> IgnoreRules:
    path = folder / IGNORE_FILE
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} can't be read", found=str(error)) from error
    return IgnoreRules([*NEVER_WANTED, *lines], str(path))


def _members(folder: Path, prefix: str, rules: IgnoreRules) -> Iterator[str]:
    """Paths below the folder that go in, folders before what is in them, sorted by their bytes."""
    try:
        entries = sorted(os.scandir(folder / prefix), key=lambda entry: os.fsencode(entry.name))
    except OSError as error:
        raise InputError(f"{folder / prefix} can't be read", found=str(error)) from error
    for entry in entries:
        path = f"{prefix}{entry.name}"
        is_folder = entry.is_dir(follow_symlinks=False)
        if rules.ignores(path):
            # A later `!` may want something below an ignored folder.
            if is_folder and rules.may_want_below(path):
                below = list(_members(folder, f"{path}/", rules))
                if below:
                    yield path
                    yield from below
            continue
        yield path
        if is_folder:
            yield from _members(folder, f"{path}/", rules)


def _add(tar: tarfile.TarFile, folder: Path, path: str) -> int:
    """Add one member; returns 1 for a regular file."""
    place = folder / path
    try:
        status = place.lstat()
        member = tarfile.TarInfo(path)
        path.encode("utf-8")
        if stat.S_ISDIR(status.st_mode):
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(member)
            return 0
        if stat.S_ISLNK(status.st_mode):
            member.type, member.mode, member.linkname = tarfile.SYMTYPE, 0o777, _checked_link(folder, path)
            tar.addfile(member)
            return 0
        if not stat.S_ISREG(status.st_mode):
            raise _refused(place, _kind(status.st_mode))
        member.mode = 0o755 if status.st_mode & 0o100 else 0o644
        with place.open("rb") as stream:
            member.size = os.fstat(stream.fileno()).st_size
            tar.addfile(member, stream)
            if stream.read(1):
                raise InputError(f"{place} grew while it was read", do="try again when nothing writes to it")
        return 1
    except UnicodeEncodeError as error:
        raise InputError(
            f"the name of {os.fsencode(place)!r} is not UTF-8", do="give it another name"
        ) from error
    except OSError as error:
        # tarfile says so of a file that became shorter while it was read; the operating system has numbers.
        if error.errno is None:
            raise InputError(
                f"{place} shrank while it was read", do="try again when nothing writes to it"
            ) from error
        if error.filename is None:
            raise
        raise InputError(
            f"{place} can't be read", found=str(error), do="mend its permissions, or ignore it"
        ) from error


def _checked_link(folder: Path, path: str) -> str:
    """A symbolic link's target, where it stays inside the folder."""
    target = str((folder / path).readlink())
    done = list(PurePosixPath(path).parent.parts)
    inside = not target.startswith("/")
    for part in PurePosixPath(target).parts if inside else ():
        if part == "..":
            if not done:
                inside = False
                break
            done.pop()
        else:
            done.append(part)
    real = os.path.realpath(folder / path)
    root = os.path.realpath(folder)
    if not inside or not (real == root or real.startswith(root + "/")):
        raise _refused(folder / path, f"a link to {target}, which is outside the folder")
    return target


def _refused(place: Path, found: str) -> InputError:
    return InputError(
        f"{place} can't go into an image",
        expected="regular files, folders, and links that stay inside the folder",
        found=found,
        do=f"remove it, or name it in {IGNORE_FILE}",
    )


def _kind(mode: int) -> str:
    kinds = (
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISFIFO, "a named pipe"),
        (stat.S_ISBLK, "a device"),
        (stat.S_ISCHR, "a device"),
    )
    return next((name for test, name in kinds if test(mode)), "something that is no file")
