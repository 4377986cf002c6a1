"""Addresses of provenance objects (PEP 740): who vouches for a file, kept as they were when it came."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from builder_service.blob_response import blob_response
from builder_service.problems import responses
from builder_service.services import Opened
from builder_service.tokens import CurrentIdentity
from wheelyard.digests import Digest
from wheelyard.errors import NotFound

router = APIRouter(prefix="/integrity", tags=["index"])
MEDIA_TYPE = "application/vnd.pypi.integrity.v1+json"


@router.get(
    "/{channel}/{filename}/provenance",
    operation_id="get_provenance",
    summary="A file's provenance",
    response_class=Response,
    responses={
        200: {"content": {MEDIA_TYPE: {"schema": {"type": "object"}}}},
        304: {"description": "Not modified"},
        **responses(403, 404, 422),
    },
)
@router.head("/{channel}/{filename}/provenance", include_in_schema=False)
def get_provenance(
    channel: Annotated[str, Path(max_length=63, description="A channel's name.")],
    filename: Annotated[str, Path(max_length=300, description="A file's name.")],
    request: Request,
    services: Opened,
    identity: CurrentIdentity,
) -> Response:
    """The provenance object that the pages name; see the specification of index-hosted attestations."""
    identity.check_channel(services.channels.get(channel).name)
    file = services.catalogue.file_named(channel, filename)
    if file is None or not file.provenance:
        raise NotFound(f"the channel {channel} has no provenance of {filename[:200]!r}")
    services.projects.check_offered(file.project)
    # Unlike the file it may get more attestations later.
    headers = {"Cache-Control": "no-cache"}
    digest = Digest.parse(file.provenance)
    return blob_response(request, services.store, digest, media_type=MEDIA_TYPE, headers=headers)
