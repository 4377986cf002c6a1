"""What happens around every request: id, span, log line, count, and a problem for what nobody foresaw."""

from __future__ import annotations

import re
import secrets
import time
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from builder_service.hidden_tokens import HIDDEN, HiddenTokens
from builder_service.metrics import Metrics
from builder_service.problems import problem_response, unexpected
from wheelyard.tracing import NO_SPAN, NO_TRACER, Role, Span, Tracer, read_traceparent

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE"})
logger = structlog.get_logger("requests")


class RequestLog:
    """ASGI middleware, outermost of ours.

    :param metrics: where requests are counted.
    :param hidden: knows the tokens that must not be shown, wherever a request has them.
    :param tracer: where their spans go; the `traceparent` of a request is gone on with (W3C Trace Context).
    """

    def __init__(
        self, app: ASGIApp, metrics: Metrics, hidden: HiddenTokens, tracer: Tracer = NO_TRACER
    ) -> None:
        self._app = app
        self._hidden = hidden
        self._metrics = metrics
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens to it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        HIDDEN.set(self._hidden)
        path = self._hidden.hide(scope["path"])
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = secrets.token_hex(8)
        if _REQUEST_ID.fullmatch(given) and self._hidden.hide(given) == given:
            request_id = given
        answer: dict[str, Any] = {"status": 0, "stream": False}
        begun = time.perf_counter()

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                sent = MutableHeaders(scope=message)
                sent["X-Request-Id"] = request_id
                answer["status"] = message["status"]
                answer["stream"] = sent.get("content-type", "").startswith("text/event-stream")
            await send(message)

        with (
            self._span(scope, path, headers) as span,
            structlog.contextvars.bound_contextvars(**_names(request_id, span)),
        ):
            try:
                await self._app(scope, receive, send_named)
            except ClientDisconnect:
                answer["status"] = answer["status"] or 499
            except Exception as error:
                logger.exception("a request failed in an unforeseen way", path=path)
                if answer["status"]:
                    # The answer had begun: only a closed connection can still say that it is not whole.
                    raise
                problem = unexpected(scope["path"], request_id)
                await problem_response(problem)(scope, receive, send_named)
                answer["error"] = type(error).__name__
            finally:
                self._note(scope, path, answer, time.perf_counter() - begun)
                _tell(span, scope, answer)

    def _span(self, scope: Scope, path: str, headers: Headers) -> AbstractContextManager[Span]:
        if scope["path"] in _QUIET:
            return nullcontext(NO_SPAN)
        facts = {"http.request.method": _method_of(scope), "url.path": path}
        parent = read_traceparent(headers.get("traceparent", ""))
        return self._tracer.span(_method_of(scope), Role.SERVER, parent, facts)

    def _note(self, scope: Scope, path: str, answer: dict[str, Any], seconds: float) -> None:
        method, status = _method_of(scope), answer["status"]
        # The route's pattern and not the path, so that names and ids do not become labels.
        route = _route_of(scope)
        self._metrics.requests.labels(method, route, str(status)).inc()
        if not answer["stream"]:
            self._metrics.seconds.labels(method, route).observe(seconds)
        if path not in _QUIET:
            logger.info(
                "request", method=method, path=path, status=status, milliseconds=round(seconds * 1000, 1)
            )


def _route_of(scope: Scope) -> str:
    return getattr(scope.get("route"), "path", "") or "none"


def _method_of(scope: Scope) -> str:
    """The method, where it is one: HTTP takes any word, and each would be a label of its own."""
    return scope["method"] if scope["method"] in _METHODS else "_OTHER"


def _names(request_id: str, span: Span) -> dict[str, str]:
    """What log lines of the request name it by."""
    trace = {"trace_id": span.traceparent.split("-")[1]} if span.traceparent else {}
    return {"request_id": request_id, **trace}


def _tell(span: Span, scope: Scope, answer: dict[str, Any]) -> None:
    """What is known of a request once it is answered; names are of OpenTelemetry's semantic conventions."""
    route, status = _route_of(scope), answer["status"]
    method = _method_of(scope)
    span.rename(f"{method} {route}" if route != "none" else method)
    span.note({"http.route": route, "http.response.status_code": status})
    if status >= 500:
        span.fail(answer.get("error", str(status)))
