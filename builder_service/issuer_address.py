"""Which addresses of an OIDC issuer may be asked for its keys."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def is_loopback(url: str) -> bool:
    """Whether an address is on this machine's own loopback."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_safe_address(url: str) -> bool:
    """Whether what it answers can be believed: HTTPS, or this machine itself; no user, query or fragment."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    plain = not (parts.username or parts.password or parts.query or parts.fragment)
    safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(url))
    return bool(parts.hostname) and plain and safe
