"""A page that is kept ready as an HTTP answer: compressed or plain, whole or 304, GET or HEAD."""

from __future__ import annotations

import functools
from collections.abc import Callable

from fastapi import Request, Response

from builder_service.accepted import accepted_weights
from builder_service.blob_response import IMMUTABLE, etag_matches
from builder_service.page_cache import Page, PageCache

Answer = tuple[int, dict[str, str], bytes]
"""Status, headers and body."""

# What the index shows changes at any time; who holds a copy asks whether it still is the newest.
_ASK_AGAIN = "no-cache"


def pages_of(request: Request) -> PageCache:
    """The pages that the application which answers keeps ready."""
    pages: PageCache = request.app.state.pages
    return pages


def page_response(request: Request, page: Page) -> Response:
    """The answer to GET or HEAD of a page."""
    return _response(request, page, page_answer)


def metadata_response(request: Request, page: Page) -> Response:
    """The answer to GET or HEAD of a wheel's metadata."""
    return _response(request, page, metadata_answer)


def _response(request: Request, page: Page, make: Callable[[Page, str, str], Answer]) -> Response:
    asked = request.headers
    status, headers, body = make(page, asked.get("accept-encoding", ""), asked.get("if-none-match", ""))
    return Response(b"" if request.method == "HEAD" else body, status_code=status, headers=headers)


def page_answer(page: Page, accept_encoding: str, if_none_match: str) -> Answer:
    """The answer that a page is, for who takes some encodings and holds some versions of it."""
    return _answer(page, accept_encoding, if_none_match, _ASK_AGAIN, "Accept, Accept-Encoding")


def metadata_answer(page: Page, accept_encoding: str, if_none_match: str) -> Answer:
    """The answer that metadata is; it never changes."""
    return _answer(page, accept_encoding, if_none_match, IMMUTABLE, "Accept-Encoding")


def _answer(page: Page, accept_encoding: str, if_none_match: str, cache_control: str, vary: str) -> Answer:
    # RFC 9110: sections 8.8.3, 12.5.3 and 13.1.2.
    packed = bool(page.compressed) and takes_gzip(accept_encoding)
    etag = f'"{page.etag}-gzip"' if packed else f'"{page.etag}"'
    headers = {"ETag": etag, "Vary": vary, "Cache-Control": cache_control}
    if page.late_seconds is not None:
        # RFC 9211: what is late has a negative time to live.
        headers["Cache-Status"] = f"wheelyard-upstream; hit; ttl=-{page.late_seconds:.0f}"
    if if_none_match and etag_matches(if_none_match, etag):
        return 304, headers, b""
    body = page.compressed if packed else page.body
    if packed:
        headers["Content-Encoding"] = "gzip"
    headers["Content-Length"] = str(len(body))
    headers["X-Content-Type-Options"] = "nosniff"
    text = page.media_type.startswith("text/")
    headers["Content-Type"] = f"{page.media_type}; charset=utf-8" if text else page.media_type
    return 200, headers, body


@functools.lru_cache(maxsize=256)
def takes_gzip(accept_encoding: str) -> bool:
    """Whether an `Accept-Encoding` lets an answer be compressed with gzip (RFC 9110, section 12.5.3)."""
    weights = accepted_weights(accept_encoding)
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0))) > 0
