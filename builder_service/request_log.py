"""What happens around every request: an id, a log line, a count, and a problem for what nobody foresaw."""

from __future__ import annotations

import re
import secrets
import time
from typing import Any

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from builder_service.metrics import Metrics
from builder_service.problems import problem_response, unexpected

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
logger = structlog.get_logger("requests")


class RequestLog:
    """ASGI middleware, outermost of ours.

    :param metrics: where requests are counted.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens to it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        answer: dict[str, Any] = {"status": 0, "stream": False}
        begun = time.perf_counter()

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                answer["status"] = message["status"]
                answer["stream"] = headers.get("content-type", "").startswith("text/event-stream")
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_named)
            except ClientDisconnect:
                answer["status"] = answer["status"] or 499
            except Exception as error:
                logger.exception("a request failed in an unforeseen way", path=scope["path"])
                if answer["status"]:
                    # The answer had begun: only a closed connection can still say that it is not whole.
                    raise
                problem = unexpected(scope["path"], request_id)
                await problem_response(problem)(scope, receive, send_named)
                answer["error"] = type(error).__name__
            finally:
                self._note(scope, answer, time.perf_counter() - begun)

    def _note(self, scope: Scope, answer: dict[str, Any], seconds: float) -> None:
        method, path, status = scope["method"], scope["path"], answer["status"]
        # The route's pattern and not the path, so that names and ids do not become labels.
        route = getattr(scope.get("route"), "path", "") or "none"
        self._metrics.requests.labels(method, route, str(status)).inc()
        if not answer["stream"]:
            self._metrics.seconds.labels(method, route).observe(seconds)
        if path not in _QUIET:
            logger.info(
                "request", method=method, path=path, status=status, milliseconds=round(seconds * 1000, 1)
            )
