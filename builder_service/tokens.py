"""Who asks: by a bearer token (RFC 6750), or HTTP Basic with the user `__token__`; and what that asks for."""

from __future__ import annotations

import base64
import binascii
import functools
import hmac
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated

from anyio import to_thread
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from fastapi.security.http import HTTPBase

from builder_service.services import Opened, Services
from wheelyard.access_token import AccessToken, Scope
from wheelyard.errors import Unauthorized
from wheelyard.identity import EVERYBODY, Identity

BASIC_USER = "__token__"
_OWN_NAME = "service"
_OWNER = Identity(name=_OWN_NAME, scopes=frozenset(Scope))
_ANYBODY = Identity(name="", scopes=frozenset(Scope))
"""Who asks a service that has no token: one machine of one user."""

# They describe the headers in OpenAPI. FastAPI's own reading of Basic would not say what is wrong with one.
_bearer = HTTPBearer(auto_error=False, description="An access token.")
_basic = HTTPBase(
    scheme="basic",
    scheme_name="HTTPBasic",
    auto_error=False,
    description=f"User `{BASIC_USER}`, and an access token as the password.",
)


@functools.cache
def allowed(scope: Scope) -> Callable[..., Awaitable[Identity]]:
    """The dependency of an endpoint that asks for one right: `Depends(allowed(Scope.PUBLISH))`.

    It gives the sender's `Identity`, which `CurrentIdentity` gives as well. `Scope.READ` lets everybody pass
    while `public_reads` is set; no token is looked at then.

    :raises Unauthorized: from the dependency: the token is missing, unknown, revoked or expired.
    :raises Forbidden: from the dependency: it does not have that right.
    """
    return _may_read if scope is Scope.READ else _writer(scope)


async def _may_read(request: Request) -> Identity:
    services: Services = request.app.state.services
    if services.settings.public_reads:
        identity = EVERYBODY
    else:
        identity = await identify(request, services)
        identity.check_scope(Scope.READ)
    request.state.identity = identity
    return identity


def _writer(scope: Scope) -> Callable[..., Awaitable[Identity]]:
    async def may_write(
        request: Request,
        services: Opened,
        _by_bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
        _by_basic: Annotated[HTTPAuthorizationCredentials | None, Depends(_basic)],
    ) -> Identity:
        identity = await identify(request, services)
        identity.check_scope(scope)
        request.state.identity = identity
        return identity

    may_write.scope = scope  # type: ignore[attr-defined]  # the audit of every endpoint reads it
    return may_write


async def current_identity(request: Request) -> Identity:
    """Who sends the request, of an endpoint that asks for a right by `allowed`."""
    identity: Identity = request.state.identity
    return identity


CurrentIdentity = Annotated[Identity, Depends(current_identity)]
"""The parameter of an endpoint that wants to know who asks; `allowed` must be among its dependencies."""


async def identify(request: Request, services: Services) -> Identity:
    """Who sends a request, by its token, of an endpoint that asks for no right by `allowed`.

    :raises Unauthorized: the token is missing, unknown, revoked or expired.
    """
    own = services.settings.token.get_secret_value()
    if not own:
        return _ANYBODY
    secret = secret_of(request.headers.get("authorization", ""))
    if hmac.compare_digest(secret.encode(), own.encode()):
        return _OWNER
    token = services.tokens.remembered(secret)
    if token is None:
        token = await to_thread.run_sync(services.tokens.find, secret)
    if token is None:
        raise Unauthorized(
            "the token is not known to this service",
            expected="the token as it was shown when it was made",
            do="see that it is whole and that it is meant for this service; `wheelyard token list` shows the "
            "names of those that there are",
            reason="unknown",
        )
    _refuse_ended(token)
    return Identity.of(token)


def _refuse_ended(token: AccessToken) -> None:
    if token.is_good(time.time()):
        return
    word, moment = ("revoked", token.revoked_at) if token.revoked_at else ("expired", token.expires_at)
    when = datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    raise Unauthorized(
        f"the token {token.name!r} is {word}",
        found=f"it {'was revoked' if token.revoked_at else 'expired'} at {when}",
        do="ask an administrator for another one: `wheelyard token create`",
        reason=word,
        token=token.id,
    )


def secret_of(header: str) -> str:
    """The secret that an `Authorization` header carries.

    :raises Unauthorized: it carries none.
    """
    scheme, _, value = header.partition(" ")
    value = value.strip()
    if scheme.lower() == "bearer" and value:
        return value
    if scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            user = password = ""
        if user == BASIC_USER and password:
            return password
        raise _missing(f"HTTP Basic with another user than {BASIC_USER}, or without a password")
    raise _missing("" if not header else "another kind of authorization")


def _missing(found: str) -> Unauthorized:
    return Unauthorized(
        "the token is missing",
        expected=f"Authorization: Bearer TOKEN, or HTTP Basic with the user {BASIC_USER}",
        found=found,
        do="set WHEELYARD_TOKEN, or give pip, uv and twine the user __token__ and the token as the password",
        reason="missing",
    )
