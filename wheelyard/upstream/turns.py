"""Turns: of those who want the same thing at the same time, one gets it and the others wait for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """Locks by name, which are gone when nobody holds or wants them. Safe to share between threads."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[str, tuple[threading.Lock, int]] = {}

    @contextmanager
    def taken(self, name: str, *, wait: bool = True) -> Iterator[bool]:
        """One's turn for something, to the end of the block.

        :param wait: False gives False at once where somebody else has it.
        """
        with self._guard:
            lock, wanted = self._locks.get(name, (threading.Lock(), 0))
            self._locks[name] = (lock, wanted + 1)
        has = lock.acquire(blocking=wait)
        try:
            yield has
        finally:
            if has:
                lock.release()
            with self._guard:
                lock, wanted = self._locks.pop(name)
                if wanted > 1:
                    self._locks[name] = (lock, wanted - 1)
