"""The way of an upload into a channel: verified as a whole, kept in the store, then shown."""

from __future__ import annotations

import time
from dataclasses import dataclass

from packaging.utils import InvalidName, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from builder_service.services import Services
from builder_service.upload_form import ReceivedUpload
from wheelyard.digests import Digest
from wheelyard.distributions.attestations import provenance_of
from wheelyard.distributions.core_metadata import CoreMetadata, check_for_publication, read_core_metadata
from wheelyard.distributions.refusal import Refusal, SizeLimits, shown
from wheelyard.distributions.sdist_file import check_sdist_file
from wheelyard.distributions.wheel_file import check_wheel_file
from wheelyard.errors import Conflict, InputError
from wheelyard.index_file import FileKind, IndexFile, Origin, keep_file
from wheelyard.jobs.database import repeated

_KINDS = {"bdist_wheel": FileKind.WHEEL, "sdist": FileKind.SDIST}


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What became of an upload.

    :param file: as the channel shows it.
    :param added: False where the channel had the same bytes under that name already.
    """

    file: IndexFile
    added: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verified:
    kind: FileKind
    found: CoreMetadata
    metadata: bytes


def publish(services: Services, upload: ReceivedUpload, channel: str, uploader: str) -> Published:
    """Verify an upload, and show it in a channel. The same bytes again are a no-op; safe at the same time.

    Nothing is visible before its bytes, its metadata and the document that binds its name are in the store.

    :param channel: one that exists.
    :param uploader: name of the token that brought it.
    :raises InputError: the form contradicts the file.
    :raises ForeignOutputRefused: the file is not what it claims to be.
    :raises Conflict: the channel has other bytes under that name, or the project takes no files.
    """
    _check_form(upload)
    _check_digests(upload)
    verified = _verify(upload, SizeLimits.of(services.settings.max_upload_bytes))
    _check_claims(upload, verified)
    _check_place(services, upload, channel, verified)
    provenance = _provenance(upload, uploader)
    file = IndexFile(
        channel=channel,
        project=verified.found.project,
        version=str(verified.found.version),
        filename=upload.path.name,
        kind=verified.kind,
        origin=Origin.UPLOADED,
        digest=upload.digest,
        size=upload.size,
        requires_python=verified.found.requires_python,
        metadata_digest=Digest.of(verified.metadata) if verified.kind is FileKind.WHEEL else None,
        uploader=uploader,
        provenance=str(Digest.of(provenance)) if provenance else "",
        published_at=time.time(),
    )
    services.store.put_blob(upload.path, upload.digest)
    if file.metadata_digest is not None:
        services.store.put_blob(verified.metadata, file.metadata_digest)
    if provenance:
        services.store.put_blob(provenance, Digest.of(provenance))
    kept = keep_file(services.store, file)
    services.projects.claim(kept.project, uploader)
    _show(services, kept)
    return Published(file=kept, added=kept == file)


@repeated
def _show(services: Services, file: IndexFile) -> None:
    with services.catalogue.database.transaction() as session:
        services.catalogue.add(session, file)


def _check_form(upload: ReceivedUpload) -> None:
    for name, right in ((":action", "file_upload"), ("protocol_version", "1")):
        found = upload.fields.get(name, "")
        if found != right:
            raise InputError(
                f"the form's {name} is not one that this address takes",
                expected=right, found=shown(found), do="send it as twine and uv publish do",
            )  # fmt: skip


def _check_digests(upload: ReceivedUpload) -> None:
    has = {"sha256_digest": upload.digest.hex, "blake2_256_digest": upload.blake2, "md5_digest": upload.md5}
    for name, right in has.items():
        claimed = upload.fields.get(name, "").strip().lower()
        if claimed and claimed != right:
            raise Refusal(f"the file {upload.path.name}")(
                f"its bytes have another digest than the form's {name} says", claimed, right
            )


def _verify(upload: ReceivedUpload, limits: SizeLimits) -> _Verified:
    """Check the file by its kind, and what an index needs of its metadata."""
    name = upload.path.name
    if name.endswith(".whl"):
        metadata = check_wheel_file(upload.path, limits).metadata
        refuse, kind, place = Refusal(f"the wheel {name}"), FileKind.WHEEL, "METADATA"
    elif name.endswith((".tar.gz", ".zip")):
        metadata = check_sdist_file(upload.path, limits).metadata
        refuse, kind, place = Refusal(f"the sdist {name}"), FileKind.SDIST, "PKG-INFO"
    else:
        raise Refusal(f"the file {name}")(
            "it is neither a wheel nor an sdist", ".whl (PEP 427), .tar.gz (PEP 625) or .zip", name
        )
    found = read_core_metadata(metadata, place, refuse)
    check_for_publication(metadata, found, place, refuse)
    return _Verified(kind=kind, found=found, metadata=metadata)


def _check_claims(upload: ReceivedUpload, verified: _Verified) -> None:
    """The form's own fields, where they are there, must say what the file says."""
    refuse, found = Refusal(f"the file {upload.path.name}"), verified.found
    filetype = upload.fields.get("filetype", "")
    if filetype and _KINDS.get(filetype) is not verified.kind:
        raise refuse("the form says that it is of another kind", verified.kind.value, filetype)
    name, version = upload.fields.get("name", ""), upload.fields.get("version", "")
    try:
        same = (not name or canonicalize_name(name, validate=True) == found.project) and (
            not version or Version(version) == found.version
        )
    except (InvalidName, InvalidVersion):
        same = False
    if not same:
        raise refuse(
            "the form names another project or version",
            f"{found.project} {found.version}",
            f"{name} {version}",
        )


def _check_place(services: Services, upload: ReceivedUpload, channel: str, verified: _Verified) -> None:
    """Whether the channel takes this file: seen now, and bound for good by `keep_file`."""
    project, name = verified.found.project, upload.path.name
    standing = services.projects.get(project)
    if not standing.status.takes_files:
        raise Conflict(
            f"the project {project} is {standing.status} and takes no files (PEP 792)",
            found=standing.reason,
            do="ask whoever gave it that status",
        )
    for other in services.catalogue.files(channel, project):
        if other.filename == name:
            if other.digest != upload.digest:
                raise Conflict(
                    f"the channel {channel} has another {name} already",
                    expected=str(other.digest),
                    found=str(upload.digest),
                    do="a name never changes its bytes: raise the version, or the build number (PEP 427)",
                )
        elif verified.kind is other.kind is FileKind.WHEEL and parse_wheel_filename(
            other.filename
        ) == parse_wheel_filename(name):
            raise Conflict(
                f"the channel {channel} has {name} already, in another spelling",
                found=other.filename,
                do="one wheel has one name (PEP 427): raise the version, or the build number",
            )


def _provenance(upload: ReceivedUpload, uploader: str) -> bytes:
    text = upload.fields.get("attestations", "")
    if not text:
        return b""
    refuse = Refusal(f"the file {upload.path.name}")
    return provenance_of(text, upload.path.name, upload.digest, uploader, refuse)
