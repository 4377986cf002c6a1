"""How often upstream's pages and files were given, by where they came from."""

from __future__ import annotations

import threading
from collections import Counter
from enum import StrEnum

_WHAT = ("page", "file", "metadata")


class Outcome(StrEnum):
    """Where something of upstream's came from, or why it did not come."""

    KEPT = "kept"
    """From what was kept; upstream was not asked."""
    FETCHED = "fetched"
    """From upstream."""
    UNCHANGED = "unchanged"
    """From what was kept; upstream was asked, and said that it still holds."""
    ABSENT = "absent"
    """Upstream has no such thing."""
    STALE = "stale"
    """From what was kept, although it was time to ask again: upstream does not answer."""
    FAILED = "failed"
    """Upstream does not answer, and nothing was kept."""
    REFUSED = "refused"
    """What came is not what upstream's page says."""


class Tally:
    """Counts of one process since its start. Safe to share between threads."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[Outcome]] = {what: Counter() for what in _WHAT}
        self._lock = threading.Lock()

    def note(self, what: str, outcome: Outcome) -> None:
        """Count one.

        :param what: `page`, `file` or `metadata`.
        """
        with self._lock:
            self._counts[what][outcome] += 1

    def counts(self) -> dict[tuple[str, Outcome], int]:
        """The number of each, with those that never came."""
        with self._lock:
            return {
                (what, outcome): counter[outcome]
                for what, counter in self._counts.items()
                for outcome in Outcome
            }
