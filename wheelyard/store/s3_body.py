"""The body of an S3 answer, as a stream."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from botocore.exceptions import BotoCoreError


class S3Body(io.RawIOBase):
    """The body of an answer as a plain stream whose failures are ours.

    :param errors: a context that translates the client's errors.
    """

    def __init__(self, body: Any, errors: Callable[[], Any]) -> None:
        super().__init__()
        self._body = body
        self._errors = errors

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # typeshed's is wider
        """Read what comes next."""
        with self._errors():
            chunk: bytes = self._body.read(len(buffer))
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        """End the answer, read or not."""
        with suppress(BotoCoreError, OSError):
            self._body.close()
        super().close()
