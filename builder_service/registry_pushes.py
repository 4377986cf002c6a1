"""What clients push to the registry and delete there: blobs whole, in parts or by a mount, and manifests."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path as FilePath
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from builder_service.arriving_part import ArrivedPart, receive_part
from builder_service.registry_access import (
    PUBLISHER,
    Writable,
    check_readable,
    read_digest,
    read_name,
    read_tag,
)
from builder_service.registry_errors import (
    BlobUnknown,
    DigestInvalid,
    ManifestUnknown,
    NameInvalid,
    RegistryRoute,
    Unsupported,
    UploadInvalid,
    UploadUnknown,
)
from builder_service.registry_reads import may_give_blob
from builder_service.services import Opened, Services
from builder_service.tokens import CurrentIdentity
from wheelyard.digests import CHUNK, Digest
from wheelyard.errors import Forbidden, NotFound
from wheelyard.identity import EVERYBODY, Identity
from wheelyard.image_manifest import MAX_MANIFEST_BYTES, Manifest, ManifestInvalid, read_manifest
from wheelyard.image_name import ImageName
from wheelyard.image_uploads import ImageUpload, UploadPart, out_of_order

APART = r"/v2/.*"
"""The addresses that look after the size of their bodies themselves, as a regular expression."""
_RANGE = re.compile(r"(?:bytes[ =])?([0-9]{1,18})-([0-9]{1,18})(?:/[0-9*]+)?")
_UPLOAD = re.compile(r"[0-9a-f]{32}")
_MOST_TAGS = 50
router = APIRouter(include_in_schema=False, route_class=RegistryRoute, dependencies=PUBLISHER)
DigestQuery = Annotated[str, Query(max_length=200)]


# -- blobs -------------------------------------------------------------------------------------------------


@router.post("/v2/{repository:path}/blobs/uploads/")
@router.post("/v2/{repository:path}/blobs/uploads")
async def begin_upload(
    repository: Writable,
    request: Request,
    services: Opened,
    identity: CurrentIdentity,
    digest: DigestQuery = "",
    mount: DigestQuery = "",
    source: Annotated[str, Query(alias="from", max_length=1000)] = "",
) -> Response:
    """Begin a push; or do it at once, with the whole body or by a mount from another repository."""
    if mount and source:
        mounted = await to_thread.run_sync(_mount, services, identity, repository, mount, source)
        if mounted is not None:
            return _blob_created(repository, mounted)
    wanted = read_digest(digest) if digest else None
    upload = await to_thread.run_sync(services.image_uploads.begin, repository, identity.name)
    if wanted is not None:
        return await _finish(request, services, upload, wanted)
    return _going_on(upload, 202)


@router.patch("/v2/{repository:path}/blobs/uploads/{upload_id}")
async def add_part(repository: Writable, upload_id: str, request: Request, services: Opened) -> Response:
    """The next part of a push. What came of one that was cut off is kept, and the client goes on there."""
    upload = await to_thread.run_sync(_upload, services, repository, upload_id)
    _check_range(request, upload)
    with tempfile.TemporaryDirectory(prefix="wheelyard-push-") as folder:
        path = FilePath(folder) / "part"
        part = await receive_part(request, path, services.settings.max_upload_bytes - upload.size)
        if part.whole:
            _check_length(request, part)
        upload = await to_thread.run_sync(_keep_part, services, upload, path, part)
    return _going_on(upload, 202)


@router.put("/v2/{repository:path}/blobs/uploads/{upload_id}")
async def end_upload(
    repository: Writable, upload_id: str, request: Request, services: Opened, digest: DigestQuery = ""
) -> Response:
    """The end of a push, with its last part or without; the repository has the blob from then on."""
    wanted = read_digest(digest)
    upload = await to_thread.run_sync(_upload, services, repository, upload_id)
    _check_range(request, upload)
    return await _finish(request, services, upload, wanted)


@router.get("/v2/{repository:path}/blobs/uploads/{upload_id}")
def tell_upload(repository: Writable, upload_id: str, services: Opened) -> Response:
    """How much of a push is here."""
    return _going_on(_upload(services, repository, upload_id), 204)


@router.delete("/v2/{repository:path}/blobs/uploads/{upload_id}")
def cancel_upload(repository: Writable, upload_id: str, services: Opened) -> Response:
    """Give a push up."""
    services.image_uploads.end(_upload(services, repository, upload_id))
    return Response(status_code=204)


@router.delete("/v2/{repository:path}/blobs/{digest}")
def delete_blob(repository: Writable, digest: str, services: Opened) -> Response:
    """Take away a blob that was pushed, and that no manifest of the repository names."""
    wanted = read_digest(digest)
    if services.repositories.remove_blob(repository, wanted):
        return Response(status_code=202)
    if services.repositories.has_blob(repository, wanted):
        raise Unsupported(
            f"the blob {wanted} is a part of an image of {repository}",
            do="delete the manifests that name it first",
            digest=digest,
        )
    raise BlobUnknown(f"the repository {repository} has no blob {wanted}", digest=digest)


def _mount(
    services: Services, identity: Identity, repository: str, digest: str, source: str
) -> Digest | None:
    """Give a repository what another one has, where the sender may read that; None where he must push it."""
    wanted = read_digest(digest)
    reader = EVERYBODY if services.settings.public_reads else identity
    try:
        other = check_readable(read_name(source), reader)
    except (Forbidden, NameInvalid):
        # Clients name by themselves whatever they know of: what can't be mounted is pushed (202).
        return None
    if not may_give_blob(services, other, wanted) or services.store.renew_blob(wanted) is None:
        return None
    services.repositories.add_blob(repository, wanted)
    return wanted


def _upload(services: Services, repository: str, upload_id: str) -> ImageUpload:
    if not _UPLOAD.fullmatch(upload_id):
        raise UploadUnknown("there is no such upload", do="begin the push anew", upload=upload_id[:64])
    try:
        return services.image_uploads.get(repository, upload_id)
    except NotFound as error:
        raise UploadUnknown(error.failed, do=error.do, upload=upload_id) from error


def _check_range(request: Request, upload: ImageUpload) -> None:
    """Refuse a part that does not begin where the last one ended; one without a range begins there."""
    given = request.headers.get("content-range")
    if given is None:
        return
    match = _RANGE.fullmatch(given)
    if match is None or int(match[2]) < int(match[1]):
        raise UploadInvalid(
            "the Content-Range of the part can't be read", expected="FIRST-LAST, in bytes", found=given[:100]
        )
    if int(match[1]) != upload.size:
        raise out_of_order(upload.size, int(match[1]))


def _check_length(request: Request, part: ArrivedPart) -> None:
    match = _RANGE.fullmatch(request.headers.get("content-range", ""))
    if match is not None and int(match[2]) - int(match[1]) + 1 != part.size:
        raise UploadInvalid(
            "the part is not as long as its Content-Range says",
            expected=f"{int(match[2]) - int(match[1]) + 1} bytes",
            found=f"{part.size} bytes",
        )


def _keep_part(services: Services, upload: ImageUpload, path: FilePath, part: ArrivedPart) -> ImageUpload:
    if not part.size:
        return upload
    services.store.put_blob(path, part.digest)
    return services.image_uploads.add(
        upload, UploadPart(begins=upload.size, size=part.size, digest=part.digest)
    )


async def _finish(request: Request, services: Services, upload: ImageUpload, wanted: Digest) -> Response:
    with tempfile.TemporaryDirectory(prefix="wheelyard-push-") as folder:
        path = FilePath(folder) / "last"
        last = await receive_part(request, path, services.settings.max_upload_bytes - upload.size)
        if not last.whole:
            # Kept, so that the client can ask how much is here, and go on.
            await to_thread.run_sync(_keep_part, services, upload, path, last)
            raise UploadInvalid("the upload broke off", found=f"{last.size} bytes of its last part")
        _check_length(request, last)
        await to_thread.run_sync(_put_whole, services, upload, path, last, wanted)
    return _blob_created(upload.repository, wanted)


def _put_whole(
    services: Services, upload: ImageUpload, last_path: FilePath, last: ArrivedPart, wanted: Digest
) -> None:
    """Make one blob of all parts, verified before anything is visible, and end the push."""
    parts = services.image_uploads.parts(upload)
    here = sum(part.size for part in parts)
    if here != upload.size:
        raise out_of_order(here, upload.size)
    try:
        if not parts:
            _check_digest(last.digest, wanted)
            services.store.put_blob(last_path, wanted)
        elif len(parts) == 1 and not last.size:
            # The whole came as one part, as most clients send it: it is in its place already.
            _check_digest(parts[0].digest, wanted)
            if services.store.renew_blob(wanted) is None:
                raise UploadUnknown("the parts of the upload are gone", do="begin the push anew")
        else:
            whole = last_path.with_name("whole")
            _join(services, parts, last_path, whole)
            _check_digest(Digest.of_file(whole), wanted)
            services.store.put_blob(whole, wanted)
    except DigestInvalid:
        services.image_uploads.end(upload)
        raise
    services.repositories.add_blob(upload.repository, wanted)
    services.image_uploads.end(upload)


def _check_digest(found: Digest, wanted: Digest) -> None:
    if found != wanted:
        raise DigestInvalid(
            "the bytes that came are not what their digest says",
            expected=str(wanted),
            found=str(found),
            do="push them again; nothing was kept",
        )


def _join(services: Services, parts: list[UploadPart], last: FilePath, whole: FilePath) -> None:
    with whole.open("wb") as target:
        for part in parts:
            stream = services.store.open_blob(part.digest)
            if stream is None:
                raise UploadUnknown("the parts of the upload are gone", do="begin the push anew")
            with stream:
                while chunk := stream.read(CHUNK):
                    target.write(chunk)
        with last.open("rb") as rest:
            while chunk := rest.read(CHUNK):
                target.write(chunk)


def _going_on(upload: ImageUpload, status: int) -> Response:
    """The answer that says where a push goes on, and how much is here."""
    place = f"/v2/{upload.repository}/blobs/uploads/{upload.id}"
    return Response(
        status_code=status,
        headers={
            "Location": place,
            # `0-0` of an empty one, as registries say it and clients read it.
            "Range": f"0-{max(upload.size - 1, 0)}",
            "Docker-Upload-UUID": upload.id,
        },
    )


def _blob_created(repository: str, digest: Digest) -> Response:
    place = f"/v2/{repository}/blobs/{digest}"
    return Response(status_code=201, headers={"Location": place, "Docker-Content-Digest": str(digest)})


# -- manifests ---------------------------------------------------------------------------------------------


@router.put("/v2/{repository:path}/manifests/{reference}")
async def put_manifest(
    repository: Writable,
    reference: str,
    request: Request,
    services: Opened,
    identity: CurrentIdentity,
    tag: Annotated[list[str] | None, Query(max_length=_MOST_TAGS)] = None,
) -> Response:
    """A manifest, by a tag that stands for it from then on, or by its digest."""
    digest = read_digest(reference) if ":" in reference else None
    tags = [read_tag(one) for one in ([*(tag or ())] if digest is not None else [reference])]
    body = await _small_body(request)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    manifest = read_manifest(body, media_type)
    if digest is not None:
        _check_digest(manifest.digest, digest)
    await to_thread.run_sync(_put_manifest, services, repository, body, manifest, tags, identity.name)
    headers = {
        "Location": f"/v2/{repository}/manifests/{reference}",
        "Docker-Content-Digest": str(manifest.digest),
    }
    if manifest.subject is not None:
        headers["OCI-Subject"] = str(manifest.subject)
    if tag:
        headers["OCI-Tag"] = ", ".join(tags)
    return Response(status_code=201, headers=headers)


@router.delete("/v2/{repository:path}/manifests/{reference}")
def delete_manifest(
    repository: Writable, reference: str, services: Opened, identity: CurrentIdentity
) -> Response:
    """Take a tag away, or a manifest with every tag that stands for it."""
    try:
        if ":" in reference:
            digest = read_digest(reference)
            services.repositories.remove_manifest(repository, digest, identity.name)
        else:
            services.image_tags.remove(repository, read_tag(reference), identity.name)
    except ManifestUnknown:
        raise
    except NotFound as error:
        raise ManifestUnknown(error.failed, repository=repository) from error
    return Response(status_code=202)


async def _small_body(request: Request) -> bytes:
    with tempfile.TemporaryDirectory(prefix="wheelyard-push-") as folder:
        path = FilePath(folder) / "manifest"
        part = await receive_part(request, path, MAX_MANIFEST_BYTES)
        if not part.whole:
            raise ManifestInvalid("the manifest broke off", found=f"{part.size} bytes")
        return await to_thread.run_sync(path.read_bytes)


def _put_manifest(
    services: Services, repository: str, body: bytes, manifest: Manifest, tags: list[str], actor: str
) -> None:
    services.store.put_blob(body, manifest.digest)
    services.repositories.add_manifest(repository, manifest, actor)
    for tag in tags:
        services.image_tags.move(ImageName(repository=repository, tag=tag), manifest, actor)
