"""The upload address of twine and `uv publish`: the legacy API, for the default channel and the others."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from anyio import to_thread
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import PlainTextResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.requests import ClientDisconnect

from builder_service.problems import error_response, responses
from builder_service.publication import publish
from builder_service.services import Opened
from builder_service.tokens import CurrentIdentity, allowed
from builder_service.upload_form import UploadForm, announced_too_large
from wheelyard.access_token import Scope
from wheelyard.channels import DEFAULT
from wheelyard.errors import InputError, WheelyardError
from wheelyard.simple_index import file_path

APART = r"(/channels/[^/]*)?/legacy/?"
"""The addresses that look after the size of their bodies themselves, as a regular expression."""
_FORM = {
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": [":action", "protocol_version", "content"],
                "properties": {
                    ":action": {"type": "string", "const": "file_upload"},
                    "protocol_version": {"type": "string", "const": "1"},
                    "content": {"type": "string", "format": "binary"},
                    "sha256_digest": {"type": "string"},
                    "attestations": {"type": "string", "description": "A JSON array (PEP 740)."},
                },
            }
        }
    }
}


class _ReadByPeople(APIRoute):
    """Errors as text, unless JSON is asked for: twine and uv show the body as it is."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def answer_people(request: Request) -> Response:
            try:
                return await answer(request)
            except WheelyardError as error:
                as_json = "json" in request.headers.get("accept", "")
                return error_response(error, request.url.path, text=not as_json, whole=True)

        return answer_people


_READ, _PUBLISH = Depends(allowed(Scope.READ)), Depends(allowed(Scope.PUBLISH))
router = APIRouter(tags=["index"], route_class=_ReadByPeople)


class UploadDocument(BaseModel):
    """A file as the channel shows it from now on."""

    channel: str
    project: str
    version: str
    filename: str
    digest: str
    size: int = Field(description="In bytes.")
    url: str = Field(description="Address of the file, below the service's own.")
    added: bool = Field(description="False where the channel had these very bytes already.")


@router.post("/legacy", include_in_schema=False, dependencies=[_PUBLISH])
@router.post(
    "/legacy/",
    operation_id="upload",
    summary="Upload a wheel or an sdist into the default channel",
    dependencies=[_PUBLISH],
    openapi_extra={"requestBody": {"required": True, **_FORM}},
    responses=responses(401, 403, 409, 413, 422, text=True),
)
async def upload_default(request: Request, services: Opened, identity: CurrentIdentity) -> UploadDocument:
    """What twine and `uv publish` send. Verified before anything of it is visible."""
    return await _upload(request, services, identity, DEFAULT)


@router.post("/channels/{channel}/legacy", include_in_schema=False, dependencies=[_PUBLISH])
@router.post(
    "/channels/{channel}/legacy/",
    operation_id="upload_to_channel",
    summary="Upload a wheel or an sdist into a channel",
    dependencies=[_PUBLISH],
    openapi_extra={"requestBody": {"required": True, **_FORM}},
    responses=responses(401, 403, 404, 409, 413, 422, text=True),
)
async def upload_to_channel(
    channel: str, request: Request, services: Opened, identity: CurrentIdentity
) -> UploadDocument:
    """The same for another channel than the default one."""
    return await _upload(request, services, identity, channel)


@router.get("/legacy", include_in_schema=False, dependencies=[_READ])
@router.get("/legacy/", include_in_schema=False, dependencies=[_READ])
@router.get("/channels/{channel}/legacy", include_in_schema=False, dependencies=[_READ])
@router.get("/channels/{channel}/legacy/", include_in_schema=False, dependencies=[_READ])
def explain(services: Opened, channel: str = DEFAULT) -> PlainTextResponse:
    """What this address is for, to whoever opens it in a browser."""
    public = services.settings.effective_public_url
    place = "" if channel == DEFAULT else f"/channels/{channel}"
    return PlainTextResponse(
        "Wheels and sdists are uploaded here, with a token of the scope publish:\n\n"
        f"  twine upload --repository-url {public}{place}/legacy/ --username __token__ dist/*\n"
        f"  uv publish --publish-url {public}{place}/legacy/ dist/*\n\n"
        f"pip installs them from {public}{place}/simple/\n"
    )


async def _upload(
    request: Request, services: Opened, identity: CurrentIdentity, channel: str
) -> UploadDocument:
    limit = services.settings.max_upload_bytes
    if refusal := announced_too_large(request.headers.get("content-length", ""), limit):
        raise refusal
    identity.check_channel(channel)
    await to_thread.run_sync(services.channels.get, channel)
    with tempfile.TemporaryDirectory(prefix="wheelyard-upload-") as folder:
        form = UploadForm(request.headers.get("content-type", ""), Path(folder), limit)
        try:
            received = await form.receive(request.stream())
        except ClientDisconnect as error:
            raise InputError("the upload broke off", do="send it again; nothing of it was kept") from error
        done = await to_thread.run_sync(publish, services, received, channel, identity.name)
    file = done.file
    return UploadDocument(
        channel=file.channel,
        project=file.project,
        version=file.version,
        filename=file.filename,
        digest=str(file.digest),
        size=file.size,
        url=file_path(file),
        added=done.added,
    )
