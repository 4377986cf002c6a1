"""The one place where errors become HTTP problems (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import Scope

from builder_service.hidden_tokens import HIDDEN
from wheelyard.errors import Forbidden, Unauthorized, WheelyardError

MEDIA_TYPE = "application/problem+json"
_REALM = 'realm="wheelyard"'
_EXAMPLE: dict[str, JsonValue] = {
    "type": "/problems/not-found",
    "title": "Not found",
    "status": 404,
    "detail": "there is no toolchain 'debian12-cp399'",
    "instance": "/v1/builds",
    "kind": "not-found",
    "expected": "one of debian11-cp39, debian12-cp311, debian13-cp313",
    "found": "",
    "do": "see `wheelyard toolchain list`",
    "facts": {},
}
_STATUS_KINDS = {
    400: ("input", "the request's body can't be read; JSON in UTF-8 is expected"),
    401: ("unauthorized", "the token could not be read"),
    404: ("not-found", "there is nothing at this address"),
    405: ("method-not-allowed", "this address does not take that method"),
    413: ("too-large", "the request's body is larger than it may be"),
}


class Problem(BaseModel):
    """Why a request was not carried out, or why a job did not succeed (RFC 9457)."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})
    type: str = Field(description="Address of a page about this kind of problem, relative to the service.")
    title: str = Field(description="The kind in words.")
    status: int = Field(description="HTTP status.")
    detail: str = Field(description="What failed.")
    instance: str = Field(description="Path of the request, or of the job.")
    kind: str = Field(description="The kind, for programs.")
    failed: str = Field("", description="What failed; the same as `detail`.")
    expected: str = Field("", description="What would have been right.")
    found: str = Field("", description="What was there instead.")
    do: str = Field("", description="What to do next.")
    facts: dict[str, Any] = Field(default_factory=dict, description="Names, digests and sizes, for programs.")


def problem_of(error: WheelyardError, instance: str) -> Problem:
    """An error as a problem.

    :param instance: path of what it happened to.
    """
    return Problem(
        type=f"/problems/{error.kind}",
        title=error.title,
        status=error.status,
        detail=error.failed,
        instance=instance,
        kind=error.kind,
        failed=error.failed,
        expected=error.expected,
        found=error.found,
        do=error.do,
        facts=error.facts,
    )


def problem_response(problem: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    """The answer that carries a problem; a token that the request had in a wrong place is not in it."""
    document = HIDDEN.get().hide_document(problem.model_dump(mode="json"))
    return JSONResponse(document, status_code=problem.status, headers=headers, media_type=MEDIA_TYPE)


def error_response(
    error: WheelyardError, instance: str, *, text: bool = False, whole: bool = False
) -> Response:
    """The answer to a request that ended with an error, with the headers that go with its status.

    :param instance: path of the request.
    :param text: as plain text, for people whose program shows them the body as it is.
    :param whole: let the problem's `detail` say everything, for programs that show no more of it.
    """
    headers = {
        416: {"Content-Range": f"bytes */{error.facts.get('size', '*')}"},
        503: {"Retry-After": "5"},
    }.get(error.status)
    answer: Response
    if text:
        answer = PlainTextResponse(f"{HIDDEN.get().hide(str(error))}\n", error.status, headers)
    else:
        problem = problem_of(error, instance)
        if whole:
            problem.detail = "; ".join(line.strip() for line in str(error).splitlines())
        answer = problem_response(problem, headers)
    for challenge in _challenges(error):
        answer.headers.append("WWW-Authenticate", challenge)
    return answer


def responses(*statuses: int, text: bool = False) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's description of the problems that an endpoint can answer with.

    :param text: whether it answers with plain text as well, by what the request accepts.
    """
    return {
        status: {
            "model": Problem,
            "description": HTTPStatus(status).phrase,
            **({"content": {"text/plain": {}}} if text else {}),
        }
        for status in (*statuses, 503)
    }


def unexpected(instance: str, request_id: str) -> Problem:
    """The problem of an exception that nobody foresaw; what it was stands in the log only.

    :param request_id: finds it there.
    """
    return Problem(
        type="/problems/error",
        title=WheelyardError.title,
        status=500,
        detail="the service failed in a way that was not foreseen",
        instance=instance,
        kind="error",
        failed="the service failed in a way that was not foreseen",
        do=f"look for request {request_id} in the service's log, and report it",
        facts={"request_id": request_id},
    )


def install(app: FastAPI) -> None:
    """Let an application answer every error with a problem."""

    @app.exception_handler(WheelyardError)
    async def _ours(request: Request, error: WheelyardError) -> Response:
        return error_response(error, request.url.path)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return problem_response(_validation_problem(error, request.url.path))

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        kind, failed = _STATUS_KINDS.get(error.status_code, ("http", str(error.detail)))
        problem = Problem(
            type=f"/problems/{kind}",
            title=HTTPStatus(error.status_code).phrase,
            status=error.status_code,
            detail=failed,
            instance=request.url.path,
            kind=kind,
            failed=failed,
            do="see /openapi.json for the addresses and their methods"
            if error.status_code in (404, 405)
            else "",
        )
        headers = dict(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = ", ".join(_methods(app, request.scope))
        return problem_response(problem, headers)


def _challenges(error: WheelyardError) -> list[str]:
    """What a sender can authenticate by, each in a header of its own: browsers read only the first of one."""
    if isinstance(error, Forbidden):
        scope = error.facts.get("scope")
        return [f'Bearer {_REALM}, error="insufficient_scope"' + (f', scope="{scope}"' if scope else "")]
    if not isinstance(error, Unauthorized):
        return []
    refused = error.facts.get("reason", "missing") != "missing"
    return [
        f'Basic {_REALM}, charset="UTF-8"',
        f"Bearer {_REALM}" + (', error="invalid_token"' if refused else ""),
    ]


def _methods(app: FastAPI, scope: Scope) -> list[str]:
    """What an address takes. Starlette knows only of the first of its routes, and ours have several."""
    return [
        method
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
        if any(route.matches({**scope, "method": method})[0] is Match.FULL for route in app.routes)
    ]


def _validation_problem(error: RequestValidationError, instance: str) -> Problem:
    faults = [
        {"at": ".".join(str(part) for part in fault["loc"]), "message": fault["msg"]}
        for fault in error.errors()
    ]
    first = faults[0] if faults else {"at": "request", "message": "it can't be read"}
    return Problem(
        type="/problems/input",
        title="The request is wrong",
        status=422,
        detail=f"the request is wrong at {first['at']}",
        instance=instance,
        kind="input",
        failed=f"the request is wrong at {first['at']}",
        expected=first["message"],
        do="mend that field; /docs shows an example of every request",
        facts={"faults": faults[:20]},
    )


def page_about(kind: str) -> str | None:
    """A few words about a kind of problem, or None where there is no such kind."""
    waiting: list[type[WheelyardError]] = [WheelyardError]
    while waiting:
        cls = waiting.pop()
        if cls.kind == kind:
            return f"{cls.title}\n\n{(cls.__doc__ or '').splitlines()[0]}\n"
        waiting += cls.__subclasses__()
    return next((f"{text}\n" for name, text in _STATUS_KINDS.values() if name == kind), None)
