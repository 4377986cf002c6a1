"""The token that writes ask for: a bearer token (RFC 6750), or HTTP Basic with the user `__token__`."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBasic, HTTPBasicCredentials, HTTPBearer

from builder_service.services import Opened
from wheelyard.access_token import Scope
from wheelyard.errors import Unauthorized

_bearer = HTTPBearer(auto_error=False, description="The service's token.")


_basic = HTTPBasic(auto_error=False, description="User `__token__`, and the service's token as the password.")


def allowed(_scope: Scope) -> Callable[..., Awaitable[None]]:
    """The dependency of an endpoint that asks for one right."""
    return require_token


async def require_token(
    services: Opened,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    basic: Annotated[HTTPBasicCredentials | None, Depends(_basic)],
) -> None:
    """Let a request pass that carries the service's token, or any request where the service has none.

    :raises Unauthorized: it carries none, or another one.
    """
    expected = services.settings.token.get_secret_value()
    if not expected:
        return
    given = ""
    if bearer is not None:
        given = bearer.credentials
    elif basic is not None and basic.username == "__token__":
        given = basic.password
    if not hmac.compare_digest(given.encode(), expected.encode()):
        raise Unauthorized(
            "the token is missing" if not given else "the token is not the service's",
            expected="Authorization: Bearer TOKEN, or HTTP Basic with the user __token__",
            do="set WHEELYARD_TOKEN to what the service was started with",
        )
