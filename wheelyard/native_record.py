"""The build key of a native artifact, and the record beside it in the store."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from wheelyard.digests import Digest, key_of
from wheelyard.store.contract import Store

PLACE = "records/natives/"

NATIVE_FORMAT = 1
"""Raised when the builder itself would make other bytes of the same inputs; part of every key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeInputs:
    """Everything that can change the bytes of one native artifact.

    :param name: for instance `ffmpeg`.
    :param version: of its sources.
    :param sources: files that it is made of, in the order in which they are laid, name to digest.
    :param toolchain: digest of the toolchain's compile image, `sha256:…`.
    :param packages: Debian packages beyond the toolchain's, name to `VERSION sha256:…`.
    :param environment: variables of its steps.
    :param steps: programs with their arguments.
    :param leave_out: paths below the prefix, as `fnmatch` reads them.
    :param prefix: where it will lie.
    """

    name: str
    version: str
    sources: dict[str, str]
    toolchain: str
    packages: dict[str, str]
    environment: dict[str, str]
    steps: tuple[tuple[str, ...], ...]
    leave_out: tuple[str, ...]
    prefix: str
    native_format: int = NATIVE_FORMAT

    @property
    def key(self) -> str:
        """The build key: 64 hexadecimal digits."""
        return key_of(self.to_document())

    def to_document(self) -> dict[str, Any]:
        """The inputs as JSON-serialisable fields; `from_document` is the inverse.

        The sources are a list of pairs: their order says which is laid first.
        """
        lists = {"steps": [list(step) for step in self.steps], "leave_out": list(self.leave_out)}
        return {**asdict(self), "sources": [list(pair) for pair in self.sources.items()], **lists}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> NativeInputs:
        """Inverse of `to_document`."""
        return cls(
            **{
                **document,
                "sources": dict(document["sources"]),
                "steps": tuple(tuple(step) for step in document["steps"]),
                "leave_out": tuple(document["leave_out"]),
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeRecord:
    """What was made of which inputs.

    :param inputs: everything that the build key covers.
    :param licence: SPDX expression, as the recipe says.
    :param digest: of the tar archive, whose names are below the prefix.
    :param size: of the archive, in bytes.
    :param files: number of its members that are no folders.
    :param toolchain: its name.
    :param seconds: duration of each phase.
    :param log: digest of the gzip log; empty where it could not be kept.
    :param published_at: epoch seconds.
    """

    inputs: NativeInputs
    licence: str
    digest: Digest
    size: int
    files: int
    toolchain: str
    seconds: Mapping[str, float] = field(default_factory=dict)
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
        """The record as JSON-serialisable fields; `from_document` is the inverse."""
        return {
            "build_key": self.key,
            "inputs": self.inputs.to_document(),
            "licence": self.licence,
            "digest": str(self.digest),
            "size": self.size,
            "files": self.files,
            "toolchain": self.toolchain,
            "seconds": dict(self.seconds),
            "log": self.log,
            "published_at": self.published_at,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> NativeRecord:
        """Inverse of `to_document`; the build key is computed again."""
        fields = {name: value for name, value in document.items() if name != "build_key"}
        return cls(
            **{
                **fields,
                "inputs": NativeInputs.from_document(document["inputs"]),
                "digest": Digest.parse(document["digest"]),
            }
        )


def package_of(name: str) -> str:
    """The name by which an image's package records have a native artifact."""
    return f"wheelyard-native-{name}"


def record_name(key: str) -> str:
    """Where the record of a build key lies in the store."""
    return f"{PLACE}{key}.json"


def find_native(store: Store, key: str) -> NativeRecord | None:
    """The record of a build key, or None for a miss."""
    body = store.get_document(record_name(key))
    return None if body is None else NativeRecord.from_document(json.loads(body))


def whole_native(store: Store, key: str) -> NativeRecord | None:
    """The record of a build key whose archive is there, and stays for what is to be made with it; or None."""
    record = find_native(store, key)
    return record if record is not None and store.renew_blob(record.digest) is not None else None
