"""What a process does again and again: each kind on a thread of its own, so that none waits for another."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import structlog

from wheelyard.errors import QueueUnavailable, WheelyardError

logger = structlog.get_logger("worker.rounds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One kind of repeated work.

    :param name: of its thread and in the log.
    :param once: one round; what it raises is said, and the next round tries again.
    :param pause: between two rounds, in seconds.
    :param wake: ends a pause early, from any thread.
    """

    name: str
    once: Callable[[], object]
    pause: float
    wake: threading.Event = field(default_factory=threading.Event)


class Rounds:
    """Starts every round at once, and repeats them for as long as its block runs.

    :param join_seconds: that the end of the block waits for rounds that are under way.
    """

    def __init__(self, rounds: Sequence[Round], join_seconds: float = 0.0) -> None:
        self._join_seconds = join_seconds
        self._rounds = rounds
        self._ended = False
        # Daemons: an engine or a server that hangs must not keep the process.
        self._threads = [
            threading.Thread(target=self._repeat, args=(one,), name=one.name, daemon=True) for one in rounds
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True
        for one in self._rounds:
            one.wake.set()
        limit = time.monotonic() + self._join_seconds
        for thread in self._threads:
            thread.join(max(0.0, limit - time.monotonic()))

    def _repeat(self, one: Round) -> None:
        while not self._ended:
            try:
                one.once()
            except QueueUnavailable as failure:
                logger.warning("a round failed", round=one.name, error=failure.found)
            except WheelyardError as failure:
                logger.warning("a round failed", round=one.name, error=str(failure))
            except Exception:
                # A defect of ours must not end what everybody else's jobs rely on.
                logger.exception("a round failed in an unforeseen way", round=one.name)
            one.wake.wait(one.pause)
            one.wake.clear()
