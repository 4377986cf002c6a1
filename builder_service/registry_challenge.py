"""How the registry asks its clients who they are, so that each of them sends what it has."""

from __future__ import annotations

from fastapi import Request

from builder_service.services import Services

TOKEN_PATH = "/v2/token"  # noqa: S105  # an address
ANYBODY = "anonymous"
"""What a client without a token gets where everybody may read; it opens nothing that is not open."""


def challenge(request: Request) -> str:
    """The value of `WWW-Authenticate`: one challenge, since clients do not choose among several alike.

    Where reads are for token holders, HTTP Basic is all that is needed. Where they are open, docker would
    refuse to read without credentials after a Basic challenge, and would not push with its own after none.
    With Bearer it fetches a token first, with its credentials or without; the token that it gets is the one
    that it came with.
    """
    services: Services = request.app.state.services
    if not services.settings.public_reads:
        return 'Basic realm="wheelyard", charset="UTF-8"'
    return f'Bearer realm="{_own_address(request, services)}{TOKEN_PATH}",service="wheelyard"'


def _own_address(request: Request, services: Services) -> str:
    """The address that the client must see: the configured one, else the one that it came by."""
    if services.settings.public_url:
        return services.settings.effective_public_url
    host = request.headers.get("host", "")
    plain = host and all(one.isalnum() or one in ".-:[]" for one in host) and host.isascii()
    return f"{request.url.scheme}://{host}" if plain else services.settings.effective_public_url
