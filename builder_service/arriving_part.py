"""A body on its way to a file: hashed, bounded, and kept as far as it came."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import anyio
from fastapi import Request
from starlette.requests import ClientDisconnect

from builder_service.body_limit import TooLarge
from wheelyard.digests import Digest
from wheelyard.errors import DiskFull

_BUFFER = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivedPart:
    """What came of a body.

    :param size: in bytes.
    :param whole: whether it came to its end; else the sender went away.
    """

    size: int
    digest: Digest
    whole: bool


def _layer_too_large(limit: int, found: str) -> TooLarge:
    return TooLarge(
        "the upload is larger than this service takes",
        expected=f"at most {limit} bytes more",
        found=f"{found} bytes",
        do="make the layer smaller, or raise WHEELYARD_MAX_UPLOAD_BYTES",
    )


async def receive_part(
    request: Request,
    path: Path,
    limit: int,
    too_large: Callable[[int, str], TooLarge] = _layer_too_large,
) -> ArrivedPart:
    """Write a request's body to a file.

    :param limit: bytes that it may have.
    :param too_large: the error of a longer one, of the limit and how many bytes there are.
    :raises TooLarge: it is longer; announced or not.
    :raises DiskFull: the file could not be written.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise too_large(limit, announced)
    hashed, size, whole, buffer = hashlib.sha256(), 0, True, bytearray()
    try:
        async with await anyio.open_file(path, "wb") as target:
            try:
                async for chunk in request.stream():
                    size += len(chunk)
                    if size > limit:
                        raise too_large(limit, f"more than {limit}")
                    hashed.update(chunk)
                    buffer += chunk
                    if len(buffer) >= _BUFFER:
                        await target.write(bytes(buffer))
                        buffer.clear()
            except ClientDisconnect:
                whole = False
            await target.write(bytes(buffer))
    except OSError as error:
        raise DiskFull(
            "the upload could not be kept for a moment", found=str(error), do="make room, and send it again"
        ) from error
    return ArrivedPart(size=size, digest=Digest(hashed.hexdigest()), whole=whole)
