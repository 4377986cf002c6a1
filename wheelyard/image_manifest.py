"""A manifest as registries keep it: what it names, read out of its bytes, whoever wrote them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wheelyard.digests import Digest
from wheelyard.errors import InputError
from wheelyard.image_name import check_digest
from wheelyard.oci import MEDIA_DOCKER_MANIFEST, MEDIA_INDEX, MEDIA_MANIFEST

MEDIA_DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
IMAGES = (MEDIA_MANIFEST, MEDIA_DOCKER_MANIFEST)
INDEXES = (MEDIA_INDEX, MEDIA_DOCKER_LIST)
MAX_MANIFEST_BYTES = 4 << 20
"""The specification wants registries to take that much; no more is read."""

_KEPT_ELSEWHERE = (
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
)
"""Beginnings of the media types of layers that no registry has: clients fetch them where they say."""

_MOST_PARTS = 2000
_LONGEST_TYPE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an image manifest or an index names.

    :param blobs: config and layers, which must be there with it.
    :param manifests: of an index.
    :param subject: the manifest that it is about, and that may come later.
    :param artifact_type: as referrers are listed with it: its own, else its config's media type.
    """

    media_type: str
    digest: Digest
    size: int
    blobs: tuple[Digest, ...] = ()
    manifests: tuple[Digest, ...] = ()
    subject: Digest | None = None
    artifact_type: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)

    def to_descriptor(self) -> dict[str, Any]:
        """The descriptor of it, as a list of referrers has it."""
        return {
            "mediaType": self.media_type,
            "digest": str(self.digest),
            "size": self.size,
            **({"artifactType": self.artifact_type} if self.artifact_type else {}),
            **({"annotations": dict(self.annotations)} if self.annotations else {}),
        }


class ManifestInvalid(InputError):
    """The bytes are no manifest of a kind that is taken."""

    kind = "manifest-invalid"
    title = "Not a manifest"
    status = 400


def read_manifest(body: bytes, media_type: str = "") -> Manifest:
    """Read a manifest's bytes.

    :param media_type: what its sender calls it; empty takes its own word.
    :raises ManifestInvalid: it is none, or of a kind that is not taken; the message says what is wrong.
    """
    if len(body) > MAX_MANIFEST_BYTES:
        raise ManifestInvalid(
            "the manifest is too large", expected=f"at most {MAX_MANIFEST_BYTES} bytes", found=str(len(body))
        )
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ManifestInvalid("the manifest is not JSON", found=str(error)[:200]) from error
    if not isinstance(document, dict) or document.get("schemaVersion") != 2:
        raise ManifestInvalid("the manifest is not of schema version 2", expected='"schemaVersion": 2')
    own = _text(document.get("mediaType", ""), "mediaType") or media_type or _guess(document)
    if media_type and own != media_type:
        raise ManifestInvalid(
            "the manifest is called by two media types", expected=own, found=f"{media_type} as Content-Type"
        )
    if own in IMAGES:
        return _image(document, own, body)
    if own in INDEXES:
        return _index(document, own, body)
    raise ManifestInvalid(
        "manifests of that media type are not taken",
        expected=", ".join((*IMAGES, *INDEXES)),
        found=own[:_LONGEST_TYPE],
    )


def _guess(document: dict[str, Any]) -> str:
    return MEDIA_INDEX if "manifests" in document and "config" not in document else MEDIA_MANIFEST


def _image(document: dict[str, Any], media_type: str, body: bytes) -> Manifest:
    config = _descriptor(document.get("config"), "config")
    layers = [_descriptor(layer, "layers") for layer in _list(document.get("layers"), "layers")]
    artifact_type = _text(document.get("artifactType", ""), "artifactType")
    return Manifest(
        media_type=media_type,
        digest=Digest.of(body),
        size=len(body),
        blobs=(
            config.digest,
            *(layer.digest for layer in layers if not layer.media_type.startswith(_KEPT_ELSEWHERE)),
        ),
        subject=_subject(document),
        artifact_type=artifact_type or config.media_type,
        annotations=_annotations(document),
    )


def _index(document: dict[str, Any], media_type: str, body: bytes) -> Manifest:
    entries = [_descriptor(entry, "manifests") for entry in _list(document.get("manifests"), "manifests")]
    return Manifest(
        media_type=media_type,
        digest=Digest.of(body),
        size=len(body),
        manifests=tuple(entry.digest for entry in entries),
        subject=_subject(document),
        artifact_type=_text(document.get("artifactType", ""), "artifactType"),
        annotations=_annotations(document),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Descriptor:
    media_type: str
    digest: Digest


def _descriptor(entry: Any, where: str) -> _Descriptor:
    if not isinstance(entry, dict):
        raise ManifestInvalid(f"the manifest has no descriptor in {where}", found=str(entry)[:100])
    digest = entry.get("digest")
    if not isinstance(digest, str):
        raise ManifestInvalid(f"a descriptor in {where} has no digest")
    if not isinstance(entry.get("size"), int) or entry["size"] < 0:
        raise ManifestInvalid(f"a descriptor in {where} has no size in bytes", found=str(entry.get("size")))
    try:
        found = check_digest(digest)
    except InputError as error:
        raise ManifestInvalid(
            f"a descriptor in {where} has another digest than SHA-256", found=digest[:100]
        ) from error
    return _Descriptor(media_type=_text(entry.get("mediaType", ""), "mediaType"), digest=found)


def _subject(document: dict[str, Any]) -> Digest | None:
    subject = document.get("subject")
    return None if subject is None else _descriptor(subject, "subject").digest


def _annotations(document: dict[str, Any]) -> dict[str, str]:
    found = document.get("annotations") or {}
    if not isinstance(found, dict) or not all(_is_text(part) for pair in found.items() for part in pair):
        raise ManifestInvalid("the manifest's annotations are not names and texts")
    return found


def _is_text(value: Any) -> bool:
    """Whether it is a text that can be said again: JSON knows halves of characters, which UTF-8 does not."""
    return isinstance(value, str) and value == value.encode(errors="ignore").decode()


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise ManifestInvalid(f"the manifest has no list of {where}")
    if len(value) > _MOST_PARTS:
        raise ManifestInvalid(
            f"the manifest has too many {where}", expected=f"at most {_MOST_PARTS}", found=str(len(value))
        )
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_TYPE or not value.isprintable():
        raise ManifestInvalid(f"the manifest's {where} is not a short text", found=repr(value)[:100])
    return value
