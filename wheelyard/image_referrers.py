"""What is said of an image beside it, such as an SBOM: manifests that name it as their subject."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from wheelyard.digests import Digest, canonical_json
from wheelyard.errors import NotFound
from wheelyard.image_manifest import Manifest, read_manifest
from wheelyard.oci import MEDIA_MANIFEST
from wheelyard.store.contract import Store

REFERRERS = "referrers/"
SUBJECTS = f"{REFERRERS}subjects/"
_PARTS = f"{REFERRERS}parts/"
MEDIA_EMPTY = "application/vnd.oci.empty.v1+json"
EMPTY = b"{}"
EMPTY_DIGEST = Digest.of(EMPTY)
"""The config of a manifest that needs none (image-spec 1.1); everybody knows its two bytes."""


def attach(
    store: Store,
    subject: Digest,
    artifact_type: str,
    media_type: str,
    body: bytes,
    annotations: Mapping[str, str] | None = None,
) -> Digest:
    """Keep a document about an image, in every repository that has the image. The same again is a no-op.

    A pure function of its arguments: the same document about the same image has the same digest everywhere.

    :param subject: digest of the image's manifest, which must be in the store.
    :param artifact_type: what the document is, for instance `application/vnd.cyclonedx+json`.
    :param media_type: of its bytes.
    :param body: the document.
    :param annotations: no times, so that the digest is the same on another day.
    :returns: digest of the manifest that holds the document as its one layer.
    :raises NotFound: the image's manifest is not in the store.
    """
    about = _manifest_in(store, subject)
    digest = Digest.of(body)
    manifest = canonical_json(
        {
            "schemaVersion": 2,
            "mediaType": MEDIA_MANIFEST,
            "artifactType": artifact_type,
            "config": {
                "mediaType": MEDIA_EMPTY,
                "digest": str(EMPTY_DIGEST),
                "size": len(EMPTY),
                "data": "e30=",
            },
            "layers": [{"mediaType": media_type, "digest": str(digest), "size": len(body)}],
            "subject": {"mediaType": about.media_type, "digest": str(subject), "size": about.size},
            **({"annotations": dict(annotations)} if annotations else {}),
        }
    )
    made = read_manifest(manifest, MEDIA_MANIFEST)
    # Bytes first, then the place that a blob is found in, and at last the one that makes it visible.
    for part in (EMPTY, body, manifest):
        store.put_blob(part, Digest.of(part))
    document = canonical_json(
        {
            "subject": str(subject),
            "manifest": made.to_descriptor(),
            "blobs": [str(blob) for blob in made.blobs],
        }
    )
    store.put_document(_part_name(digest, made.digest), document)
    store.put_document(f"{SUBJECTS}{subject.hex}/{made.digest.hex}.json", document)
    return made.digest


def referrers_of(store: Store, subject: Digest) -> list[Manifest]:
    """What was attached to an image by the service itself, sorted by digest.

    :raises StoreUnavailable: the store does not answer.
    """
    found = []
    for name in store.list_documents(f"{SUBJECTS}{subject.hex}/"):
        body = store.get_document(name)
        if body is not None:
            found.append(_manifest_of(json.loads(body)))
    return found


def referrer_document(store: Store, manifest: Digest) -> bytes | None:
    """The one document that an attached manifest holds, or None where it is not in the store."""
    body = _read(store, manifest)
    if body is None:
        return None
    made = read_manifest(body)
    return _read(store, made.blobs[1]) if len(made.blobs) == 2 else None


def subject_of(store: Store, manifest: Digest, body: bytes) -> Digest | None:
    """The image that a manifest is attached to by the service itself; None where it is not.

    :param body: the manifest's bytes.
    """
    subject = read_manifest(body).subject
    if subject is None:
        return None
    kept = store.get_document(f"{SUBJECTS}{subject.hex}/{manifest.hex}.json")
    return None if kept is None else subject


def subjects_of_blob(store: Store, digest: Digest) -> Iterator[Digest]:
    """The images that a blob is a document about, as far as the service itself attached it."""
    for name in store.list_documents(f"{_PARTS}{digest.hex}/"):
        body = store.get_document(name)
        if body is not None:
            yield Digest.parse(json.loads(body)["subject"])


def _part_name(blob: Digest, manifest: Digest) -> str:
    return f"{_PARTS}{blob.hex}/{manifest.hex}.json"


def _manifest_of(document: dict[str, Any]) -> Manifest:
    descriptor = document["manifest"]
    return Manifest(
        media_type=descriptor["mediaType"],
        digest=Digest.parse(descriptor["digest"]),
        size=descriptor["size"],
        blobs=tuple(Digest.parse(blob) for blob in document["blobs"]),
        subject=Digest.parse(document["subject"]),
        artifact_type=descriptor.get("artifactType", ""),
        annotations=descriptor.get("annotations", {}),
    )


def _manifest_in(store: Store, digest: Digest) -> Manifest:
    body = _read(store, digest)
    if body is None:
        raise NotFound(
            "nothing can be attached to an image that is not in the store",
            expected=f"its manifest, {digest}",
            digest=str(digest),
        )
    return read_manifest(body)


def _read(store: Store, digest: Digest) -> bytes | None:
    stream = store.open_blob(digest)
    if stream is None:
        return None
    with stream:
        return stream.read()
