"""An image's layers and documents: into the store, and from the store into the engine."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from wheelyard.digests import Digest
from wheelyard.errors import StoreUnavailable
from wheelyard.oci import Image, Layer, compress_layer, write_docker_archive
from wheelyard.store.contract import Store
from worker.engine.contract import Engine


def keep_layer(store: Store, tar: Path, title: str, level: int) -> Layer:
    """Compress a layer's tar stream and keep it in the store.

    :param tar: the uncompressed stream; a compressed file is written beside it for a while.
    :param level: zlib's, 1 (fast) to 9 (small).
    """
    packed = tar.with_name(f"{tar.name}.gz")
    with tar.open("rb") as source, packed.open("wb") as target:
        layer = compress_layer(source, target, title, level)
    store.put_blob(packed, layer.digest)
    packed.unlink()
    return layer


def keep_documents(store: Store, image: Image) -> None:
    """Keep an image's config and manifest as blobs under their digests."""
    for document in (image.config, image.manifest):
        store.put_blob(document, Digest.of(document))


def kept_image(store: Store, image: str, manifest: str, layers: Sequence[Layer]) -> Image:
    """The image whose documents lie in the store.

    :param image: image id, `sha256:…`.
    :param manifest: its manifest's digest, `sha256:…`.
    :raises StoreUnavailable: a document is not there.
    """
    config, description = (_document(store, Digest.parse(digest)) for digest in (image, manifest))
    return Image(config=config, manifest=description, layers=tuple(layers))


def load_image(store: Store, engine: Engine, image: Image, tag: str) -> str:
    """Load an image, whose layers lie in the store, into the engine where it is missing; returns its id.

    :param tag: `NAME:TAG` that it gets, so that a clean-up of nameless images passes it over.
    :raises StoreUnavailable: a layer is not in the store.
    """
    if engine.has_image(str(image.id)):
        return str(image.id)

    def open_blob(digest: Digest) -> BinaryIO:
        stream = store.open_blob(digest)
        if stream is None:
            raise _missing(digest)
        return stream

    with tempfile.TemporaryDirectory(prefix="wheelyard-load-") as folder:
        archive = Path(folder) / "image.tar"
        with archive.open("wb") as target:
            write_docker_archive(target, image, open_blob, tags=(tag,))
        return engine.load(archive)


def _document(store: Store, digest: Digest) -> bytes:
    stream = store.open_blob(digest)
    if stream is None:
        raise _missing(digest)
    with stream:
        return stream.read()


def _missing(digest: Digest) -> StoreUnavailable:
    return StoreUnavailable(
        "a part of a toolchain's image is not in the store",
        expected=str(digest),
        do="build the toolchain again with `wheelyard toolchain build NAME`",
    )
