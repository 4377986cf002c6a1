"""Files that appear only when they are whole: written beside their place, checked, flushed, put there."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, BinaryIO

from wheelyard.digests import CHUNK, Digest, DigestingWriter
from wheelyard.errors import DiskFull, InfrastructureError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def disk_errors(what: str, failure: type[InfrastructureError]) -> Iterator[None]:
    """Turn an `OSError` into one of ours.

    :param what: what could not be done, for instance `the store's folder could not be read`.
    :param failure: class for everything but a full disk.
    :raises DiskFull: the file system, a quota or a file size limit is used up.
    """
    try:
        yield
    except OSError as error:
        place = f" at {error.filename}" if error.filename else ""
        found = f"{error.strerror or error}{place}"
        if error.errno in _FULL:
            raise DiskFull(what, found=found, do="free some space, then try again") from error
        raise failure(
            what, found=found, do="look at that folder: does it exist, and who may write it"
        ) from error


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def landing_file(folder: Path) -> Iterator[tuple[Path, IO[bytes]]]:
    """A new file for writing that is gone at the end unless it was moved to its place meanwhile.

    :param folder: on the same file system as that place.
    """
    path = folder / f".landing-{secrets.token_hex(12)}"
    try:
        with path.open("xb") as stream:
            yield path, stream
    finally:
        with suppress(FileNotFoundError):
            path.unlink()


def settle(stream: IO[bytes]) -> None:
    """Flush a stream down to the disk."""
    stream.flush()
    os.fsync(stream.fileno())


def copy_digesting(source: BinaryIO, target: IO[bytes]) -> Digest:
    """Copy a stream to its end; returns the digest of what passed."""
    writer = DigestingWriter(target)
    while chunk := source.read(CHUNK):
        writer.write(chunk)
    return writer.digest


def land(source: BinaryIO, target: Path, check: Callable[[Digest], None]) -> None:
    """Copy a stream into a file that is in place only when whole and checked; one that is there is replaced.

    :param check: gets the digest of the bytes, and raises where they are not the right ones.
    :raises DiskFull: no space for the file.
    """
    with disk_errors(f"{target.name} could not be written", InfrastructureError):
        target.parent.mkdir(parents=True, exist_ok=True)
        with landing_file(target.parent) as (path, stream):
            check(copy_digesting(source, stream))
            settle(stream)
            path.replace(target)
