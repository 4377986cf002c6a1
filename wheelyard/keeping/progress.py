"""What long work on a store says of how far it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with what is done, how much of it, and how much there is; 0 where that is not known."""


def no_progress(_step: str, _done: int, _total: int) -> None:
    """Say nothing."""
