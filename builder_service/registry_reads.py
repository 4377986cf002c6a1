"""What clients pull from the registry: manifests, blobs, lists of tags and repositories, and referrers."""

from __future__ import annotations

import re
from typing import Annotated, Any
from urllib.parse import urlencode

from anyio import to_thread
from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from builder_service.accepted import accepted_weights
from builder_service.blob_response import RangeNotSatisfiable, blob_response
from builder_service.registry_access import READER, Readable, read_digest, read_tag
from builder_service.registry_errors import BlobUnknown, ManifestUnknown, NameUnknown, RegistryRoute
from builder_service.run_images import RunImages, is_by_name
from builder_service.services import Opened, Services
from builder_service.store_links import StoreLinks
from builder_service.tokens import CurrentIdentity
from wheelyard.digests import Digest
from wheelyard.errors import NotFound
from wheelyard.image_manifest import MAX_MANIFEST_BYTES, Manifest, ManifestInvalid
from wheelyard.image_referrers import EMPTY_DIGEST, referrers_of, subject_of, subjects_of_blob
from wheelyard.image_repositories import stored_manifest
from wheelyard.oci import MEDIA_INDEX

_BACKWARDS = re.compile(r"bytes=([0-9]{1,18})-([0-9]{1,18})")
_MOST_LISTED = 1000
_REFERRERS_PAGE = 500
router = APIRouter(include_in_schema=False, route_class=RegistryRoute, dependencies=READER)
Page = Annotated[int | None, Query(ge=0)]
Last = Annotated[str, Query(max_length=1000, pattern=r"^[^\x00]*$")]


@router.get("/v2/_catalog")
def list_repositories(
    services: Opened, identity: CurrentIdentity, n: Page = None, last: Last = ""
) -> JSONResponse:
    """The repositories that the sender may read."""
    limit = _limit(n)
    found = services.repositories.names(last, limit + 1, within=identity.channels)
    return _page("/v2/_catalog", "repositories", found, limit, {})


@router.get("/v2/{repository:path}/tags/list")
def list_tags(repository: Readable, services: Opened, n: Page = None, last: Last = "") -> JSONResponse:
    """The tags of a repository, in the order of their bytes."""
    limit = _limit(n)
    tags = [one.tag for one in services.image_tags.of_repository(repository, last, limit + 1)]
    if not tags and not services.repositories.is_known(repository):
        raise _no_repository(repository)
    return _page(f"/v2/{repository}/tags/list", "tags", tags, limit, {"name": repository})


@router.get("/v2/{repository:path}/manifests/{reference}")
@router.head("/v2/{repository:path}/manifests/{reference}")
async def get_manifest(repository: Readable, reference: str, request: Request, services: Opened) -> Response:
    """A manifest by its tag or its digest, byte for byte as it was pushed or made.

    A tag of a repository whose name says what its image shall be of has that made first.
    """
    if is_by_name(repository) and ":" not in reference:
        images: RunImages = request.app.state.run_images
        await images.make(request, repository, read_tag(reference))
    return await to_thread.run_sync(_manifest_response, services, request, repository, reference)


@router.get("/v2/{repository:path}/blobs/{digest}")
@router.head("/v2/{repository:path}/blobs/{digest}")
async def get_blob(repository: Readable, digest: str, request: Request, services: Opened) -> Response:
    """A blob of the repository, or one range of it; with `serve_files=redirect` from the store itself."""
    return await to_thread.run_sync(_blob, services, request, repository, read_digest(digest))


@router.get("/v2/{repository:path}/referrers/{digest}")
def list_referrers(
    repository: Readable,
    digest: str,
    services: Opened,
    artifact_type: Annotated[str, Query(alias="artifactType", max_length=1000)] = "",
    last: Last = "",
) -> JSONResponse:
    """What names a manifest as its subject: pushed to the repository, or attached by the service itself."""
    subject = read_digest(digest)
    found = {one.digest: one for one in services.repositories.about(repository, subject)}
    if services.repositories.manifest(repository, subject) is not None:
        found |= {one.digest: one for one in referrers_of(services.store, subject)}
    wanted = [one for one in found.values() if artifact_type in ("", one.artifact_type)]
    wanted = sorted((one for one in wanted if one.digest.hex > last), key=lambda one: one.digest)
    page = wanted[:_REFERRERS_PAGE]
    body = {
        "schemaVersion": 2,
        "mediaType": MEDIA_INDEX,
        "manifests": [one.to_descriptor() for one in page],
    }
    headers = {"OCI-Filters-Applied": "artifactType"} if artifact_type else {}
    if len(wanted) > len(page):
        more = {"artifactType": artifact_type, "last": page[-1].digest.hex}
        headers["Link"] = _link(f"/v2/{repository}/referrers/{subject}", more)
    return JSONResponse(body, headers=headers, media_type=MEDIA_INDEX)


def _manifest_response(services: Services, request: Request, repository: str, reference: str) -> Response:
    manifest = find_manifest(services, repository, reference)
    if not _accepts(request.headers.getlist("accept"), manifest.media_type):
        raise ManifestUnknown(
            f"the manifest of {repository} is of a media type that the request does not accept",
            expected=", ".join(request.headers.getlist("accept"))[:500],
            found=manifest.media_type,
            digest=str(manifest.digest),
        )
    etag = f'"{manifest.digest}"'
    headers = {
        "Docker-Content-Digest": str(manifest.digest),
        "ETag": etag,
        # What a tag stands for may be another manifest at the next moment.
        "Cache-Control": "no-cache",
        "X-Content-Type-Options": "nosniff",
    }
    if services.store.blob_size(manifest.digest) is None:
        # Whoever is told that it is here does not push it again.
        raise _no_manifest(repository, reference)
    if request.headers.get("if-none-match", "") == etag:
        return Response(status_code=304, headers=headers)
    if request.method == "HEAD":
        headers["Content-Length"] = str(manifest.size)
        return Response(headers=headers, media_type=manifest.media_type)
    stream = services.store.open_blob(manifest.digest, 0, MAX_MANIFEST_BYTES)
    if stream is None:
        raise _no_manifest(repository, reference)
    with stream:
        return Response(stream.read(), headers=headers, media_type=manifest.media_type)


def find_manifest(services: Services, repository: str, reference: str) -> Manifest:
    """The manifest that a repository has under a tag or a digest.

    :raises ManifestUnknown: it has none.
    :raises NameUnknown: there is no such repository.
    """
    if ":" in reference:
        found = _by_digest(services, repository, read_digest(reference))
    else:
        tag = services.image_tags.get(repository, read_tag(reference))
        found = (
            None
            if tag is None or tag.digest is None
            else services.repositories.manifest(repository, tag.digest)
        )
    if found is None:
        if not services.repositories.is_known(repository):
            raise _no_repository(repository)
        raise _no_manifest(repository, reference)
    return found


def _by_digest(services: Services, repository: str, digest: Digest) -> Manifest | None:
    found = services.repositories.manifest(repository, digest)
    if found is not None:
        return found
    # What the service attached is in every repository that has its subject.
    for subject in _attached_to(services, digest):
        if services.repositories.manifest(repository, subject) is not None:
            return stored_manifest(services.store, digest)
    return None


def _attached_to(services: Services, digest: Digest) -> list[Digest]:
    size = services.store.blob_size(digest)
    if size is None or size > MAX_MANIFEST_BYTES:
        return []
    stream = services.store.open_blob(digest)
    if stream is None:
        return []
    with stream:
        body = stream.read()
    try:
        subject = subject_of(services.store, digest, body)
    except ManifestInvalid:
        # The digest of a config or a layer, which is no manifest.
        return []
    return [] if subject is None else [subject]


def _blob(services: Services, request: Request, repository: str, digest: Digest) -> Response:
    if not may_give_blob(services, repository, digest):
        if not services.repositories.is_known(repository):
            raise _no_repository(repository)
        raise _no_blob(repository, digest)
    headers = {"Docker-Content-Digest": str(digest)}
    if request.method == "GET" and services.settings.serve_files == "redirect":
        links: StoreLinks = request.app.state.links
        link = links.link(digest, digest.hex)
        if link is not None:
            # A copy of this answer must not outlive the link, and the link is for who was let in.
            kept = {"Cache-Control": f"private, max-age={links.kept_seconds}", **headers}
            return RedirectResponse(link, 307, headers=kept)
    _check_range(request)
    try:
        return blob_response(request, services.store, digest, headers=headers)
    except NotFound as error:
        raise _no_blob(repository, digest) from error


def _check_range(request: Request) -> None:
    """Refuse a range that ends before it begins; HTTP lets it be ignored, the conformance tests do not."""
    match = _BACKWARDS.fullmatch(request.headers.get("range", ""))
    if match is not None and int(match[2]) < int(match[1]):
        raise RangeNotSatisfiable("the range ends before it begins", found=match[0])


def may_give_blob(services: Services, repository: str, digest: Digest) -> bool:
    """Whether a blob may be had through a repository: a manifest there names it, or one attached to it."""
    if services.repositories.has_blob(repository, digest):
        return True
    if digest == EMPTY_DIGEST:
        # The config of all that the service attaches; elsewhere a pushed one is like any other blob.
        return services.repositories.has_made(repository)
    subjects = subjects_of_blob(services.store, digest)
    return any(services.repositories.manifest(repository, subject) is not None for subject in subjects)


def _accepts(headers: list[str], media_type: str) -> bool:
    """Whether a client takes a manifest; one that says nothing takes everything."""
    weights = {name: weight for name, weight in accepted_weights(",".join(headers)).items() if name}
    main = media_type.partition("/")[0]
    return not weights or any(weights.get(name, 0.0) > 0 for name in (media_type, f"{main}/*", "*/*"))


def _limit(n: int | None) -> int:
    return _MOST_LISTED if n is None else min(n, _MOST_LISTED)


def _page(path: str, field: str, found: list[str], limit: int, more: dict[str, Any]) -> JSONResponse:
    """One page of a list, and the address of the next one where there is more."""
    page = found[:limit]
    headers = {}
    if page and len(found) > limit:
        headers["Link"] = _link(path, {"n": str(limit), "last": page[-1]})
    return JSONResponse({**more, field: page}, headers=headers)


def _link(path: str, query: dict[str, str]) -> str:
    given = {name: value for name, value in query.items() if value}
    return f'<{path}?{urlencode(given)}>; rel="next"'


def _no_repository(repository: str) -> NameUnknown:
    return NameUnknown(
        f"there is no repository {repository}",
        do="see /v2/_catalog; images made here get names with `wheelyard image tag`",
        repository=repository,
    )


def _no_manifest(repository: str, reference: str) -> ManifestUnknown:
    return ManifestUnknown(
        f"the repository {repository} has no manifest {reference[:200]}",
        do=f"see /v2/{repository}/tags/list",
        repository=repository,
    )


def _no_blob(repository: str, digest: Digest) -> BlobUnknown:
    return BlobUnknown(
        f"the repository {repository} has no blob {digest}", repository=repository, digest=str(digest)
    )
