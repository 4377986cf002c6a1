"""The blobs of an image on their way from the service: checked by digest, counted as they come."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import BinaryIO, cast

from wheelyard.client import Client
from wheelyard.digests import Digest
from wheelyard.errors import StoreUnavailable
from wheelyard.image_record import ImageRecord
from wheelyard.oci import Image

_DOCUMENT_LIMIT = 8 << 20


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

    def image(self, record: ImageRecord) -> Image:
        """An image's config and manifest, with its layers as the record names them.

        :raises StoreUnavailable: what came is not what the record names.
        """
        return Image(
            config=self._document(record.image_id),
            manifest=self._document(record.manifest_digest),
            layers=record.layers,
        )

    def _document(self, digest: Digest) -> bytes:
        body = b""
        with self._client.blob(digest) as chunks:
            for chunk in chunks:
                body += chunk
                if len(body) > _DOCUMENT_LIMIT:
                    break
        if Digest.of(body) != digest:
            raise StoreUnavailable(
                "a document of the image came with other bytes",
                expected=str(digest),
                found=f"{Digest.of(body)}, {len(body)} bytes",
                do="check what stands between here and the service, and try again",
            )
        return body
