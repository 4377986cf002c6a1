"""Links to the store itself: signed for a while, and the same one for half of it, so that it may be kept."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

from wheelyard.digests import Digest
from wheelyard.store.contract import Store

_MOST_LINKS = 20_000
OPEN_SECONDS = 86_400
CLOSED_SECONDS = 3600


class StoreLinks:
    """Signs links. Safe to share between threads.

    pip keeps what it downloads by the address that gave it. A link that were signed anew for everybody who
    asks would be another address each time, and pip's cache would never hit.

    :param seconds: for how long a link is good: whoever has it needs no token.
    """

    def __init__(self, store: Store, seconds: int) -> None:
        self._store = store
        self._seconds = seconds
        self._links: OrderedDict[tuple[str, str], tuple[float, str]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def kept_seconds(self) -> int:
        """For how long a link that was just given is good at the least."""
        return self._seconds // 2

    def link(self, digest: Digest, filename: str) -> str | None:
        """A link to a blob under a file's name; None where the store makes none."""
        key, now = (digest.hex, filename), time.monotonic()
        with self._lock:
            made_at, link = self._links.get(key, (float("-inf"), ""))
        if now - made_at < self._seconds - self.kept_seconds:
            return link
        made = self._store.presigned_url(digest, filename, self._seconds)
        if made is None:
            return None
        with self._lock:
            self._links[key] = (now, made)
            self._links.move_to_end(key)
            if len(self._links) > _MOST_LINKS:
                self._links.popitem(last=False)
        return made
