"""The bucket of the benchmark's stack: what is in it, and how layers of wheels are taken out of it again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wheelyard.digests import Digest
from wheelyard.oci import Layer
from wheelyard.settings import read_settings
from wheelyard.stack.own_settings import with_own_servers
from wheelyard.store.contract import Store
from wheelyard.store.open import open_store

_LAYERS = "records/layers/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Everything in a bucket at one moment.

    :param blobs: digest to size in bytes.
    :param documents: names.
    """

    blobs: Mapping[Digest, int]
    documents: frozenset[str]


class Bucket:
    """A stack's store, read beside it.

    :param folder: the stack's data.
    """

    def __init__(self, folder: Path) -> None:
        self._store: Store = open_store(with_own_servers(read_settings(data_dir=folder)))

    def content(self) -> Content:
        """What is in it now."""
        blobs = {blob.digest: blob.size for blob in self._store.list_blobs()}
        return Content(blobs=blobs, documents=frozenset(self._store.list_documents("")))

    def added_bytes(self, before: Content, after: Content) -> tuple[int, int]:
        """Bytes of the blobs and of the documents that came between two moments."""
        blobs = sum(size for digest, size in after.blobs.items() if digest not in before.blobs)
        documents = sum(
            len(self._store.get_document(name) or b"") for name in after.documents - before.documents
        )
        return blobs, documents

    def forget_wheel_layers(self, wheels: frozenset[Digest] | None = None) -> int:
        """Take out the layers of wheels, and all that is known of them; returns how many there were.

        :param wheels: digests of those that are meant; None means every wheel.
        """
        documents = list(self._store.list_documents(_LAYERS))
        count = 0
        for name in documents:
            wheel = name.removeprefix(f"{_LAYERS}wheels/")[:64]
            if not name.startswith(f"{_LAYERS}wheels/"):
                continue
            if wheels is not None and all(wheel != digest.hex for digest in wheels):
                continue
            layer = Layer.from_document(json.loads(self._store.get_document(name) or b"{}"))
            for other in documents:
                if layer.diff_id.hex in other or layer.digest.hex in other:
                    self._store.delete_document(other)
            self._store.delete_document(name)
            self._store.delete_blob(layer.digest)
            count += 1
        return count
