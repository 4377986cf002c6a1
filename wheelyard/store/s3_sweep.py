"""The mark of a blob that is being removed: S3 can't remove an object on condition of its age."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from typing import Self

_PAUSE_SECONDS = 0.2
_DEAD_SECONDS = 600.0
"""Age of a mark whose maker did not come back; one request takes no more than a tenth of it."""


class Sweep:
    """A mark that stands while somebody looks at a blob's age and removes it.

    Who renews a blob waits, after he did so, until no mark stands, and then looks whether the blob is there:
    the remover either looked later and saw a young blob, or it is gone by then and must be written anew.

    :param name: document of the mark.
    :param write: writes a document unless there is one, and says whether it did.
    """

    def __init__(
        self,
        name: str,
        *,
        write: Callable[[str, bytes], bool],
        read: Callable[[str], bytes | None],
        remove: Callable[[str], None],
    ) -> None:
        self._name = name
        self._write = write
        self._read = read
        self._remove = remove
        self.held = False
        """Whether the mark is ours; else another remover is at this blob."""

    def __enter__(self) -> Self:
        body = json.dumps({"at": time.time(), "by": secrets.token_hex(8)}).encode()
        self.held = self._write(self._name, body)
        if not self.held and self._is_dead(self._read(self._name)):
            self._remove(self._name)
            self.held = self._write(self._name, body)
        return self

    def __exit__(self, *exc: object) -> None:
        if self.held:
            self._remove(self._name)

    def wait(self) -> None:
        """Wait until no mark stands, or only one whose maker is dead."""
        while (mark := self._read(self._name)) is not None and not self._is_dead(mark):
            time.sleep(_PAUSE_SECONDS)

    def _is_dead(self, mark: bytes | None) -> bool:
        return mark is not None and time.time() - json.loads(mark)["at"] > _DEAD_SECONDS
