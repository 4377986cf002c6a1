"""The short way to a page that is kept ready: without routes, parameters and threads."""

from __future__ import annotations

from typing import NamedTuple

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from builder_service.page_cache import Page, PageCache
from builder_service.page_response import page_answer
from builder_service.simple_pages import NotAcceptable, negotiate
from wheelyard.channels import DEFAULT

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


class ReadyPages:
    """ASGI middleware: answers what asks for a page that is kept and holds; all else goes on.

    It must stand behind what logs and counts. It looks at nobody's token: it is for a service whose pages
    everybody may read.
    """

    def __init__(self, app: ASGIApp, pages: PageCache) -> None:
        self._app = app
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or let it pass."""
        found = self._find(scope) if scope["type"] == "http" else None
        if found is None:
            await self._app(scope, receive, send)
            return
        page, asked = found
        status, headers, body = page_answer(
            page, asked.get("accept-encoding", ""), asked.get("if-none-match", "")
        )
        if status == 200 and scope["method"] == "HEAD":
            body = b""
        raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": body})

    def _find(self, scope: Scope) -> tuple[Page, Headers] | None:
        """A page that is ready, and the headers of who asks for it; None goes the long way."""
        path: str = scope["path"]
        if scope["method"] not in ("GET", "HEAD") or scope["query_string"] or not path.endswith("/"):
            return None
        channel, rest = DEFAULT, path
        if path.startswith(_CHANNELS):
            channel, _, rest = path[len(_CHANNELS) :].partition("/")
            rest = f"/{rest}"
        if not rest.startswith(_SIMPLE):
            return None
        project = rest[len(_SIMPLE) : -1]
        asked = Headers(scope=scope)
        try:
            form = negotiate(asked.get("accept", ""))
        except NotAcceptable:
            return None
        page = self._pages.ready(channel, project, form)
        if page is None:
            return None
        scope["route"] = _ROUTES[path != rest, bool(project)]
        return page, asked
