"""Which projects a wheel requires, read out of its layer once and kept beside it."""

from __future__ import annotations

import json
import tarfile
from email.parser import BytesParser
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from runtime_images.stored_layers import unpacked_layer
from wheelyard.digests import Digest, canonical_json
from wheelyard.oci import Layer
from wheelyard.store.contract import Store

REQUIRES_FORMAT = 1
"""Raised when other names would be read; a part of the stored document's name."""


def requires_of(store: Store, layer: Layer, scratch: Path) -> frozenset[str]:
    """Canonical names of all projects that a wheel requires, extras and other platforms included.

    :param layer: of one wheel.
    :param scratch: folder for its tar, where it has to be unpacked.
    :raises StoreUnavailable: the layer's bytes are not in the store, or not what they should be.
    """
    body = store.get_document(requires_document(layer.diff_id))
    if body is not None:
        return frozenset(json.loads(body))
    with unpacked_layer(store, layer, scratch) as tar:
        return keep_requires(store, layer.diff_id, tar)


def keep_requires(store: Store, diff_id: Digest, tar: Path) -> frozenset[str]:
    """Read the names out of a wheel layer's tar, and keep them; safe to repeat."""
    names = frozenset(_names(tar))
    store.put_document(requires_document(diff_id), canonical_json(sorted(names)))
    return names


def requires_document(diff_id: Digest) -> str:
    """Name of the document with what the wheel of a layer requires."""
    return f"records/layers/requires-{REQUIRES_FORMAT}/{diff_id.hex}.json"


def _names(tar: Path) -> set[str]:
    names: set[str] = set()
    with tarfile.open(tar, mode="r:", encoding="utf-8") as archive:
        for member in archive:
            if not member.name.endswith(".dist-info/METADATA"):
                continue
            stream = archive.extractfile(member)
            if stream is None:
                continue
            metadata = BytesParser().parse(stream, headersonly=True)
            for line in metadata.get_all("Requires-Dist") or ():
                try:
                    names.add(canonicalize_name(Requirement(str(line)).name))
                except InvalidRequirement:
                    continue
    return names
