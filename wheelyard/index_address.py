"""Where a service has the index of a channel: one path for links, locks and what people are told."""

from __future__ import annotations

DEFAULT_CHANNEL = "default"


def index_url(base: str, channel: str) -> str:
    """Address of a channel's index (PEP 503).

    :param base: address of the service, without a slash at its end; empty for the path alone.
    :param channel: its name; empty means the default one.
    """
    return f"{base}/simple/" if channel in ("", DEFAULT_CHANNEL) else f"{base}/channels/{channel}/simple/"
