"""The short way to a page that is kept ready: without routes, parameters and threads."""

from __future__ import annotations

from typing import NamedTuple

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from builder_service.metrics import Metrics
from builder_service.page_cache import EVERY_CHANNEL, METADATA, PageCache
from builder_service.page_response import Answer, metadata_answer, page_answer
from builder_service.simple_pages import NotAcceptable, negotiate
from wheelyard.channels import DEFAULT

_FILES = "/files/"
_SIMPLE = "/simple/"
_CHANNELS = "/channels/"


class _Route(NamedTuple):
    """What the request log counts an answer under: the pattern of the way round."""

    path: str


_ROUTES = {
    (False, False): _Route("/simple/"),
    (False, True): _Route("/simple/{project}/"),
    (True, False): _Route("/channels/{channel}/simple/"),
    (True, True): _Route("/channels/{channel}/simple/{project}/"),
}
_FILE_ROUTE = _Route("/files/{digest}/{filename}")


class ReadyPages:
    """ASGI middleware: answers what asks for a page or metadata that is kept and holds; all else goes on.

    It must stand behind what logs and counts. It looks at nobody's token: it is for a service whose pages
    everybody may read.
    """

    def __init__(self, app: ASGIApp, pages: PageCache, metrics: Metrics) -> None:
        self._app = app
        self._pages = pages
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or let it pass."""
        found = self._find(scope, Headers(scope=scope)) if scope["type"] == "http" else None
        if found is None:
            await self._app(scope, receive, send)
            return
        status, headers, body = found
        if scope["method"] == "HEAD":
            body = b""
        raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": body})

    def _find(self, scope: Scope, asked: Headers) -> Answer | None:
        """The answer, where it is ready; None goes the long way."""
        path: str = scope["path"]
        if scope["method"] not in ("GET", "HEAD") or scope["query_string"]:
            return None
        if path.endswith("/"):
            return self._page(scope, path, asked)
        if path.startswith(_FILES) and path.endswith(METADATA):
            return self._metadata(scope, path, asked)
        return None

    def _page(self, scope: Scope, path: str, asked: Headers) -> Answer | None:
        channel, rest = DEFAULT, path
        if path.startswith(_CHANNELS):
            channel, _, rest = path[len(_CHANNELS) :].partition("/")
            rest = f"/{rest}"
        if not rest.startswith(_SIMPLE):
            return None
        project = rest[len(_SIMPLE) : -1]
        try:
            form = negotiate(asked.get("accept", ""))
        except NotAcceptable:
            return None
        page = self._pages.ready(channel, project, form)
        if page is None:
            return None
        scope["route"] = _ROUTES[path != rest, bool(project)]
        return page_answer(page, asked.get("accept-encoding", ""), asked.get("if-none-match", ""))

    def _metadata(self, scope: Scope, path: str, asked: Headers) -> Answer | None:
        page = self._pages.ready(EVERY_CHANNEL, path[len(_FILES) : -len(METADATA)], METADATA)
        if page is None:
            return None
        scope["route"] = _FILE_ROUTE
        self._metrics.files.labels("hit").inc()
        return metadata_answer(page, asked.get("accept-encoding", ""), asked.get("if-none-match", ""))
