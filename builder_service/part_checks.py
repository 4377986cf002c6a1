"""Whether the parts that a scrape asks for answer, each in its own thread and within a short time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from builder_service.services import Services
from wheelyard.digests import Digest
from wheelyard.errors import InfrastructureError

_EMPTY = Digest.of(b"")
_PATIENCE_SECONDS = 2.0


def checks_of(services: Services) -> dict[str, Callable[[], object]]:
    """What asks Redis and the store for as little as they can be asked for."""
    return {"redis": services.events.check, "store": lambda: services.store.blob_size(_EMPTY)}


class PartChecks:
    """Asks every part at once. One that hangs costs its patience, and is not asked again until it answers.

    :param checks: by the part's name; a check that raises `InfrastructureError` says that it is out.
    :param patience: in seconds.
    """

    def __init__(
        self, checks: Mapping[str, Callable[[], object]], patience: float = _PATIENCE_SECONDS
    ) -> None:
        self._checks = dict(checks)
        self._patience = patience
        self._asking: dict[str, threading.Thread] = {}
        self._lock = threading.Lock()

    def answers(self) -> dict[str, bool]:
        """Which of them answered, by name."""
        found: dict[str, bool] = {}
        limit = time.monotonic() + self._patience
        with self._lock:
            fresh = [
                self._start(part, found)
                for part in self._checks
                if part not in self._asking or not self._asking[part].is_alive()
            ]
        for thread in fresh:
            thread.join(max(0.0, limit - time.monotonic()))
        return {part: found.get(part, False) for part in self._checks}

    def _start(self, part: str, found: dict[str, bool]) -> threading.Thread:
        def ask() -> None:
            try:
                self._checks[part]()
            except InfrastructureError:
                found[part] = False
            else:
                found[part] = True

        thread = self._asking[part] = threading.Thread(target=ask, name=f"check-{part}", daemon=True)
        thread.start()
        return thread
