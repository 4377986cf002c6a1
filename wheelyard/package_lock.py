"""Debian packages that recipes add to a toolchain: the lock of what they need, and the image with them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from wheelyard.digests import Digest, canonical_json, key_of
from wheelyard.errors import StoredOtherBytes
from wheelyard.oci import Layer
from wheelyard.store.contract import Store

LOCKS = "records/packages/"
IMAGES = "records/package-images/"
DEB_INDEXES = "records/debs-1/"
"""What was read out of packages; the number is raised when more is read."""

LAYER_FORMAT = 2
"""Raised when the same packages would become another layer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageLock:
    """What a recipe's packages need beyond a toolchain; the first answer holds, so that build keys hold.

    :param toolchain: image id of the compile image that they are added to, `sha256:…`.
    :param suite: code name of its Debian release.
    :param names: packages that the recipe names, sorted.
    :param packages: these and all that they need beyond the toolchain, name to `VERSION sha256:…`.
    """

    toolchain: str
    suite: str
    names: tuple[str, ...]
    packages: Mapping[str, str]

    def to_document(self) -> dict[str, Any]:
        """JSON-serialisable fields; `from_document` is the inverse."""
        return {**asdict(self), "names": list(self.names), "packages": dict(self.packages)}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> PackageLock:
        """Inverse of `to_document`."""
        return cls(**{**document, "names": tuple(document["names"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagesImage:
    """A toolchain's compile image with a layer of packages on top; its documents and layers are blobs.

    :param toolchain: image id of the compile image below, `sha256:…`.
    :param packages: of the layer, name to `VERSION sha256:…`.
    :param image: image id, `sha256:…`.
    :param manifest: digest of its manifest, `sha256:…`.
    :param layer: the layer of the packages.
    """

    toolchain: str
    packages: Mapping[str, str]
    image: str
    manifest: str
    layer: Layer

    def to_document(self) -> dict[str, Any]:
        """JSON-serialisable fields; `from_document` is the inverse."""
        return {
            "toolchain": self.toolchain,
            "packages": dict(self.packages),
            "image": self.image,
            "manifest": self.manifest,
            "layer": self.layer.to_document(),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> PackagesImage:
        """Inverse of `to_document`."""
        return cls(**{**document, "layer": Layer.from_document(document["layer"])})


def lock_name(image: str, names: Sequence[str]) -> str:
    """Where the lock of packages lies in the store.

    :param image: image id of the compile image.
    """
    return f"{LOCKS}{key_of({'toolchain': image, 'names': sorted(set(names))})}.json"


def image_lock_name(image: str, base: Sequence[str], asked: Mapping[str, Any]) -> str:
    """Where the lock of an image's packages lies in the store.

    :param image: image id of the toolchain's compile image.
    :param base: diff ids of the layers that the packages are added to, bottom first.
    :param asked: what was asked for, JSON-serialisable.
    """
    return f"{LOCKS}{key_of({'toolchain': image, 'base': list(base), 'asked': dict(asked)})}.json"


def load_lock(store: Store, image: str, names: Sequence[str]) -> PackageLock | None:
    """The lock of packages over a compile image, or None where nobody asked for them yet."""
    return load_lock_at(store, lock_name(image, names))


def keep_lock(store: Store, lock: PackageLock) -> PackageLock:
    """Keep a lock, and return the one that holds: where another worker was faster, its answer does."""
    return keep_lock_at(store, lock_name(lock.toolchain, lock.names), lock)


def load_lock_at(store: Store, place: str) -> PackageLock | None:
    """The lock of that name, or None."""
    body = store.get_document(place)
    return None if body is None else PackageLock.from_document(json.loads(body))


def keep_lock_at(store: Store, place: str, lock: PackageLock) -> PackageLock:
    """As `keep_lock`, under a name of the caller's."""
    try:
        store.put_document(place, canonical_json(lock.to_document()))
    except StoredOtherBytes:
        return load_lock_at(store, place) or lock
    return lock


def image_name(image: str, packages: Mapping[str, str]) -> str:
    """Where the record of a compile image with packages lies in the store."""
    key = key_of({"toolchain": image, "packages": dict(packages), "format": LAYER_FORMAT})
    return f"{IMAGES}{key}.json"


def deb_index_name(deb: Digest) -> str:
    """Where what was read out of a package lies in the store."""
    return f"{DEB_INDEXES}{deb.hex}.json"


def package_digests(packages: Mapping[str, str]) -> tuple[str, ...]:
    """Digests of the packages' files, out of `VERSION sha256:…`."""
    return tuple(str(parse_package(entry)[1]) for entry in packages.values())


def parse_package(entry: str) -> tuple[str, Digest]:
    """Version and digest out of `VERSION sha256:…`.

    :raises InputError: it is not of that form.
    """
    version, _, digest = entry.partition(" ")
    return version, Digest.parse(digest)
