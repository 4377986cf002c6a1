"""Clocks that a test moves."""

from __future__ import annotations


class StandingClock:
    """It stands until a test moves it. In epoch seconds."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now
