"""Layers in the store: kept once under a name made of their inputs, and read again."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime_images.layer_compression import UNREADABLE, read_plain
from runtime_images.layer_contents import CONTENTS_FORMAT, LayerContents, read_contents
from runtime_images.stored_facts import keep_facts
from wheelyard.digests import Digest, DigestingWriter, canonical_json
from wheelyard.errors import StoredOtherBytes, StoreUnavailable
from wheelyard.image_record import blob_opener
from wheelyard.oci import Layer, compress_layer
from wheelyard.store.contract import Store

GZIP_LEVEL = 5
"""A third less time than level 6 for 1 % more bytes; level 4 is a quarter faster again, for 2 to 3 % more."""


def find_layer(store: Store, name: str) -> Layer | None:
    """The layer that was kept under a name, or `None`, also where its bytes are lost; it is renewed.

    :param name: document name below `records/layers/`.
    """
    body = store.get_document(name)
    if body is None:
        return None
    layer = Layer.from_document(json.loads(body))
    return None if store.renew_blob(layer.digest) is None else layer


def keep_layer(store: Store, name: str, tar: Path, title: str, scratch: Path) -> Layer:
    """Compress a layer's tar and keep it, its contents and its record; bytes first, the record last.

    Safe to repeat, and at the same time: whoever comes second gets the layer of the first.

    :param name: document name below `records/layers/`.
    :param tar: uncompressed.
    :param scratch: folder for the compressed bytes until they are stored.
    :raises StoredOtherBytes: the name holds a layer of other content: the inputs did not say everything.
    """
    with tempfile.TemporaryDirectory(dir=scratch, prefix="layer-") as folder:
        packed = Path(folder) / "layer.tar.gz"
        with tar.open("rb") as source, packed.open("wb") as target:
            layer = compress_layer(source, target, title, GZIP_LEVEL)
        store.put_blob(packed, layer.digest)
    _keep_contents(store, layer.diff_id, read_contents(tar))
    # Read while the tar is at hand: a receipt would unpack the layer again.
    keep_facts(store, layer.diff_id, tar)
    try:
        store.put_document(name, canonical_json(layer.to_document()))
    except StoredOtherBytes:
        # Another zlib packs the same tar into other bytes. The first one stays, so that digests do too.
        there = find_layer(store, name)
        if there is None or there.diff_id != layer.diff_id:
            raise
        return there
    return layer


def contents_of(store: Store, layer: Layer, scratch: Path) -> LayerContents:
    """What a layer holds: from the stored document, or read out of its tar and kept.

    :param scratch: folder for the tar, where it has to be unpacked.
    :raises StoreUnavailable: the layer's bytes are not in the store, or not what they should be.
    """
    body = store.get_document(contents_document(layer.diff_id))
    if body is not None:
        return LayerContents.from_document(json.loads(body))
    with unpacked_layer(store, layer, scratch) as tar:
        contents = read_contents(tar)
    _keep_contents(store, layer.diff_id, contents)
    return contents


@contextmanager
def unpacked_layer(store: Store, layer: Layer, scratch: Path) -> Iterator[Path]:
    """A layer's tar as a file, verified against its diff id, for as long as the context lasts.

    :param scratch: folder that it lies in.
    :raises StoreUnavailable: the layer's bytes are not in the store, or not what they should be.
    """
    with tempfile.TemporaryDirectory(dir=scratch, prefix="unpacked-") as folder:
        tar = Path(folder) / "layer.tar"
        with blob_opener(store)(layer.digest) as packed, tar.open("wb") as out:
            plain = DigestingWriter(out)
            try:
                for chunk in read_plain(packed, layer.media_type):
                    plain.write(chunk)
            except UNREADABLE as error:
                raise _damaged(layer, str(error)) from error
        if plain.digest != layer.diff_id:
            raise _damaged(layer, str(plain.digest))
        yield tar


def contents_document(diff_id: Digest) -> str:
    """Name of the document that says what a layer holds."""
    return f"records/layers/contents-{CONTENTS_FORMAT}/{diff_id.hex}.json"


def _keep_contents(store: Store, diff_id: Digest, contents: LayerContents) -> None:
    store.put_document(contents_document(diff_id), canonical_json(contents.to_document()))


def _damaged(layer: Layer, found: str) -> StoreUnavailable:
    return StoreUnavailable(
        f"the stored bytes of the layer {layer.title!r} can't be unpacked to what they should be",
        expected=f"a compressed tar whose content is {layer.diff_id}",
        found=found,
        do="check the store's disk, delete that blob, and make the layer again",
        digest=str(layer.digest),
    )
