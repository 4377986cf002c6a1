"""Addresses of files and of their metadata (PEP 658), which never change and may be kept."""

from __future__ import annotations

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import RedirectResponse
from starlette.background import BackgroundTask

from builder_service.arriving_file import arriving_response
from builder_service.blob_response import blob_response
from builder_service.file_uses import FileUses
from builder_service.metrics import metrics_of
from builder_service.page_cache import EVERY_CHANNEL, METADATA, Page
from builder_service.page_response import metadata_response, pages_of
from builder_service.problems import responses
from builder_service.readable_files import check_file
from builder_service.services import Opened, Services
from builder_service.store_links import StoreLinks
from builder_service.tokens import CurrentIdentity
from wheelyard.digests import Digest
from wheelyard.errors import NotFound
from wheelyard.index_file import IndexFile
from wheelyard.jobs.upstream_rows import KeptFile
from wheelyard.upstream.arrivals import Arrival

router = APIRouter(prefix="/files", tags=["index"])
_PATIENCE_SECONDS = 2.0
_PLAIN = "text/plain"
_MEDIA_TYPES = {".whl": "application/zip", ".zip": "application/zip", ".tar.gz": "application/gzip"}
_BYTES = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
Hex = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the file.")]
FileName = Annotated[
    str, Path(max_length=400, description="A file's name, or a wheel's with `.metadata` behind it.")
]


@router.get(
    "/{digest}/{filename}",
    operation_id="get_file",
    summary="A wheel or an sdist, or a wheel's metadata",
    response_class=Response,
    responses={
        200: _BYTES,
        206: _BYTES,
        302: {"description": "To the store itself, for a while"},
        304: {"description": "Not modified"},
        **responses(403, 404, 416, 422),
    },
)
@router.head("/{digest}/{filename}", include_in_schema=False)
async def get_file(
    digest: Hex, filename: FileName, request: Request, services: Opened, identity: CurrentIdentity
) -> Response:
    """The bytes that an index page names; with ranges, so that metadata can be read without the whole.

    A file of the upstream index is fetched and verified when it is asked for the first time.
    """
    name = filename.removesuffix(METADATA)
    if identity.channels:
        await to_thread.run_sync(check_file, services, identity, Digest(digest))
    if name == filename:
        return await to_thread.run_sync(_file_response, services, request, digest, name)
    page = await pages_of(request).get(
        EVERY_CHANNEL, f"{digest}/{name}", METADATA, lambda: _metadata(services, digest, name)
    )
    metrics_of(request).files.labels("miss" if page is None else "hit").inc()
    if page is None:
        raise _no_file(digest, filename)
    return metadata_response(request, page)


def _file_response(services: Services, request: Request, digest: str, name: str) -> Response:
    own = _find(services, digest, name)
    file: IndexFile | KeptFile | None = own
    if file is None and _plain(name):
        coming = _upstream_file(services, request, Digest(digest), name)
        if isinstance(coming, Response):
            return coming
        file = coming
    outcome = "miss" if file is None else "upstream" if own is None else "hit"
    metrics_of(request).files.labels(outcome).inc()
    if file is None:
        raise _no_file(digest, name)
    response = _redirect(services, request, file) or _stream(services, request, file)
    uses: FileUses = request.app.state.uses
    if own is not None and request.method == "GET" and uses.is_news(own):
        response.background = BackgroundTask(uses.note, own)
    return response


def _upstream_file(
    services: Services, request: Request, digest: Digest, name: str
) -> KeptFile | Response | None:
    """A file of upstream's; the answer itself where the file is on its way and takes a while."""
    kept = services.upstream.kept
    if "range" in request.headers:
        return kept.file(digest, name)
    coming = kept.coming(digest, name, _PATIENCE_SECONDS)
    if not isinstance(coming, Arrival):
        return coming
    stream = coming.open()
    if stream is None:
        return coming.result()
    metrics_of(request).files.labels("upstream").inc()
    return arriving_response(request, coming, stream, digest, _disposition(name), media_type_of(name))


def _disposition(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def _find(services: Services, digest: str, name: str) -> IndexFile | None:
    """The file of that address.

    :raises Quarantined: it must not be offered (PEP 792).
    """
    file = services.catalogue.file(Digest(digest), name) if _plain(name) else None
    if file is not None:
        services.projects.check_offered(file.project)
    return file


def _metadata(services: Services, digest: str, name: str) -> Page | None:
    file = _find(services, digest, name)
    if file is not None:
        beside = file.metadata_digest
    else:
        kept = services.upstream.kept.metadata(Digest(digest), name) if _plain(name) else None
        beside = None if kept is None else kept.digest
    stream = None if beside is None else services.store.open_blob(beside)
    if stream is None:
        return None
    with stream:
        return Page.of(stream.read(), _PLAIN, etag=str(beside))


def _no_file(digest: str, name: str) -> NotFound:
    what = "a file" if name == name.removesuffix(METADATA) else "metadata (PEP 658)"
    return NotFound(f"no channel has {what} {name[:200]!r} of that digest", digest=f"sha256:{digest}")


def _redirect(services: Services, request: Request, file: IndexFile | KeptFile) -> Response | None:
    if services.settings.serve_files != "redirect":
        return None
    links: StoreLinks = request.app.state.links
    link = links.link(file.digest, file.filename)
    if link is None:
        return None
    # A copy of this answer must not outlive the link, and the link is for who was let in.
    headers = {"Cache-Control": f"private, max-age={links.kept_seconds}"}
    return RedirectResponse(link, 302, headers=headers)


def _stream(services: Services, request: Request, file: IndexFile | KeptFile) -> Response:
    return blob_response(
        request,
        services.store,
        file.digest,
        size=file.size,
        media_type=media_type_of(file.filename),
        headers=_disposition(file.filename),
    )


def media_type_of(filename: str) -> str:
    """The media type of a wheel or an sdist; a compressed tar is a file and no encoding of one."""
    ends = (media_type for end, media_type in _MEDIA_TYPES.items() if filename.endswith(end))
    return next(ends, "application/x-tar" if filename.endswith(".tar") else "application/octet-stream")


def _plain(name: str) -> bool:
    """Whether a name can be a file's; anything else does not reach the database."""
    return name.isascii() and name.isprintable() and "/" not in name
