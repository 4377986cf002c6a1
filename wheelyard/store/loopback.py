"""Whether an address is one of this machine's own, which no proxy reaches."""

from __future__ import annotations

from urllib.parse import urlsplit


def is_loopback(url: str) -> bool:
    """Whether an address such as `http://127.0.0.1:8333` is on loopback."""
    host = urlsplit(url).hostname or ""
    return host in {"localhost", "::1"} or host.startswith("127.")
