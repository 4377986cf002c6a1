"""How often each part that a process stands on failed it, by the part and the kind of the error."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Literal, TypeVar

from wheelyard.errors import WheelyardError

Part = Literal["database", "redis", "store", "engine", "index"]
Failure = TypeVar("Failure", bound=WheelyardError)


class Outages:
    """Counts what one process met since its start. Safe to share between threads.

    They are noted where a vendor's error becomes one of ours, so that one which is mended by trying again, or
    which nobody hears of, is seen all the same.
    """

    def __init__(self) -> None:
        self._counts: Counter[tuple[Part, str]] = Counter()
        self._lock = threading.Lock()

    def noted(self, part: Part, error: Failure) -> Failure:
        """Count an error, and give it back to be raised."""
        with self._lock:
            self._counts[part, error.kind] += 1
        return error

    def counts(self) -> dict[tuple[Part, str], int]:
        """Number of errors so far by part and kind."""
        with self._lock:
            return dict(self._counts)


OUTAGES = Outages()
"""This process's own."""
