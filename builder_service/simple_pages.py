"""The simple API's pages (PEP 503, PEP 691), from which pip and uv install: one index per channel."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import RedirectResponse
from packaging.utils import canonicalize_name

from builder_service.blob_response import etag_matches
from builder_service.problems import responses
from builder_service.services import Opened, Services
from wheelyard.catalogue import check_channel
from wheelyard.errors import InputError, NotFound
from wheelyard.simple_index import (
    HTML,
    JSON,
    project_html,
    project_json,
    project_list_html,
    project_list_json,
)

router = APIRouter(tags=["index"])
_PROJECT = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,198}[A-Za-z0-9])?")
_TEXT_HTML = "text/html"
_OFFERS = (
    (JSON, JSON),
    ("application/vnd.pypi.simple.latest+json", JSON),
    (HTML, HTML),
    ("application/vnd.pypi.simple.latest+html", HTML),
    (_TEXT_HTML, _TEXT_HTML),
)
_PAGES = {
    "description": "The page, in the form that `Accept` asks for.",
    "content": {name: {"schema": {"type": "string"}} for name in (JSON, HTML, _TEXT_HTML)},
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: _PAGES,
    301: {"description": "To the canonical address"},
    304: {"description": "Not modified"},
}
Accept = Annotated[str, Header(max_length=2000, description="Media types, as PEP 691 names them.")]
Format = Annotated[
    str, Query(alias="format", max_length=100, description="A media type that wins over `Accept` (PEP 691).")
]
Channel = Annotated[str, Path(max_length=100, description="A channel's name.")]
Project = Annotated[str, Path(max_length=300, description="A project's name.")]


class NotAcceptable(InputError):
    """The page does not exist in any form that was asked for."""

    kind = "not-acceptable"
    title = "No such form"
    status = 406


def negotiate(accept: str) -> str:
    """The media type to answer with (RFC 9110, section 12.5.1); HTML where nothing is said (PEP 691).

    :raises NotAcceptable: none of ours will do.
    """
    if not accept.strip():
        return _TEXT_HTML
    weights: dict[str, float] = {}
    for part in accept.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        weight = next((value[2:] for value in parameters if value.startswith("q=")), "1")
        try:
            weights[name] = max(weights.get(name, 0.0), float(weight))
        except ValueError:
            continue

    def weight_of(name: str) -> float:
        for pattern in (name, name.partition("/")[0] + "/*"):
            if pattern in weights:
                return weights[pattern]
        return 0.0

    best = max(_OFFERS, key=lambda offer: weight_of(offer[0]))
    if weight_of(best[0]) > 0:
        return best[1]
    if weights.get("*/*", 0.0) > 0:
        return _TEXT_HTML
    raise NotAcceptable(
        "the page does not exist in that form",
        expected=f"{JSON}, {HTML} or {_TEXT_HTML}",
        found=accept[:200],
        do="ask for one of these with the header Accept",
    )


@router.get("/simple", include_in_schema=False)
@router.get("/channels/{channel}/simple", include_in_schema=False)
def _add_slash(request: Request) -> RedirectResponse:
    return RedirectResponse(f"{request.url.path}/", 301)


def _list_page(services: Services, request: Request, channel: str, accept: str, form: str) -> Response:
    projects = services.catalogue.projects(check_channel(channel))
    return _page(
        request, form or accept, lambda: project_list_json(projects), lambda: project_list_html(projects)
    )


def _project_page(
    services: Services, request: Request, channel: str, project: str, accept: str, form: str
) -> Response:
    if not _PROJECT.fullmatch(project):
        raise NotFound(f"{project[:80]!r} is not the name of a project")
    name = canonicalize_name(project)
    if name != project or not request.url.path.endswith("/"):
        place = request.url.path.removesuffix("/").removesuffix(project)
        return RedirectResponse(f"{place}{name}/", 301, headers={"Cache-Control": "max-age=3600"})
    files = services.catalogue.files(check_channel(channel), name)
    if not files:
        raise NotFound(
            f"the channel {channel} has no wheel of {name}",
            do=f"ask for it with `wheelyard build {name}`, or with POST /v1/builds",
        )
    return _page(
        request, form or accept, lambda: project_json(name, files), lambda: project_html(name, files)
    )


def _page(
    request: Request, accept: str, as_json: Callable[[], bytes], as_html: Callable[[], bytes]
) -> Response:
    media_type = negotiate(accept)
    body = as_json() if media_type == JSON else as_html()
    etag = f'"{hashlib.sha256(media_type.encode() + body).hexdigest()[:32]}"'
    # What the index shows changes at any time; who holds a copy asks whether it still is the newest.
    headers = {"ETag": etag, "Vary": "Accept", "Cache-Control": "no-cache"}
    if etag_matches(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=headers)
    headers["Content-Length"] = str(len(body))
    content_type = f"{media_type}; charset=utf-8" if media_type == _TEXT_HTML else media_type
    content = b"" if request.method == "HEAD" else body
    return Response(content, headers={**headers, "Content-Type": content_type})


@router.get(
    "/simple/",
    operation_id="list_projects",
    summary="Projects of the channel `default`",
    response_class=Response,
    responses={**_ANSWERS, **responses(406)},
)
@router.head("/simple/", include_in_schema=False)
def list_projects(
    services: Opened,
    request: Request,
    accept: Accept = "",
    form: Format = "",
) -> Response:
    """PEP 503 in HTML, PEP 691 in JSON."""
    return _list_page(services, request, "default", accept, form)


@router.get(
    "/channels/{channel}/simple/",
    operation_id="list_channel_projects",
    summary="Projects of a channel",
    response_class=Response,
    responses={**_ANSWERS, **responses(406, 422)},
)
@router.head("/channels/{channel}/simple/", include_in_schema=False)
def list_channel_projects(
    services: Opened,
    request: Request,
    channel: Channel,
    accept: Accept = "",
    form: Format = "",
) -> Response:
    """The same as `/simple/`, of another channel."""
    return _list_page(services, request, channel, accept, form)


@router.get("/simple/{project}", include_in_schema=False)
@router.get(
    "/simple/{project}/",
    operation_id="list_files",
    summary="Files of a project in the channel `default`",
    response_class=Response,
    responses={**_ANSWERS, **responses(404, 406, 422)},
)
@router.head("/simple/{project}/", include_in_schema=False)
def list_files(
    services: Opened,
    request: Request,
    project: Project,
    accept: Accept = "",
    form: Format = "",
) -> Response:
    """With hashes, sizes and times (PEP 700) and the metadata's hash (PEP 658, PEP 714)."""
    return _project_page(services, request, "default", project, accept, form)


@router.get("/channels/{channel}/simple/{project}", include_in_schema=False)
@router.get(
    "/channels/{channel}/simple/{project}/",
    operation_id="list_channel_files",
    summary="Files of a project in a channel",
    response_class=Response,
    responses={**_ANSWERS, **responses(404, 406, 422)},
)
@router.head("/channels/{channel}/simple/{project}/", include_in_schema=False)
def list_channel_files(
    services: Opened,
    request: Request,
    channel: Channel,
    project: Project,
    accept: Accept = "",
    form: Format = "",
) -> Response:
    """The same as `/simple/{project}/`, of another channel."""
    return _project_page(services, request, channel, project, accept, form)
