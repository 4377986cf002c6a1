"""The record of a runtime image: what is in it, how large it is, and which tools are not there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from wheelyard.digests import Digest
from wheelyard.errors import StoreUnavailable
from wheelyard.oci import BlobOpener, Image, Layer
from wheelyard.store.contract import Store

IMAGES = "records/images/"
"""Where the records of images lie in the store."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class WheelPin:
    """One wheel of an image, exactly.

    :param project: canonical name (PEP 503).
    :param version: public version (PEP 440).
    :param filename: the wheel's file name, whose tags say where it runs (PEP 425).
    :param digest: of the wheel's bytes.
    """

    project: str
    version: str
    filename: str
    digest: Digest

    @property
    def title(self) -> str:
        """What people call it: `numpy 2.4.6`."""
        return f"{self.project} {self.version}"

    def to_document(self) -> dict[str, str]:
        """The pin as JSON-serialisable fields."""
        return {
            "project": self.project,
            "version": self.version,
            "filename": self.filename,
            "digest": str(self.digest),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, str]) -> WheelPin:
        """Inverse of `to_document`."""
        return cls(
            project=document["project"],
            version=document["version"],
            filename=document["filename"],
            digest=Digest.parse(document["digest"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRecord:
    """What was assembled. A pure function of the image's inputs: it holds no time and no host.

    :param key: the image key, over every input.
    :param image_id: digest of the config, as engines name the image.
    :param manifest_digest: digest of the manifest, as registries name it.
    :param layers: bottom first, each with its title and sizes in bytes.
    :param wheels: sorted by project.
    :param packages: Debian package to version, of the system layer.
    :param libraries: soname that the base lacked, to the path that now provides it.
    :param left_out: sonames that nothing provides and that the request called optional.
    :param size: compressed bytes of all layers.
    :param unpacked: bytes of all tar streams.
    :param absent: tool to whether no layer holds it.
    :param tools_found: tool to the paths where it was found; only those that were.
    :param setuid: files with a setuid or setgid bit.
    """

    key: str
    image_id: Digest
    config_size: int
    manifest_digest: Digest
    manifest_size: int
    toolchain: str
    toolchain_image: str
    layers: tuple[Layer, ...]
    wheels: tuple[WheelPin, ...]
    packages: Mapping[str, str] = field(default_factory=dict)
    libraries: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    workdir: str
    user: str
    size: int
    unpacked: int
    absent: Mapping[str, bool] = field(default_factory=dict)
    tools_found: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    setuid: tuple[str, ...] = ()

    def to_document(self) -> dict[str, Any]:
        """The record as JSON-serialisable fields."""
        return {
            "key": self.key,
            "image_id": str(self.image_id),
            "config_size": self.config_size,
            "manifest_digest": str(self.manifest_digest),
            "manifest_size": self.manifest_size,
            "toolchain": self.toolchain,
            "toolchain_image": self.toolchain_image,
            "layers": [layer.to_document() for layer in self.layers],
            "wheels": [wheel.to_document() for wheel in self.wheels],
            "packages": dict(self.packages),
            "libraries": dict(self.libraries),
            "left_out": list(self.left_out),
            "entrypoint": list(self.entrypoint),
            "command": list(self.command),
            "environment": dict(self.environment),
            "labels": dict(self.labels),
            "workdir": self.workdir,
            "user": self.user,
            "size": self.size,
            "unpacked": self.unpacked,
            "absent": dict(self.absent),
            "tools_found": {tool: list(paths) for tool, paths in self.tools_found.items()},
            "setuid": list(self.setuid),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> ImageRecord:
        """Inverse of `to_document`."""
        fields = dict(document)
        for name in ("image_id", "manifest_digest"):
            fields[name] = Digest.parse(fields[name])
        for name in ("left_out", "entrypoint", "command", "setuid"):
            fields[name] = tuple(fields[name])
        fields["layers"] = tuple(Layer.from_document(layer) for layer in fields["layers"])
        fields["wheels"] = tuple(WheelPin.from_document(wheel) for wheel in fields["wheels"])
        fields["tools_found"] = {tool: tuple(paths) for tool, paths in fields["tools_found"].items()}
        return cls(**fields)


def image_document(key: str) -> str:
    """Name of an image's record in the store.

    :param key: the image key.
    """
    return f"{IMAGES}{key}.json"


def load_record(store: Store, key: str) -> ImageRecord | None:
    """The record of an image that was assembled before, or `None`.

    :raises StoreUnavailable: the store does not answer.
    """
    body = store.get_document(image_document(key))
    return None if body is None else ImageRecord.from_document(json.loads(body))


def blob_opener(store: Store) -> BlobOpener:
    """How archives and layouts open the layers of an image that is in a store.

    :returns: a function that raises `StoreUnavailable` where the store has lost a blob.
    """

    def opener(digest: Digest) -> BinaryIO:
        stream = store.open_blob(digest)
        if stream is None:
            raise StoreUnavailable(
                "a part of an image is not in the store",
                expected=f"a blob {digest}",
                found="nothing",
                do="restore the bucket from its backup, or delete the record and make the image again",
                digest=str(digest),
            )
        return stream

    return opener


def load_image(store: Store, record: ImageRecord) -> Image:
    """An image's two documents from the store, as archives and registries need them.

    :raises StoreUnavailable: the store does not answer, or lost a document that a record names.
    """
    opener = blob_opener(store)
    with opener(record.image_id) as config, opener(record.manifest_digest) as manifest:
        return Image(config=config.read(), manifest=manifest.read(), layers=record.layers)
