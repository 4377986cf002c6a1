"""Fetching: an index's file into the store, by digest, or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from wheelyard.errors import InfrastructureError, NotFound
from wheelyard.locks import IndexFile
from wheelyard.store.contract import Store
from wheelyard.store.landing import disk_errors
from wheelyard.tracing import below
from wheelyard.upstream.index import Upstream, check_digest
from wheelyard.upstream.listing import ListedFile

MAX_FILE_BYTES = 4 << 30


def fetch_listed(
    file: ListedFile,
    store: Store,
    upstream: Upstream,
    *,
    scratch: Path | None = None,
    limit: int = MAX_FILE_BYTES,
) -> int:
    """Bring a file of a project's page into the store, unless it is there; gives its size in bytes.

    Safe to repeat, and at the same time. Nothing is visible in the store before the bytes were verified.

    :param scratch: folder for the file on its way; `None` means that of the operating system.
    :param limit: bytes at the most.
    :raises ForeignOutputRefused: the bytes are not those that the index lists; both hashes are in it.
    :raises IndexUnavailable: the index does not give it, or not whole.
    :raises DiskFull: there is no room for it.
    """
    if file.digest is not None and (size := store.renew_blob(file.digest)) is not None:
        return size
    with downloaded(file, upstream, scratch=scratch, limit=limit) as path:
        assert file.digest is not None  # noqa: S101  # downloaded() refuses a file without one
        store.put_blob(path, file.digest)
        return path.stat().st_size


@contextmanager
def downloaded(
    file: ListedFile,
    upstream: Upstream,
    *,
    scratch: Path | None = None,
    limit: int = MAX_FILE_BYTES,
    begun: Callable[[Path], None] = lambda _path: None,
) -> Iterator[Path]:
    """A verified file of the index on the disk, to the end of the block.

    :param begun: is told of the file before its bytes come; after a try that was cut off it begins anew.
    :param scratch: folder for it; `None` means that of the operating system.
    :param limit: bytes at the most.
    :raises ForeignOutputRefused: the bytes are not those that the index lists; both hashes are in it.
    :raises IndexUnavailable: the index does not give it, or not whole.
    :raises DiskFull: there is no room for it.
    """
    with (
        disk_errors(f"{file.filename} could not be written", InfrastructureError),
        tempfile.NamedTemporaryFile(prefix="wheelyard-fetch-", dir=scratch) as stream,
    ):
        begun(Path(stream.name))
        with below("index fetch", {"wheelyard.file": file.filename}):
            upstream.download(file, stream, limit)
        stream.flush()
        yield Path(stream.name)


def fetch_file(
    project: str, file: IndexFile, store: Store, upstream: Upstream, *, scratch: Path | None = None
) -> None:
    """Bring one file of a lock into the store, by its digest. Safe to repeat, and at the same time.

    Where the store has it already, the index is not asked at all.

    :param project: the project whose page lists it.
    :param file: its name, and the digest that the lock gives.
    :param scratch: folder for the file on its way; `None` means that of the operating system.
    :raises NotFound: the index lists no such file any more.
    :raises ForeignOutputRefused: the index lists, or gives, other bytes than the lock names.
    :raises IndexUnavailable: the index does not answer.
    :raises DiskFull: there is no room for it.
    """
    if store.renew_blob(file.digest) is not None:
        return
    listed = upstream.listing(project).find(file.filename)
    if listed is None:
        raise NotFound(
            f"{file.filename} is not on the index any more",
            expected=f"a file of the project {project} with {file.digest}",
            do="resolve the requirements again",
            project=project,
            filename=file.filename,
        )
    check_digest(file.filename, file.digest, listed.digest)
    fetch_listed(listed, store, upstream, scratch=scratch)
