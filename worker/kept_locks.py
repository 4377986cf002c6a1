"""Locks in the store: each a document by its digest."""

from __future__ import annotations

import json

from wheelyard.digests import Digest, canonical_json
from wheelyard.locks import Lock
from worker.context import Services


def keep_lock(services: Services, lock: Lock) -> Digest:
    """Keep a lock in the store; returns its digest."""
    body = canonical_json(lock.to_document())
    digest = Digest.of(body)
    services.store.put_blob(body, digest)
    return digest


def load_lock(services: Services, digest: Digest) -> Lock | None:
    """A lock from the store, or None where it is gone."""
    stream = services.store.open_blob(digest)
    if stream is None:
        return None
    with stream:
        return Lock.from_document(json.loads(stream.read()))
