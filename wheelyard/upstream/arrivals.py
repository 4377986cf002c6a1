"""Files on their way from upstream: each fetched once, in a thread of its own, readable while it comes."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO

from wheelyard.jobs.upstream_rows import KeptFile

_AT_ONCE = 32


class Arrival:
    """One file on its way. Safe to share between threads.

    :ivar size: in bytes, as upstream says; None as long as it is not known.
    """

    def __init__(self) -> None:
        self.size: int | None = None
        self._path: Path | None = None
        self._lock = threading.Lock()
        self._known = threading.Event()
        self._verified = threading.Event()
        self._ended = threading.Event()
        self._kept: KeptFile | None = None
        self._error: BaseException | None = None

    def begin(self, path: Path, size: int | None) -> None:
        """The bytes come into this file from now on; it is there until the arrival ends."""
        with self._lock:
            self._path, self.size = path, size
        self._known.set()

    def verify(self) -> None:
        """All bytes came, and are the right ones."""
        self._verified.set()

    def end(self, kept: KeptFile | None = None, error: BaseException | None = None) -> None:
        """The file is in the store, or there is none, or it did not come."""
        with self._lock:
            self._kept, self._error, self._path = kept, error, None
        self._known.set()
        self._ended.set()

    def open(self) -> IO[bytes] | None:
        """What came so far, and what comes, as a stream; None before it began and after it ended."""
        with self._lock:
            return None if self._path is None else self._path.open("rb")

    def is_verified(self) -> bool:
        """Whether all bytes came and are the right ones.

        :raises WheelyardError: they did not come, or are not.
        """
        if self._error is not None:
            raise self._error
        return self._verified.is_set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for its end; whether it ended within that time."""
        return self._ended.wait(seconds)

    def wait_for_size(self) -> int | None:
        """Its size in bytes, as soon as upstream says it; None where it does not, or it ended before."""
        self._known.wait()
        return self.size

    def result(self) -> KeptFile | None:
        """The file in the store, or None where there is none; waits for it.

        :raises WheelyardError: it did not come.
        """
        self.wait()
        if self._error is not None:
            raise self._error
        return self._kept


class Arrivals:
    """All that is on its way. Whoever goes away does not stop a file that comes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._coming: dict[str, Arrival] = {}
        self._places = threading.BoundedSemaphore(_AT_ONCE)

    def of(self, name: str, fetch: Callable[[Arrival], KeptFile | None]) -> Arrival:
        """The arrival of that name, begun where there is none.

        :param fetch: brings the file; it runs in a thread.
        """
        with self._lock:
            arrival = self._coming.get(name)
            if arrival is not None:
                return arrival
            arrival = self._coming[name] = Arrival()
        context = contextvars.copy_context()
        threading.Thread(
            target=context.run, args=(self._run, name, arrival, fetch), name="upstream-file", daemon=True
        ).start()
        return arrival

    def _run(self, name: str, arrival: Arrival, fetch: Callable[[Arrival], KeptFile | None]) -> None:
        kept: KeptFile | None = None
        error: BaseException | None = None
        try:
            with self._places:
                kept = fetch(arrival)
        except BaseException as found:  # noqa: BLE001 - whoever waits for the file raises it
            error = found
        with self._lock:
            del self._coming[name]
        arrival.end(kept, error)
