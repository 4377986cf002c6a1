"""The record of one wheel: inputs, output, toolchain, timings and log, kept beside it in the store."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from wheelyard.build_key import BuildInputs
from wheelyard.digests import Digest
from wheelyard.store.contract import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelRecord:
    """What was built of which inputs; the database's row can be made again from it.

    :param inputs: everything that the build key covers.
    :param channel: where it was published first.
    :param filename: the wheel's (PEP 427).
    :param digest: of its bytes.
    :param size: in bytes.
    :param metadata_digest: of its METADATA, which is a blob of its own (PEP 658).
    :param requires_python: from METADATA; empty where it says nothing.
    :param requires_dist: from METADATA.
    :param imports: top-level modules that the check imported.
    :param external: shared libraries that stay outside the wheel, by soname.
    :param toolchain: its name.
    :param seconds: duration of each phase.
    :param log: digest of the gzip log; empty where it could not be kept.
    :param published_at: epoch seconds.
    """

    inputs: BuildInputs
    channel: str
    filename: str
    digest: Digest
    size: int
    metadata_digest: Digest
    requires_python: str
    requires_dist: tuple[str, ...]
    imports: tuple[str, ...]
    external: tuple[str, ...]
    toolchain: str
    seconds: dict[str, float] = field(default_factory=dict)
    log: str = ""
    published_at: float

    @property
    def key(self) -> str:
        """The build key."""
        return self.inputs.key

    @property
    def document_name(self) -> str:
        """Its place in the store."""
        return record_name(self.key)

    def to_document(self) -> dict[str, Any]:
        """The record as JSON-serialisable fields."""
        return {
            "build_key": self.key,
            "inputs": self.inputs.to_document(),
            "channel": self.channel,
            "filename": self.filename,
            "digest": str(self.digest),
            "size": self.size,
            "metadata_digest": str(self.metadata_digest),
            "requires_python": self.requires_python,
            "requires_dist": list(self.requires_dist),
            "imports": list(self.imports),
            "external": list(self.external),
            "toolchain": self.toolchain,
            "seconds": self.seconds,
            "log": self.log,
            "published_at": self.published_at,
        }

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> WheelRecord:
        """Inverse of `to_document`."""
        fields = {name: value for name, value in document.items() if name != "build_key"}
        return cls(
            **{
                **fields,
                "inputs": BuildInputs.from_document(document["inputs"]),
                "digest": Digest.parse(document["digest"]),
                "metadata_digest": Digest.parse(document["metadata_digest"]),
                "requires_dist": tuple(document["requires_dist"]),
                "imports": tuple(document["imports"]),
                "external": tuple(document["external"]),
            }
        )


def record_name(build_key: str) -> str:
    """Place of a wheel's record in the store."""
    return f"records/wheels/{build_key}.json"


def find_record(store: Store, build_key: str) -> WheelRecord | None:
    """The record of a build key, or None for a miss."""
    body = store.get_document(record_name(build_key))
    return None if body is None else WheelRecord.from_document(json.loads(body))
