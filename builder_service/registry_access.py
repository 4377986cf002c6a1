"""Who may read and write which repositories, and what clients ask first: `/v2/` and a token for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import JSONResponse, Response

from builder_service.registry_challenge import ANYBODY, TOKEN_PATH
from builder_service.registry_errors import (
    DigestInvalid,
    NameInvalid,
    RegistryRoute,
    TagInvalid,
)
from builder_service.services import Opened
from builder_service.tokens import CurrentIdentity, allowed, identify, secret_of
from wheelyard.access_token import Scope
from wheelyard.digests import Digest
from wheelyard.errors import Forbidden, InputError
from wheelyard.identity import Identity
from wheelyard.image_catalogue import ALL_IMAGES
from wheelyard.image_name import check_digest, check_repository, check_tag
from wheelyard.run_name import RUN

_OWN = (ALL_IMAGES, RUN)
_LIFETIME_SECONDS = 300
router = APIRouter(include_in_schema=False, route_class=RegistryRoute)
Name = Annotated[str, Path(max_length=1000)]
Read = TypeVar("Read")


@router.get("/v2/")
@router.head("/v2/")
@router.get("/v2")
async def ping(request: Request, services: Opened) -> Response:
    """Whether the client may speak to this registry; clients learn here how to say who they are."""
    header = request.headers.get("authorization", "")
    if header != f"Bearer {ANYBODY}" or not services.settings.public_reads:
        identity = await identify(request, services)
        identity.check_scope(Scope.READ)
    return JSONResponse({})


@router.get(TOKEN_PATH)
async def give_token(request: Request, services: Opened) -> Response:
    """A token for who comes with credentials, which is the one that he came with; else one for everybody."""
    secret = ANYBODY
    if request.headers.get("authorization") or not services.settings.public_reads:
        await identify(request, services)
        if services.settings.token.get_secret_value():
            secret = secret_of(request.headers.get("authorization", ""))
    answer = {"token": secret, "access_token": secret, "expires_in": _LIFETIME_SECONDS}
    return JSONResponse(answer, headers={"Cache-Control": "no-store"})


def readable(repository: Name, identity: CurrentIdentity) -> str:
    """The repository of an address, where its sender may read it.

    :raises NameInvalid: it is no repository's name.
    :raises Forbidden: it is in none of the sender's channels.
    """
    return check_readable(read_name(repository), identity)


def writable(repository: Name, identity: CurrentIdentity) -> str:
    """The repository of an address, where its sender may write to it."""
    return check_writable(read_name(repository), identity)


Readable = Annotated[str, Depends(readable)]
Writable = Annotated[str, Depends(writable)]
READER = [Depends(allowed(Scope.READ))]
PUBLISHER = [Depends(allowed(Scope.PUBLISH))]


def check_readable(repository: str, identity: Identity) -> str:
    """The repository, unless a token for some channels only is not for it.

    Such a token is for the repositories whose first part is the name of one of its channels.
    """
    if identity.channels and repository.partition("/")[0] not in identity.channels:
        raise Forbidden(
            f"the token {identity.name!r} is not for the repository {repository}",
            expected=f"a repository below one of: {', '.join(sorted(identity.channels))}",
            do="use such a name, or ask an administrator for a token that is for every channel",
            repository=repository,
        )
    return repository


def check_writable(repository: str, identity: Identity) -> str:
    """The repository, unless it is not the sender's, or the service's own.

    :raises Forbidden: nobody may write to it, or he may not.
    """
    first = repository.partition("/")[0]
    if first in _OWN:
        raise Forbidden(
            f"nobody can push or tag in {repository}",
            expected=f"a name that does not begin with {' or '.join(_OWN)}: those are the service's own",
            do="choose another name, for instance team/app",
            repository=repository,
        )
    return check_readable(repository, identity)


def read_name(name: str) -> str:
    """A repository's name out of an address."""
    return _as(NameInvalid, check_repository, name)


def read_digest(text: str) -> Digest:
    """A digest out of an address."""
    return _as(DigestInvalid, check_digest, text)


def read_tag(text: str) -> str:
    """A tag out of an address."""
    return _as(TagInvalid, check_tag, text)


def _as(kind: type[InputError], read: Callable[[str], Read], text: str) -> Read:
    try:
        return read(text)
    except InputError as error:
        raise kind(error.failed, expected=error.expected, do=error.do) from error
