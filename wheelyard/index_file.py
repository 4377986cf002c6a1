"""One file of the index: what a channel says of it, and its document in the store."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from wheelyard.digests import Digest
from wheelyard.errors import Conflict, StoredOtherBytes
from wheelyard.removed_files import note_shown
from wheelyard.store.contract import Store
from wheelyard.wheel_record import WheelRecord

FILES = "index/files/"


class FileKind(StrEnum):
    """What a file is."""

    WHEEL = "wheel"
    SDIST = "sdist"


class Origin(StrEnum):
    """Where a file came from."""

    BUILT = "built"
    UPLOADED = "uploaded"


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexFile:
    """One file as a channel shows it; times in epoch seconds, sizes in bytes.

    :param project: canonical name.
    :param metadata_digest: of its core metadata (PEP 658); None for an sdist.
    :param build_key: of a wheel that was built here; else empty.
    :param uploader: name of the token that brought it; empty for one that was built here.
    :param provenance: digest of its provenance object (PEP 740), as text; empty means that it has none.
    :param yanked: the reason (PEP 592), perhaps empty; None for a file that is not yanked.
    """

    channel: str
    project: str
    version: str
    filename: str
    kind: FileKind = FileKind.WHEEL
    origin: Origin = Origin.BUILT
    digest: Digest
    size: int
    requires_python: str = ""
    metadata_digest: Digest | None
    build_key: str = ""
    uploader: str = ""
    provenance: str = ""
    yanked: str | None = None
    published_at: float

    @classmethod
    def of_record(cls, record: WheelRecord, channel: str) -> IndexFile:
        """A wheel that was built here, as a channel shows it."""
        return cls(
            channel=channel, project=record.inputs.project, version=record.inputs.version,
            filename=record.filename, digest=record.digest, size=record.size,
            requires_python=record.requires_python, metadata_digest=record.metadata_digest,
            build_key=record.key, published_at=record.published_at,
        )  # fmt: skip

    @property
    def document_name(self) -> str:
        """Its place in the store: the name of a file binds one digest in a channel, for ever."""
        return f"{FILES}{self.channel}/{Digest.of(self.filename.encode()).hex}.json"

    def to_document(self) -> dict[str, Any]:
        """All but what changes later (the yank), as JSON-serialisable fields."""
        return {
            "channel": self.channel, "project": self.project, "version": self.version,
            "filename": self.filename, "kind": self.kind.value, "origin": self.origin.value,
            "digest": str(self.digest), "size": self.size, "requires_python": self.requires_python,
            "metadata_digest": "" if self.metadata_digest is None else str(self.metadata_digest),
            "build_key": self.build_key, "uploader": self.uploader, "provenance": self.provenance,
            "published_at": self.published_at,
        }  # fmt: skip

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> IndexFile:
        """Inverse of `to_document`; a row of the database, as a dict, is read alike."""
        metadata = document["metadata_digest"]
        return cls(
            **{
                **document,
                "kind": FileKind(document["kind"]),
                "origin": Origin(document["origin"]),
                "digest": Digest.parse(document["digest"]),
                "metadata_digest": Digest.parse(metadata) if metadata else None,
            }
        )


def keep_file(store: Store, file: IndexFile) -> IndexFile:
    """Bind a file's name in its channel to its bytes, before anybody sees it; gives what is bound.

    Of two that come at the same time with one name, the store lets one win. The same bytes again are a
    no-op, and the first document stays.

    :raises Conflict: the channel has other bytes under that name.
    """
    body = json.dumps(file.to_document(), sort_keys=True).encode()
    try:
        store.put_document(file.document_name, body)
    except StoredOtherBytes:
        kept = IndexFile.from_document(json.loads(store.get_document(file.document_name) or b""))
        if kept.digest != file.digest:
            raise Conflict(
                f"the channel {file.channel} has another {file.filename} already",
                expected=str(kept.digest),
                found=str(file.digest),
                do="a file's name never changes its bytes: raise the version, or the build number (PEP 427)",
            ) from None
        file = kept
    # One that was removed before is there again, for `cache rebuild-db`, too.
    note_shown(store, file.channel, file.project, file.filename)
    return file
