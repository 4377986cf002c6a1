"""Errors of the registry in the distribution specification's own form, with its codes."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect

from builder_service.blob_response import RangeNotSatisfiable
from builder_service.body_limit import TooLarge
from builder_service.hidden_tokens import HIDDEN
from builder_service.registry_challenge import challenge
from wheelyard.errors import (
    Conflict,
    Forbidden,
    ForeignOutputRefused,
    InputError,
    NotFound,
    Unauthorized,
    WheelyardError,
)
from wheelyard.image_manifest import ManifestInvalid
from wheelyard.image_repositories import UnknownPart
from wheelyard.image_uploads import OutOfOrder


class NameInvalid(InputError):
    """A repository's name is none."""

    kind = "name-invalid"
    title = "Not a repository's name"
    status = 400


class NameUnknown(NotFound):
    """There is no such repository."""

    kind = "name-unknown"
    title = "No such repository"


class DigestInvalid(InputError):
    """A digest is none, or the bytes have another one."""

    kind = "digest-invalid"
    title = "Not the digest"
    status = 400


class TagInvalid(InputError):
    """A tag is none."""

    kind = "tag-invalid"
    title = "Not a tag"
    status = 400


class ManifestUnknown(NotFound):
    """The repository has no such manifest."""

    kind = "manifest-unknown"
    title = "No such manifest"


class BlobUnknown(NotFound):
    """The repository has no such blob."""

    kind = "blob-unknown"
    title = "No such blob"


class UploadUnknown(NotFound):
    """No such push is under way."""

    kind = "upload-unknown"
    title = "No such upload"


class UploadInvalid(InputError):
    """A part of a push can't be taken as it came."""

    kind = "upload-invalid"
    title = "Not a part of an upload"
    status = 400


class Unsupported(InputError):
    """The registry does not do that."""

    kind = "unsupported"
    title = "Not supported"
    status = 405


class StillBuilding(WheelyardError):
    """An image that was asked for by its name is on its way.

    podman and docker show their user the message of an answer only where its status is below 500.
    """

    kind = "still-building"
    title = "It is being built"
    status = 409


_CODES: tuple[tuple[type[WheelyardError], str], ...] = (
    # The first that fits counts, so the narrower ones come first.
    (NameInvalid, "NAME_INVALID"),
    (NameUnknown, "NAME_UNKNOWN"),
    (DigestInvalid, "DIGEST_INVALID"),
    (ForeignOutputRefused, "DIGEST_INVALID"),
    (TagInvalid, "MANIFEST_INVALID"),
    (ManifestInvalid, "MANIFEST_INVALID"),
    (UnknownPart, "MANIFEST_BLOB_UNKNOWN"),
    (ManifestUnknown, "MANIFEST_UNKNOWN"),
    (BlobUnknown, "BLOB_UNKNOWN"),
    (UploadUnknown, "BLOB_UPLOAD_UNKNOWN"),
    (UploadInvalid, "BLOB_UPLOAD_INVALID"),
    (OutOfOrder, "BLOB_UPLOAD_INVALID"),
    (StillBuilding, "UNAVAILABLE"),
    (TooLarge, "SIZE_INVALID"),
    (RangeNotSatisfiable, "SIZE_INVALID"),
    (Unauthorized, "UNAUTHORIZED"),
    (Forbidden, "DENIED"),
    (Conflict, "DENIED"),
    (Unsupported, "UNSUPPORTED"),
    (NotFound, "NAME_UNKNOWN"),
    (InputError, "UNSUPPORTED"),
)
# The specification wants 400 where the rest of the service says 422.
_STATUS = {422: 400}
_RETRY_SECONDS = 5


class RegistryRoute(APIRoute):
    """An address of the registry: whatever goes wrong is said as its clients expect it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's own one, with the errors told."""
        answer = super().get_route_handler()

        async def answer_clients(request: Request) -> Response:
            try:
                response = await answer(request)
            except WheelyardError as error:
                response = registry_error(error, request)
            except RequestValidationError as error:
                fault = InputError("the request can't be read", found=str(error.errors()[:1])[:300])
                response = registry_error(fault, request)
            except ClientDisconnect:
                raise
            response.headers["Docker-Distribution-API-Version"] = "registry/2.0"
            return response

        return answer_clients


def registry_error(error: WheelyardError, request: Request) -> Response:
    """The answer that tells an error.

    `message` says all of it: most clients show nothing else. `detail` has it in parts, for programs.
    """
    status = _STATUS.get(error.status, error.status)
    message = "; ".join(line.strip() for line in str(error).splitlines())
    fault = {"code": code_of(error), "message": message, "detail": error.to_document()}
    headers = {"Cache-Control": "no-store"}
    if status == 503 or isinstance(error, StillBuilding):
        headers["Retry-After"] = str(_RETRY_SECONDS)
    if isinstance(error, RangeNotSatisfiable):
        headers["Content-Range"] = f"bytes */{error.facts.get('size', '*')}"
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = challenge(request)
    return JSONResponse(HIDDEN.get().hide_document({"errors": [fault]}), status, headers)


def code_of(error: WheelyardError) -> str:
    """The specification's code of an error; `UNAVAILABLE` and the like are no part of it, but allowed."""
    named = next((code for kind, code in _CODES if isinstance(error, kind)), "")
    return named or ("UNAVAILABLE" if error.status >= 500 else "UNSUPPORTED")
