"""The blobs of an image on their way from the service: checked by digest, counted as they come."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import BinaryIO, cast

from wheelyard.answers import ImageAnswer
from wheelyard.cli.named_image import read_part
from wheelyard.client import Client
from wheelyard.digests import Digest
from wheelyard.errors import StoreUnavailable
from wheelyard.oci import Image, Layer


class _DownloadStream(io.RawIOBase):
    """A download as a readable binary stream."""

    def __init__(self, stack: ExitStack, chunks: Iterator[bytes], on_bytes: Callable[[int], None]) -> None:
        self._stack = stack
        self._chunks = chunks
        self._on_bytes = on_bytes
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            whole = self._rest + b"".join(self._chunks)
            self._rest = b""
            self._on_bytes(len(whole))
            return whole
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return b""
            self._rest = chunk
        piece, self._rest = self._rest[:size], self._rest[size:]
        self._on_bytes(len(piece))
        return piece

    def close(self) -> None:
        self._stack.close()
        super().close()


class ImageBlobs:
    """Opens the blobs of one service for archives and layouts, which check each digest as they write.

    :param on_bytes: told of each piece's size.
    """

    def __init__(self, client: Client, on_bytes: Callable[[int], None]) -> None:
        self._client = client
        self._on_bytes = on_bytes

    def open(self, digest: Digest) -> BinaryIO:
        """A blob's bytes; a `wheelyard.oci.BlobOpener`."""
        with ExitStack() as stack:
            chunks = stack.enter_context(self._client.blob(digest))
            return cast("BinaryIO", _DownloadStream(stack.pop_all(), chunks, self._on_bytes))

    def image(self, answer: ImageAnswer) -> Image:
        """An image's config and manifest by their digests, and its layers as these two name them.

        :raises StoreUnavailable: what came is not what the answer names.
        """
        config, manifest = (
            read_part(self._client.blob, digest) for digest in (answer.image_id, answer.manifest_digest)
        )
        known = {layer.digest: layer for layer in answer.layers}
        layers = []
        try:
            named = json.loads(manifest)["layers"]
            for entry, diff_id in zip(named, json.loads(config)["rootfs"]["diff_ids"], strict=True):
                digest = Digest.parse(entry["digest"])
                layers.append(
                    Layer(
                        digest=digest,
                        diff_id=Digest.parse(diff_id),
                        size=int(entry["size"]),
                        unpacked=known[digest].unpacked,
                        title=known[digest].title,
                    )
                )
        except (ValueError, KeyError, TypeError) as error:
            raise StoreUnavailable(
                "the image's documents do not fit together",
                expected="a manifest and a config with the layers that the service named",
                found=f"{type(error).__name__}: {error}",
                do="ask for the image again with --refresh",
            ) from error
        return Image(config=config, manifest=manifest, layers=tuple(layers))
