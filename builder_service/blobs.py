"""Addresses of blobs: an application's tar goes in, and what the store holds comes out, by digest."""

from __future__ import annotations

import tempfile
from pathlib import Path as FilePath
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends, Path, Request, Response

from builder_service.arriving_part import receive_part
from builder_service.blob_response import blob_response
from builder_service.body_limit import TooLarge
from builder_service.documents import BlobDocument
from builder_service.problems import responses
from builder_service.readable_files import check_file
from builder_service.services import Opened
from builder_service.tokens import CurrentIdentity, allowed
from wheelyard.access_token import Scope
from wheelyard.digests import Digest
from wheelyard.errors import InputError
from wheelyard.store.layout import refuse_other_digest

router = APIRouter(prefix="/v1/blobs", tags=["blobs"])
_BYTES = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
BlobName = Annotated[
    str,
    Path(
        pattern=r"^sha256:[0-9a-f]{64}$",
        description="`sha256:` and 64 hexadecimal digits.",
        examples=["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    ),
]


@router.put(
    "/{digest}",
    status_code=201,
    operation_id="put_blob",
    summary="Upload bytes, for instance an application's tar",
    dependencies=[Depends(allowed(Scope.BUILD))],
    openapi_extra={"requestBody": {"required": True, **_BYTES}},
    responses=responses(401, 403, 413, 422),
)
async def put_blob(digest: BlobName, request: Request, services: Opened) -> BlobDocument:
    """They are kept only where they hash to the digest. The same bytes again are a no-op."""
    wanted = Digest.parse(digest)
    with tempfile.TemporaryDirectory(prefix="wheelyard-upload-") as folder:
        path = FilePath(folder) / "blob"
        arrived = await receive_part(request, path, services.settings.max_upload_bytes, _too_large)
        if not arrived.whole:
            raise InputError(
                "the upload broke off", expected=digest, found=f"{arrived.size} bytes", do="send it again"
            )
        refuse_other_digest(wanted, arrived.digest)
        await to_thread.run_sync(services.store.put_blob, path, wanted)
    return BlobDocument(digest=digest, size=arrived.size)


@router.get(
    "/{digest}",
    operation_id="get_blob",
    summary="Bytes of the store, or one range of them",
    response_class=Response,
    responses={
        200: _BYTES,
        206: _BYTES,
        304: {"description": "Not modified"},
        **responses(403, 404, 416, 422),
    },
)
@router.head(
    "/{digest}",
    operation_id="head_blob",
    summary="Whether the store holds those bytes, and how many they are",
    response_class=Response,
    responses=responses(403, 404, 422),
)
def get_blob(digest: BlobName, request: Request, services: Opened, identity: CurrentIdentity) -> Response:
    """Layers, configs and manifests of images, locks, and whatever else a result names by its digest."""
    check_file(services, identity, Digest.parse(digest))
    return blob_response(request, services.store, Digest.parse(digest))


def _too_large(limit: int, found: str) -> TooLarge:
    return TooLarge(
        "the upload is larger than this service takes",
        expected=f"at most {limit} bytes",
        found=f"{found} bytes",
        do="leave out what the application does not need, or raise WHEELYARD_MAX_UPLOAD_BYTES",
    )
