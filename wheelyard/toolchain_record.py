"""The record of a toolchain that was made: its image, its runtime base, and the packages in both."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wheelyard.digests import Digest, canonical_json
from wheelyard.errors import Conflict, StoredOtherBytes
from wheelyard.oci import Layer
from wheelyard.store.contract import Store

PLACE = "records/toolchains/"
MOST_BASES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolchainRecord:
    """One making of a toolchain. Its blobs (config, manifest, layers) lie in the store under their digests.

    :param name: the toolchain's.
    :param image: image id of the compile image, `sha256:…`, which is the digest of its config.
    :param manifest: digest of the compile image's manifest, `sha256:…`.
    :param layers: of the compile image, bottom first.
    :param base: layer of the runtime base; None where the toolchain has none of its own.
    :param packages: name to version, of the compile image's packages.
    :param base_packages: name to version, of the runtime base's.
    :param policy: platform tag (PEP 600) that its wheels are repaired for.
    :param python: major and minor version.
    :param python_tag: PEP 425's, for instance `cp311`.
    :param executable: the interpreter's path in the compile image.
    :param origin: reference that the image was pulled by; empty where it was made from packages.
    """

    name: str
    image: str
    manifest: str
    layers: tuple[Layer, ...]
    base: Layer | None
    packages: Mapping[str, str]
    base_packages: Mapping[str, str]
    policy: str
    python: str
    python_tag: str
    executable: str
    origin: str = ""

    def to_document(self) -> dict[str, Any]:
        """The record as JSON-serialisable fields; `from_document` is its inverse."""
        return {
            "name": self.name,
            "image": self.image,
            "manifest": self.manifest,
            "layers": [layer.to_document() for layer in self.layers],
            "base": self.base.to_document() if self.base else None,
            "packages": dict(self.packages),
            "base_packages": dict(self.base_packages),
            "policy": self.policy,
            "python": self.python,
            "python_tag": self.python_tag,
            "executable": self.executable,
            "origin": self.origin,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> ToolchainRecord:
        """Inverse of `to_document`."""
        base = document["base"]
        return cls(
            **{
                **document,
                "layers": tuple(Layer.from_document(layer) for layer in document["layers"]),
                "base": Layer.from_document(base) if base else None,
            }
        )

    @property
    def runtime_base(self) -> Layer:
        """The runtime base's layer.

        :raises Conflict: the toolchain has none, so that no runtime image can be made with it.
        """
        if self.base is None:
            raise Conflict(
                f"the toolchain {self.name} has no runtime base, so no image can be made with it",
                expected="a toolchain that is made from Debian packages, or that names such a one as base",
                do="take another, for instance debian12-cp311; see `wheelyard toolchain list`",
            )
        return self.base


def record_name(name: str, image: str, number: int = 1) -> str:
    """Where a record lies in the store.

    :param image: image id of the compile image.
    :param number: above 1 where a compile image got another runtime base later.
    """
    suffix = "" if number == 1 else f".{number}"
    return f"{PLACE}{name}/{Digest.parse(image).hex}{suffix}.json"


def save_record(store: Store, record: ToolchainRecord) -> None:
    """Keep a record; the same one again is a no-op, and another runtime base gets the next number."""
    body = canonical_json(record.to_document())
    for number in range(1, MOST_BASES):
        place = record_name(record.name, record.image, number)
        kept = store.get_document(place)
        following = record_name(record.name, record.image, number + 1)
        if kept == body and store.get_document(following) is None:
            return
        if kept is None:
            try:
                store.put_document(place, body)
            except StoredOtherBytes:
                continue
            return


def load_record(store: Store, name: str, image: str) -> ToolchainRecord | None:
    """The newest record of a toolchain's compile image, or None.

    :param image: image id of the compile image.
    """
    newest = None
    for number in range(1, MOST_BASES):
        body = store.get_document(record_name(name, image, number))
        if body is None:
            break
        newest = body
    return ToolchainRecord.from_document(json.loads(newest)) if newest is not None else None
