"""A layer compressed with zstd: made of the same tar as the gzip one, and kept beside it."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from runtime_images.layer_compression import compress_zstd
from runtime_images.stored_layers import find_layer, unpacked_layer
from wheelyard.digests import canonical_json
from wheelyard.errors import StoredOtherBytes
from wheelyard.oci import MEDIA_LAYER_ZSTD, Layer
from wheelyard.store.contract import Store

ZSTD_FORMAT = 1
"""Raised when the same tar would become other bytes; part of a layer's name."""


def zstd_layer(store: Store, layer: Layer, scratch: Path) -> Layer:
    """The same layer in zstd; safe to repeat, and answered from the store the next time.

    :param layer: one that is in zstd already is given back.
    :param scratch: folder for the tar while it is compressed.
    :raises StoreUnavailable: the layer's bytes are not in the store, or not what they should be.
    """
    if layer.media_type == MEDIA_LAYER_ZSTD:
        return layer
    name = f"records/layers/zstd/{layer.diff_id.hex}-{ZSTD_FORMAT}.json"
    kept = find_layer(store, name)
    if kept is None:
        with (
            unpacked_layer(store, layer, scratch) as tar,
            tempfile.TemporaryDirectory(dir=scratch, prefix="zstd-") as folder,
        ):
            packed = Path(folder) / "layer.tar.zst"
            with packed.open("wb") as target:
                kept = compress_zstd(tar, target, layer.title)
            store.put_blob(packed, kept.digest)
        try:
            store.put_document(name, canonical_json(kept.to_document()))
        except StoredOtherBytes:
            # Another version of zstd came first, or one tar is called in two ways. The first one stays.
            there = find_layer(store, name)
            if there is None or there.diff_id != kept.diff_id:
                raise
            kept = there
    return replace(kept, title=layer.title)
