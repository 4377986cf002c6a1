"""Answers that were given to the bearer of a token, and that no cache may give to anybody else."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class PrivateAnswers:
    """ASGI middleware: what may be cached may be so by its receiver only (RFC 9111, section 5.2.2.7)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_private(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                said = [part.strip() for part in headers.get("cache-control", "").split(",")]
                kept = [part for part in said if part and part not in {"public", "private"}]
                headers["cache-control"] = ", ".join(["private", *kept])
                headers.add_vary_header("Authorization")
            await send(message)

        await self._app(scope, receive, send_private)
