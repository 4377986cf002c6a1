"""Bytes of the store as an HTTP answer: whole or one range (RFC 9110), with an ETag that never changes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from fastapi import Request
from fastapi.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from wheelyard.digests import Digest
from wheelyard.errors import InputError, NotFound
from wheelyard.store.contract import Store

IMMUTABLE = "public, max-age=31536000, immutable"
_CHUNK = 1 << 20
_RANGE = re.compile(r"bytes=\s*([0-9]{0,18})-([0-9]{0,18})\s*")


class RangeNotSatisfiable(InputError):
    """The range that was asked for lies outside the file."""

    kind = "range-not-satisfiable"
    title = "No such range"
    status = 416


class _BlobStream(StreamingResponse):
    """A stream from the store that is closed whatever becomes of the listener."""

    def __init__(self, stream: BinaryIO, status: int, headers: dict[str, str], media_type: str) -> None:
        super().__init__(_chunks(stream), status_code=status, headers=headers, media_type=media_type)
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._stream.close()


def blob_response(
    request: Request,
    store: Store,
    digest: Digest,
    *,
    size: int | None = None,
    media_type: str = "application/octet-stream",
    headers: dict[str, str] | None = None,
) -> Response:
    """The answer to GET or HEAD of a blob.

    :param size: in bytes, where it is known already.
    :raises NotFound: the store has no such blob.
    :raises RangeNotSatisfiable: the one range that was asked for lies outside.
    """
    known = store.blob_size(digest) if size is None else size
    if known is None:
        raise NotFound(f"there is no blob {digest}", digest=str(digest))
    etag = f'"{digest}"'
    common = {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Cache-Control": IMMUTABLE,
        "X-Content-Type-Options": "nosniff",
        **(headers or {}),
    }
    if etag_matches(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=common)
    wanted = None
    if request.method == "GET" and request.headers.get("if-range", etag) == etag:
        wanted = _range(request.headers.get("range", ""), known)
    offset, length = wanted or (0, known)
    common["Content-Length"] = str(length)
    if request.method == "HEAD":
        return Response(status_code=200, headers=common, media_type=media_type)
    if wanted is not None:
        common["Content-Range"] = f"bytes {offset}-{offset + length - 1}/{known}"
    stream = store.open_blob(digest, offset, None if wanted is None else length)
    if stream is None:
        raise NotFound(f"there is no blob {digest}", digest=str(digest))
    return _BlobStream(stream, 200 if wanted is None else 206, common, media_type)


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    while chunk := stream.read(_CHUNK):
        yield chunk


def etag_matches(header: str, etag: str) -> bool:
    """Whether an `If-None-Match` names an entity tag (RFC 9110, section 13.1.2)."""
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return etag in tags or "*" in tags


def _range(header: str, size: int) -> tuple[int, int] | None:
    """Offset and length of the one range that a header asks for; None where the whole is to be sent.

    More than one range, another unit, or what is no range at all may be passed over (RFC 9110, section 14.2).
    """
    match = _RANGE.fullmatch(header)
    if match is None or (not match[1] and not match[2]):
        return None
    if not match[1]:
        length = min(int(match[2]), size)
        offset = size - length
    else:
        offset = int(match[1])
        last = min(int(match[2]), size - 1) if match[2] else size - 1
        if match[2] and int(match[2]) < offset:
            return None
        length = last - offset + 1
    if length <= 0 or offset >= size:
        raise RangeNotSatisfiable(
            "the range lies outside the file", expected=f"bytes 0 to {size - 1}", found=header, size=size
        )
    return offset, length
