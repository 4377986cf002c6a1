"""A file that comes from upstream at this moment, sent on while it comes."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from typing import IO

import anyio
from anyio import to_thread
from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from wheelyard.digests import Digest
from wheelyard.errors import ForeignOutputRefused
from wheelyard.upstream.arrivals import Arrival

_CHUNK = 1 << 18
_LAST_BYTES = 1 << 16
_PAUSE_SECONDS = 0.05


def arriving_response(
    request: Request, arrival: Arrival, stream: IO[bytes], digest: Digest, headers: dict[str, str], kind: str
) -> Response:
    """The answer to GET or HEAD of a file whose size is known.

    An installer gives up on a server that says nothing for some seconds, and a large file takes longer. Its
    last bytes wait until the whole is verified: of a wrong one nobody gets all, and the connection is cut.

    :param stream: what came so far, and what comes; closed at the end.
    :param kind: its media type.
    """
    size = arrival.size or 0
    headers = {**headers, "Content-Length": str(size), "ETag": f'"{digest}"', "Cache-Control": "no-store"}
    if request.method == "HEAD":
        stream.close()
        return Response(headers=headers, media_type=kind)
    return StreamingResponse(_chunks(arrival, stream, digest, size), headers=headers, media_type=kind)


async def _chunks(arrival: Arrival, stream: IO[bytes], digest: Digest, size: int) -> AsyncIterator[bytes]:
    sent, hashed = 0, hashlib.sha256()
    with stream:
        while (left := size - _LAST_BYTES - sent) > 0:
            chunk = await to_thread.run_sync(stream.read, min(_CHUNK, left))
            if chunk:
                hashed.update(chunk)
                sent += len(chunk)
                yield chunk
            elif arrival.is_verified():
                break
            else:
                await anyio.sleep(_PAUSE_SECONDS)
        while not arrival.is_verified():  # noqa: ASYNC110  # what ends it is a thread
            await anyio.sleep(_PAUSE_SECONDS)
        last = await to_thread.run_sync(stream.read)
        hashed.update(last)
        # A try that was cut off begins anew in the same file, and upstream may give other bytes then.
        if hashed.hexdigest() != digest.hex:
            raise ForeignOutputRefused(
                "upstream gave other bytes at its second try", expected=str(digest), found=hashed.hexdigest()
            )
        yield last
