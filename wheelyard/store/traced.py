"""A store whose writes and reads of whole blobs are spans of whatever asked for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from wheelyard.digests import Digest
from wheelyard.store.contract import Promise, Store, StoredBlob
from wheelyard.tracing import below


class TracedStore:
    """The same store; see `wheelyard.store.contract.Store`."""

    def __init__(self, inner: Store) -> None:
        self._inner = inner

    def put_blob(self, source: Path | bytes, digest: Digest) -> None:
        """See `Store.put_blob`."""
        size = len(source) if isinstance(source, bytes) else source.stat().st_size
        with below("store put", {"wheelyard.digest": str(digest), "wheelyard.bytes": size}):
            self._inner.put_blob(source, digest)

    def open_blob(self, digest: Digest, offset: int = 0, length: int | None = None) -> BinaryIO | None:
        """See `Store.open_blob`."""
        return self._inner.open_blob(digest, offset, length)

    def blob_size(self, digest: Digest) -> int | None:
        """See `Store.blob_size`."""
        return self._inner.blob_size(digest)

    def fetch_blob(self, digest: Digest, target: Path) -> bool:
        """See `Store.fetch_blob`."""
        with below("store fetch", {"wheelyard.digest": str(digest)}) as span:
            found = self._inner.fetch_blob(digest, target)
            span.note({"wheelyard.found": found})
            return found

    def put_document(self, name: str, body: bytes) -> None:
        """See `Store.put_document`."""
        with below("store put", {"wheelyard.document": name, "wheelyard.bytes": len(body)}):
            self._inner.put_document(name, body)

    def get_document(self, name: str) -> bytes | None:
        """See `Store.get_document`."""
        return self._inner.get_document(name)

    def list_documents(self, prefix: str) -> Iterator[str]:
        """See `Store.list_documents`."""
        return self._inner.list_documents(prefix)

    def presigned_url(self, digest: Digest, filename: str, seconds: int) -> str | None:
        """See `Store.presigned_url`."""
        return self._inner.presigned_url(digest, filename, seconds)

    def renew_blob(self, digest: Digest) -> int | None:
        """See `Store.renew_blob`."""
        return self._inner.renew_blob(digest)

    def list_blobs(self) -> Iterator[StoredBlob]:
        """See `Store.list_blobs`."""
        return self._inner.list_blobs()

    def delete_blob(self, digest: Digest, unless_since: float | None = None) -> bool:
        """See `Store.delete_blob`."""
        with below("store delete", {"wheelyard.digest": str(digest)}):
            return self._inner.delete_blob(digest, unless_since)

    def delete_document(self, name: str) -> None:
        """See `Store.delete_document`."""
        with below("store delete", {"wheelyard.document": name}):
            self._inner.delete_document(name)

    def check(self) -> tuple[Promise, ...]:
        """See `Store.check`."""
        return self._inner.check()
