"""Addresses of the wheels' bytes and of their metadata (PEP 658), which never change and may be kept."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import RedirectResponse

from builder_service.blob_response import blob_response
from builder_service.metrics import metrics_of
from builder_service.problems import responses
from builder_service.services import Opened
from wheelyard.digests import Digest
from wheelyard.errors import NotFound
from wheelyard.index_file import IndexFile

router = APIRouter(prefix="/files", tags=["index"])
_LINK_SECONDS = 3600
_METADATA = ".metadata"
_BYTES = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
Hex = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the wheel.")]
FileName = Annotated[
    str, Path(max_length=400, description="A wheel's name (PEP 427), or that with `.metadata` behind it.")
]


@router.get(
    "/{digest}/{filename}",
    operation_id="get_file",
    summary="A wheel, or its metadata",
    response_class=Response,
    responses={
        200: _BYTES,
        206: _BYTES,
        302: {"description": "To the store itself, for a while"},
        304: {"description": "Not modified"},
        **responses(404, 416, 422),
    },
)
@router.head("/{digest}/{filename}", include_in_schema=False)
def get_file(digest: Hex, filename: FileName, request: Request, services: Opened) -> Response:
    """The bytes that an index page names; with ranges, so that metadata can be read without the whole."""
    name = filename.removesuffix(_METADATA)
    file = services.catalogue.file(Digest(digest), name) if _plain(name) else None
    metrics_of(request).files.labels("miss" if file is None else "hit").inc()
    if file is None:
        raise NotFound(f"no channel has a file {name[:200]!r} of that digest", digest=f"sha256:{digest}")
    if name != filename:
        if file.metadata_digest is None:
            raise NotFound(f"{name} has no metadata beside it", do="only wheels have it (PEP 658)")
        return blob_response(
            request, services.store, file.metadata_digest, media_type="text/plain; charset=utf-8"
        )
    if services.settings.serve_files == "redirect":
        link = services.store.presigned_url(file.digest, file.filename, _LINK_SECONDS)
        if link is not None:
            # A copy of this answer must not outlive the link.
            return RedirectResponse(
                link, 302, headers={"Cache-Control": f"private, max-age={_LINK_SECONDS // 2}"}
            )
    return _stream(request, services, file)


def _stream(request: Request, services: Opened, file: IndexFile) -> Response:
    disposition = {"Content-Disposition": f'attachment; filename="{file.filename}"'}
    return blob_response(
        request,
        services.store,
        file.digest,
        size=file.size,
        media_type="application/zip",
        headers=disposition,
    )


def _plain(name: str) -> bool:
    """Whether a name can be a wheel's; anything else does not reach the database."""
    return name.isascii() and name.isprintable() and "/" not in name
