"""A store in a folder of one file system: S3's promises, kept with temporary files and hard links."""

from __future__ import annotations

import io
import os
import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO, BinaryIO

from wheelyard.digests import CHUNK, Digest
from wheelyard.errors import InfrastructureError, InputError, StoredOtherBytes, StoreUnavailable
from wheelyard.store.contract import RENEW_SECONDS, Promise, StoredBlob
from wheelyard.store.landing import copy_digesting, disk_errors, land, landing_file, settle, sync_folder
from wheelyard.store.layout import (
    BLOBS,
    blob_name,
    document_name,
    document_prefix,
    other_bytes,
    refuse_damage,
    refuse_other_digest,
)

_LANDING = ".landing"
_STALE_SECONDS = 24 * 3600
_RACERS = 8


class FolderStore:
    """Bytes in a folder, for one machine or a shared file system that has hard links.

    :param root: the folder; made where it is missing.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self._landing = self._root / _LANDING
        with disk_errors(f"the store's folder {root} can't be used", StoreUnavailable):
            self._landing.mkdir(parents=True, exist_ok=True)
            self._sweep()

    def __repr__(self) -> str:
        return f"FolderStore({str(self._root)!r})"

    def put_blob(self, source: Path | bytes, digest: Digest) -> None:
        """Keep bytes under their digest; see the contract."""
        place = self._root / blob_name(digest)
        if isinstance(source, bytes):
            refuse_other_digest(digest, Digest.of(source))
            if self.renew_blob(digest) is None:
                self._keep(io.BytesIO(source), place, digest)
            return
        with disk_errors(f"{source} could not be read", InfrastructureError), source.open("rb") as stream:
            if place.exists():
                refuse_other_digest(digest, Digest.of_file(source))
            if self.renew_blob(digest) is None:
                self._keep(stream, place, digest)

    def open_blob(self, digest: Digest, offset: int = 0, length: int | None = None) -> BinaryIO | None:
        """A stream of a blob's bytes, or `None`; see the contract."""
        with disk_errors(f"{digest} could not be read", StoreUnavailable):
            try:
                stream = (self._root / blob_name(digest)).open("rb")
            except FileNotFoundError:
                self._check_root()
                return None
            stream.seek(offset)
            if length is None:
                return stream
            return io.BufferedReader(_Window(stream, length), CHUNK)

    def blob_size(self, digest: Digest) -> int | None:
        """Size in bytes, or `None`."""
        with disk_errors(f"{digest} could not be read", StoreUnavailable):
            try:
                return (self._root / blob_name(digest)).stat().st_size
            except FileNotFoundError:
                self._check_root()
                return None

    def fetch_blob(self, digest: Digest, target: Path) -> bool:
        """Copy a blob into a file, verified; see the contract."""
        stream = self.open_blob(digest)
        if stream is None:
            return False
        with stream:
            land(stream, target, lambda found: refuse_damage(digest, found))
        return True

    def put_document(self, name: str, body: bytes) -> None:
        """Write a document once; see the contract."""
        place = self._root / document_name(name)
        kept = self.get_document(name)
        if kept is None and not self._keep(io.BytesIO(body), place, Digest.of(body)):
            kept = self.get_document(name)
        if kept is not None and kept != body:
            raise other_bytes(name, kept, body)

    def get_document(self, name: str) -> bytes | None:
        """A document's bytes, or `None`."""
        with disk_errors(f"{name} could not be read", StoreUnavailable):
            try:
                return (self._root / document_name(name)).read_bytes()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                self._check_root()
                return None

    def list_documents(self, prefix: str) -> Iterator[str]:
        """Names of the documents below a prefix, sorted."""
        top = self._root / document_prefix(prefix)
        with disk_errors(f"the documents below {prefix!r} could not be listed", StoreUnavailable):
            if not top.is_dir():
                self._check_root()
            names = sorted(
                name
                for folder, _, files in os.walk(top, onerror=_raise_unless_gone)
                for name in ((Path(folder) / file).relative_to(self._root).as_posix() for file in files)
                if not name.startswith((_LANDING, BLOBS))
            )
        return iter(names)

    def presigned_url(self, digest: Digest, filename: str, seconds: int) -> str | None:  # noqa: ARG002 - the contract's
        """`None`: a folder has no address of its own."""
        return None

    def renew_blob(self, digest: Digest) -> int | None:
        """Size of a blob that is about to be needed, or `None`; see the contract."""
        place = self._root / blob_name(digest)
        with disk_errors(f"{digest} could not be renewed", StoreUnavailable):
            try:
                status = place.stat()
                if time.time() - status.st_mtime > RENEW_SECONDS:
                    os.utime(place)
            except FileNotFoundError:
                self._check_root()
                return None
        return status.st_size

    def list_blobs(self) -> Iterator[StoredBlob]:
        """Every blob, folder by folder; see the contract."""
        top = self._root / BLOBS
        with disk_errors("the blobs could not be listed", StoreUnavailable):
            if not top.is_dir():
                self._check_root()
            for folder, _, files in os.walk(top, onerror=_raise_unless_gone):
                for name in files:
                    with suppress(FileNotFoundError, InputError):
                        status = (Path(folder) / name).stat()
                        yield StoredBlob(Digest(name), status.st_size, status.st_mtime)

    def delete_blob(self, digest: Digest, unless_since: float | None = None) -> bool:
        """Remove a blob unless it is young; see the contract."""
        place = self._root / blob_name(digest)
        with disk_errors(f"{digest} could not be removed", StoreUnavailable):
            self._check_root()
            if unless_since is None:
                place.unlink(missing_ok=True)
                return True
            aside = self._landing / f".removed-{secrets.token_hex(12)}"
            try:
                if place.stat().st_mtime >= unless_since:
                    return False
                place.rename(aside)
            except FileNotFoundError:
                return True
            # A writer may have renewed it between the two; from here on it finds nothing and writes anew.
            if aside.stat().st_mtime >= unless_since:
                with suppress(FileExistsError):
                    place.hardlink_to(aside)
                aside.unlink()
                return False
            aside.unlink(missing_ok=True)
        return True

    def delete_document(self, name: str) -> None:
        """Remove a document; see the contract."""
        with disk_errors(f"{name} could not be removed", StoreUnavailable):
            self._check_root()
            (self._root / document_name(name)).unlink(missing_ok=True)

    def check(self) -> tuple[Promise, ...]:
        """Write, read and race a small document; see the contract."""
        name = f"probes/{secrets.token_hex(16)}"
        place = self._root / name
        bodies = [f"{number} {name}".encode() for number in range(_RACERS)]
        try:
            with ThreadPoolExecutor(_RACERS) as pool:
                won = list(pool.map(lambda body: self._try(name, body), bodies))
            if won.count(True) != 1 or self.get_document(name) != bodies[won.index(True)]:
                raise StoreUnavailable(
                    f"the folder {self._root} can't keep a file from being overwritten",
                    expected=f"one of {_RACERS} racing writers to win, and its bytes to stay",
                    found=f"{won.count(True)} winners",
                    do="use a local file system, or S3",
                )
        finally:
            with suppress(OSError):
                place.unlink()
        return (Promise(name="conditional writes"),)

    def _try(self, name: str, body: bytes) -> bool:
        try:
            self.put_document(name, body)
        except StoredOtherBytes:
            return False
        return True

    def _keep(self, source: BinaryIO, place: Path, digest: Digest) -> bool:
        """Put a stream's bytes in a place that is still free; returns whether this call did it."""
        with disk_errors(f"{place.name} could not be stored", StoreUnavailable):
            self._check_root()
            with landing_file(self._landing) as (path, stream):
                refuse_other_digest(digest, copy_digesting(source, stream))
                settle(stream)
                try:
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.hardlink_to(path)
                except (FileExistsError, NotADirectoryError):
                    if place.is_file():
                        return False
                    raise InputError(
                        f"{place.relative_to(self._root)} can't be a document",
                        found="a document in the place of its folder, or a folder in its place",
                        do="choose names in which no document is the folder of another",
                    ) from None
            for folder in (place.parent, *place.parent.parents):
                sync_folder(folder)
                if folder == self._root:
                    break
        return True

    def _check_root(self) -> None:
        """Make sure that the folder itself is still there, for an unmounted disk is not a miss."""
        if not self._landing.is_dir():
            raise StoreUnavailable(
                f"the store's folder {self._root} is gone",
                do="mount or restore it, then start again",
            )

    def _sweep(self) -> None:
        """Remove what writers that were killed left half-written, a day later."""
        limit = time.time() - _STALE_SECONDS
        for path in self._landing.iterdir():
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < limit:
                    path.unlink()


class _Window(io.RawIOBase):
    """At most `length` bytes of a file, from where it stands."""

    def __init__(self, stream: IO[bytes], length: int) -> None:
        super().__init__()
        self._stream = stream
        self._left = length

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # typeshed's is wider
        chunk = self._stream.read(min(len(buffer), self._left))
        buffer[: len(chunk)] = chunk
        self._left -= len(chunk)
        return len(chunk)

    def close(self) -> None:
        self._stream.close()
        super().close()


def _raise_unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
