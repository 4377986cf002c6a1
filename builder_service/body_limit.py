"""How large the body of a request may be, before anything reads it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from builder_service.problems import problem_of, problem_response
from wheelyard.errors import InputError

MAX_BODY_BYTES = 1 << 20


class TooLarge(InputError):
    """The body is larger than the service takes."""

    kind = "too-large"
    title = "Too large"
    status = 413


class BodyLimit:
    """ASGI middleware: refuses a larger body at once where its length is announced, else as soon as it is.

    FastAPI has a limit of its own, which answers with plain text and not with a problem.

    :param limit: in bytes.
    :param apart: regular expressions of the paths that look after themselves.
    """

    def __init__(self, app: ASGIApp, limit: int, apart: Sequence[str] = ()) -> None:
        self._app = app
        self._limit = limit
        self._apart = re.compile("|".join(f"(?:{one})" for one in apart) or "(?!)")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        if scope["type"] != "http" or self._apart.fullmatch(scope["path"]):
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced) > self._limit:
            error = TooLarge(
                "the request's body is larger than it may be",
                expected=f"at most {self._limit} bytes",
                found=f"{announced} bytes",
                do="ask for less at once",
            )
            await problem_response(problem_of(error, scope["path"]))(scope, receive, send)
            return
        seen = 0

        async def receive_some() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._limit:
                # Of all that may be raised while FastAPI reads a body, only this keeps its status.
                raise HTTPException(413)
            return message

        await self._app(scope, receive_some, send)
