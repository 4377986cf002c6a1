"""Whether this host may take another job: a worker that fails at once would else fail the whole queue."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from wheelyard.errors import DiskFull, EngineFailed

LEAST_FREE_BYTES = 64 << 20
_FIRST_REST_SECONDS = 5.0
_LONGEST_REST_SECONDS = 120.0

logger = structlog.get_logger("worker.health")


class HostHealth:
    """Knows what a host lacks. Safe to call from any thread.

    :param folder: where jobs are worked on; it may not be there yet.
    :param clock: seconds, never set back.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._rests_until = 0.0
        self._rest_for = ""
        self._said = ""

    def note(self, outcome: object) -> None:
        """Note how a job ended: after a failure of the engine or of a disk the host rests, each time longer.

        What a job that succeeds shows is that the host is well; other failures say nothing of it.
        """
        with self._lock:
            if isinstance(outcome, (EngineFailed, DiskFull)):
                rest = min(_FIRST_REST_SECONDS * 2**self._failures, _LONGEST_REST_SECONDS)
                self._failures += 1
                self._rests_until = self._clock() + rest
                self._rest_for = f"{outcome.failed}: {outcome.found}" if outcome.found else outcome.failed
            elif not isinstance(outcome, BaseException):
                self._failures = 0
                self._rests_until = 0.0

    def complaint(self) -> str:
        """Why nothing is to be taken now; empty where there is no reason. What is new is logged once."""
        found = self._complaint()
        if found != self._said:
            self._said = found
            logger.warning("takes no job", reason=found) if found else logger.info("takes jobs again")
        return found

    def _complaint(self) -> str:
        if self._clock() < self._rests_until:
            return f"rests after a failure of this host: {self._rest_for}"
        free = shutil.disk_usage(self._place()).free
        if free < LEAST_FREE_BYTES:
            return f"{self._folder} has {free >> 20} MiB free, less than {LEAST_FREE_BYTES >> 20}"
        return ""

    def _place(self) -> Path:
        return next(place for place in (self._folder, *self._folder.absolute().parents) if place.is_dir())
