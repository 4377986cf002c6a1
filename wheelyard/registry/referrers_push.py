"""What is said of an image beside it (SBOM, provenance), pushed before the image's tag is moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wheelyard.digests import Digest, canonical_json
from wheelyard.oci import MEDIA_INDEX
from wheelyard.registry.blob_upload import BlobSource
from wheelyard.registry.connection import Connection, read_document
from wheelyard.registry.image_push import ManifestParts, PushProgress, bring_blobs
from wheelyard.registry.known_places import KnownPlaces


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """A manifest that names an image as its subject.

    :param descriptor: as a list of referrers has it.
    """

    parts: ManifestParts
    descriptor: Mapping[str, Any]


def push_referrers(
    connection: Connection,
    subject: Digest,
    attached: Sequence[Attached],
    source: BlobSource,
    progress: PushProgress,
    known: KnownPlaces,
) -> None:
    """Bring manifests about an image into its repository, by their digests. Idempotent.

    A registry that does not list referrers by itself gets the list under a tag (distribution-spec 1.1,
    section Referrers Tag Schema).
    """
    unlisted: list[Mapping[str, Any]] = []
    for one in attached:
        bring_blobs(connection, one.parts.blobs, source, progress, known)
        answer = connection.put_manifest(str(one.parts.digest), one.parts.manifest, one.parts.media_type)
        if "oci-subject" not in answer:
            unlisted.append(one.descriptor)
    if unlisted:
        _list_by_tag(connection, subject, unlisted)


def _list_by_tag(connection: Connection, subject: Digest, entries: Sequence[Mapping[str, Any]]) -> None:
    tag = f"sha256-{subject.hex}"
    found = connection.manifest(tag, [MEDIA_INDEX])
    document = read_document(found[0]) if found else None
    kept = document.get("manifests") if isinstance(document, dict) else None
    ours = {str(entry["digest"]) for entry in entries}
    others = [entry for entry in kept or () if isinstance(entry, dict) and entry.get("digest") not in ours]
    index = {"schemaVersion": 2, "mediaType": MEDIA_INDEX, "manifests": [*others, *map(dict, entries)]}
    body = canonical_json(index)
    if found is None or found[0] != body:
        connection.put_manifest(tag, body, MEDIA_INDEX)
