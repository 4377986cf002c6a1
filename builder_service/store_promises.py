"""What the store turned out to keep of what the code wants of it, tried once in the background."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from wheelyard.errors import InfrastructureError
from wheelyard.store.contract import Promise


class StorePromises:
    """Tries the store at the first time that somebody asks, and until it answers; nobody waits for that.

    :param check: `Store.check`.
    """

    def __init__(self, check: Callable[[], Sequence[Promise]]) -> None:
        self._check = check
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._found: dict[str, str] | None = None

    def broken(self) -> dict[str, str]:
        """Promises that are not kept, with what was found and what that costs; empty before one knows."""
        with self._lock:
            if self._found is None and (self._thread is None or not self._thread.is_alive()):
                self._thread = threading.Thread(target=self._look, name="store-promises", daemon=True)
                self._thread.start()
            return dict(self._found or {})

    def _look(self) -> None:
        try:
            promises = self._check()
        except InfrastructureError:
            # That it is out, or can't be used at all, the check of the part itself says.
            return
        found = {one.name: f"{one.found}; {one.costs}" for one in promises if not one.kept}
        with self._lock:
            self._found = found
