"""A store that is asked again while it is out: a minute without S3 must not fail what is being built."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeVar

import structlog

from wheelyard.digests import Digest
from wheelyard.errors import StoreUnavailable
from wheelyard.store.contract import Promise, Store, StoredBlob

PATIENCE_SECONDS = 60.0
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 5.0

Answer = TypeVar("Answer")
logger = structlog.get_logger("worker.store")


class PatientStore:
    """Asks another store, and again where it does not answer: every call of the contract may be repeated.

    A stream that breaks while it is read is not begun again; `fetch_blob` is.

    :param store: that has the bytes.
    :param seconds: for which one call goes on.
    """

    def __init__(self, store: Store, seconds: float = PATIENCE_SECONDS) -> None:
        self._store = store
        self._seconds = seconds

    def put_blob(self, source: Path | bytes, digest: Digest) -> None:
        """As `wheelyard.store.contract.Store.put_blob`."""
        self._patiently(lambda: self._store.put_blob(source, digest))

    def open_blob(self, digest: Digest, offset: int = 0, length: int | None = None) -> BinaryIO | None:
        """As `wheelyard.store.contract.Store.open_blob`."""
        return self._patiently(lambda: self._store.open_blob(digest, offset, length))

    def blob_size(self, digest: Digest) -> int | None:
        """As `wheelyard.store.contract.Store.blob_size`."""
        return self._patiently(lambda: self._store.blob_size(digest))

    def fetch_blob(self, digest: Digest, target: Path) -> bool:
        """As `wheelyard.store.contract.Store.fetch_blob`."""
        return self._patiently(lambda: self._store.fetch_blob(digest, target))

    def put_document(self, name: str, body: bytes) -> None:
        """As `wheelyard.store.contract.Store.put_document`."""
        self._patiently(lambda: self._store.put_document(name, body))

    def get_document(self, name: str) -> bytes | None:
        """As `wheelyard.store.contract.Store.get_document`."""
        return self._patiently(lambda: self._store.get_document(name))

    def list_documents(self, prefix: str) -> Iterator[str]:
        """As `wheelyard.store.contract.Store.list_documents`."""
        return iter(self._patiently(lambda: list(self._store.list_documents(prefix))))

    def presigned_url(self, digest: Digest, filename: str, seconds: int) -> str | None:
        """As `wheelyard.store.contract.Store.presigned_url`."""
        return self._store.presigned_url(digest, filename, seconds)

    def renew_blob(self, digest: Digest) -> int | None:
        """As `wheelyard.store.contract.Store.renew_blob`."""
        return self._patiently(lambda: self._store.renew_blob(digest))

    def list_blobs(self) -> Iterator[StoredBlob]:
        """As `wheelyard.store.contract.Store.list_blobs`, without patience: it is a stream."""
        return self._store.list_blobs()

    def delete_blob(self, digest: Digest, unless_since: float | None = None) -> bool:
        """As `wheelyard.store.contract.Store.delete_blob`."""
        return self._patiently(lambda: self._store.delete_blob(digest, unless_since))

    def delete_document(self, name: str) -> None:
        """As `wheelyard.store.contract.Store.delete_document`."""
        self._patiently(lambda: self._store.delete_document(name))

    def check(self) -> tuple[Promise, ...]:
        """As `wheelyard.store.contract.Store.check`, without patience: who asks wants to know."""
        return self._store.check()

    def _patiently(self, call: Callable[[], Answer]) -> Answer:
        limit, pause = time.monotonic() + self._seconds, _FIRST_PAUSE_SECONDS
        while True:
            try:
                return call()
            except StoreUnavailable as error:
                if time.monotonic() + pause > limit:
                    raise
                logger.warning("the store is asked again", error=error.failed, found=error.found)
            # Not in step with the other workers, who wait for the same server.
            time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
