"""The address of an image's Dockerfile, and of what lies beside it."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from builder_service.named_images import named_image
from builder_service.problems import responses
from builder_service.services import Opened
from wheelyard.dockerfile import dockerfile_text
from wheelyard.dockerfile_parts import DockerfileParts, dockerfile_document
from wheelyard.errors import NotFound
from wheelyard.image_record import ImageRecord

router = APIRouter(prefix="/v1/images", tags=["images"])


@router.get(
    "/{image:path}/dockerfile",
    operation_id="get_image_dockerfile",
    summary="A Dockerfile that makes what an image holds",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {}, "application/json": {}}, "description": "As `form` says"},
        **responses(403, 404, 422),
    },
)
def dockerfile(
    record: Annotated[ImageRecord, Depends(named_image)],
    services: Opened,
    form: Annotated[
        str,
        Query(
            pattern="^(text|context)$",
            description="`text`, or `context`: JSON, with the path and digest of each file beside it.",
        ),
    ] = "text",
) -> Response:
    """Its only Python step is an offline pip install with hashes; the files beside it are blobs."""
    body = services.store.get_document(dockerfile_document(record.key))
    if body is None:
        raise NotFound(
            "nothing is known of how a Dockerfile would make this image",
            found="it was assembled by an earlier version",
            do="ask for the image again",
        )
    parts = DockerfileParts.from_document(json.loads(body))
    if form == "context":
        return JSONResponse({"context": [file.to_document() for file in parts.context]})
    return PlainTextResponse(dockerfile_text(parts))
