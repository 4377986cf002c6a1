"""Tokens in texts that others may read: what they look like, and `(hidden)` in their place."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any

_HIDDEN = "(hidden)"
# Access tokens; ID tokens (RFC 7515, compact); what HTTP Basic makes of `__token__:` and all that follows.
_SHAPES = r"wy_[A-Za-z0-9_-]{16,}|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_.-]*|X190b2tlbl9fO[A-Za-z0-9+/=_-]*"
# A shorter one would be found in the middle of words.
_SHORTEST = 6


class HiddenTokens:
    """Hides whatever looks like a token, and the service's own one, which may look like anything.

    :param own: the service's own token; empty where it has none.
    """

    def __init__(self, own: str = "") -> None:
        known = [re.escape(own)] if len(own) >= _SHORTEST else []
        self._pattern = re.compile("|".join([*known, _SHAPES]))

    def hide(self, text: str) -> str:
        """The text without tokens."""
        return self._pattern.sub(_HIDDEN, text)

    def hide_document(self, document: Any) -> Any:
        """The same for every string of a JSON document, the names of its fields too."""
        if isinstance(document, str):
            return self.hide(document)
        if isinstance(document, dict):
            return {self.hide(str(name)): self.hide_document(value) for name, value in document.items()}
        if isinstance(document, list | tuple):
            return [self.hide_document(value) for value in document]
        return document

    def __call__(
        self, _logger: Any, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """A processor of structlog: the same for a line of the log."""
        for name, value in event.items():
            if isinstance(value, str | dict | list | tuple):
                event[name] = self.hide_document(value)
        return event


HIDDEN: ContextVar[HiddenTokens] = ContextVar("HIDDEN", default=HiddenTokens())  # noqa: B039 - never changed
"""Those of the service that answers the request at hand."""
