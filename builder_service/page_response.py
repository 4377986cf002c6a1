"""A page that is kept ready as an HTTP answer: compressed or plain, whole or 304, GET or HEAD."""

from __future__ import annotations

import functools

from fastapi import Request, Response

from builder_service.blob_response import etag_matches
from builder_service.page_cache import Page, PageCache

# What the index shows changes at any time; who holds a copy asks whether it still is the newest.
_ASK_AGAIN = "no-cache"


def pages_of(request: Request) -> PageCache:
    """The pages that the application which answers keeps ready."""
    pages: PageCache = request.app.state.pages
    return pages


def page_response(
    request: Request, page: Page, *, cache_control: str = _ASK_AGAIN, vary: str = "Accept, Accept-Encoding"
) -> Response:
    """The answer to GET or HEAD of a page (RFC 9110: sections 8.8.3, 12.5.3 and 13.1.2)."""
    asked = request.headers
    packed = bool(page.compressed) and takes_gzip(asked.get("accept-encoding", ""))
    etag = f'"{page.etag}-gzip"' if packed else f'"{page.etag}"'
    headers = {"ETag": etag, "Vary": vary, "Cache-Control": cache_control}
    held = asked.get("if-none-match", "")
    if held and etag_matches(held, etag):
        return Response(status_code=304, headers=headers)
    body = page.compressed if packed else page.body
    if packed:
        headers["Content-Encoding"] = "gzip"
    headers["Content-Length"] = str(len(body))
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Content-Type"] = (
        f"{page.media_type}; charset=utf-8" if page.media_type.startswith("text/") else page.media_type
    )
    return Response(b"" if request.method == "HEAD" else body, headers=headers)


@functools.lru_cache(maxsize=256)
def takes_gzip(accept_encoding: str) -> bool:
    """Whether an `Accept-Encoding` lets an answer be compressed with gzip (RFC 9110, section 12.5.3)."""
    weights: dict[str, float] = {}
    for part in accept_encoding.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        weight = next((value[2:] for value in parameters if value.startswith("q=")), "1")
        try:
            weights[name] = float(weight)
        except ValueError:
            continue
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0))) > 0
