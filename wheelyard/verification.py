"""A verification: what became of building a published wheel again, kept beside the wheel's record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wheelyard.digests import Digest
from wheelyard.wheel_difference import WheelDifference

VERIFIED = "records/verified/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """One try to make the very same wheel again.

    :param build_key: of the published wheel.
    :param toolchain: name of the one that both were built with.
    :param digest: of the published wheel.
    :param job: id of the job that did it.
    :param circumstances: where and when the second one was made: root, hostname, later (in seconds) …
    :param verified_at: epoch seconds.
    """

    build_key: str
    project: str
    version: str
    toolchain: str
    digest: Digest
    job: str
    circumstances: Mapping[str, Any]
    difference: WheelDifference
    verified_at: float

    @property
    def equal(self) -> bool:
        """Whether it is the very same."""
        return self.difference.equal

    @property
    def document_name(self) -> str:
        """Its place in the store; a job's id sorts by time, so the last one of a key is the newest."""
        return f"{VERIFIED}{self.build_key}/{self.job}.json"

    def to_document(self) -> dict[str, Any]:
        """JSON-serialisable fields; `from_document` is the inverse."""
        return {
            "build_key": self.build_key,
            "project": self.project,
            "version": self.version,
            "toolchain": self.toolchain,
            "digest": str(self.digest),
            "job": self.job,
            "circumstances": dict(self.circumstances),
            "equal": self.equal,
            "difference": self.difference.to_document(),
            "verified_at": self.verified_at,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Verification:
        """Inverse of `to_document`."""
        fields = {name: value for name, value in document.items() if name != "equal"}
        return cls(
            **{
                **fields,
                "digest": Digest.parse(document["digest"]),
                "difference": WheelDifference.from_document(document["difference"]),
            }
        )
