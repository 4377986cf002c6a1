"""Addresses of the simple API's pages, from which pip and uv install: one index per channel."""

from __future__ import annotations

import functools
import re
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import RedirectResponse
from packaging.utils import canonicalize_name

from builder_service.accepted import accepted_weights
from builder_service.human_pages import is_for_people
from builder_service.page_cache import Page
from builder_service.page_response import page_response, pages_of
from builder_service.problems import problem_of, problem_response, responses
from builder_service.project_pages import absent_page
from builder_service.services import Services
from wheelyard.catalogue import check_channel
from wheelyard.channels import no_channel
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
_ABSENT_SECONDS = 5
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


@functools.lru_cache(maxsize=256)
def negotiate(accept: str) -> str:
    """The media type to answer with (RFC 9110, section 12.5.1); HTML where nothing is said (PEP 691).

    :raises NotAcceptable: none of ours will do.
    """
    if not accept.strip():
        return _TEXT_HTML
    weights = accepted_weights(accept)

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
async def _add_slash(request: Request) -> RedirectResponse:
    return _redirect(f"{request.url.path}/")


@router.get("/simple/{project}", include_in_schema=False)
@router.get("/channels/{channel}/simple/{project}", include_in_schema=False)
async def _add_slash_to_project(request: Request, project: Project) -> RedirectResponse:
    return _redirect(_canonical_address(request.url.path, project))


def _canonical_address(path: str, project: str) -> str:
    if not _PROJECT.fullmatch(project):
        raise NotFound(
            f"{project[:80]!r} is not the name of a project",
            expected="letters, digits, and . - _ between them (PEP 508)",
        )
    place = path.removesuffix("/").removesuffix(project)
    return f"{place}{canonicalize_name(project)}/"


def _redirect(address: str) -> RedirectResponse:
    return RedirectResponse(address, 301, headers={"Cache-Control": "max-age=3600"})


async def _list_page(request: Request, channel: str, accept: str, form: str) -> Response:
    services: Services = request.app.state.services
    request.state.identity.check_channel(channel)
    media_type = negotiate(form or accept)

    def make() -> Page:
        chain = services.channels.chain(check_channel(channel))
        projects = services.catalogue.projects(*(one.name for one in chain))
        render = project_list_json if media_type == JSON else project_list_html
        return Page.of(render(projects), media_type)

    page = await pages_of(request).get(check_channel(channel), "", media_type, make)
    if page is None:
        raise no_channel(channel)
    return page_response(request, page)


async def _project_page(request: Request, channel: str, project: str, accept: str, form: str) -> Response:
    services: Services = request.app.state.services
    request.state.identity.check_channel(channel)
    media_type = negotiate(form or accept)
    address = _canonical_address(request.url.path, project)
    if address != request.url.path:
        return _redirect(address)

    def make() -> Page | None:
        found = services.pages.read(channel, project)
        if found is None:
            return None
        render = project_json if media_type == JSON else project_html
        body = render(found, services.settings.effective_public_url)
        late = None if found.fresh_seconds is None else services.upstream.late_seconds(project)
        return Page.of(body, media_type, fresh_seconds=found.fresh_seconds, late_seconds=late)

    page = await pages_of(request).get(check_channel(channel), project, media_type, make)
    return await _absent(request, channel, project) if page is None else page_response(request, page)


async def _absent(request: Request, channel: str, project: str) -> Response:
    if is_for_people(request.headers.get("accept", "")):
        return await absent_page(request, channel, project)
    error = NotFound(
        f"the channel {channel} has no wheel of {project}",
        do=f"ask for it with `wheelyard build {project}`, or with POST /v1/builds",
    )
    # Whoever asked may have it built next, and then asks again.
    headers = {"Cache-Control": f"max-age={_ABSENT_SECONDS}", "Vary": "Accept"}
    return problem_response(problem_of(error, request.url.path), headers)


@router.get(
    "/simple/",
    operation_id="list_projects",
    summary="Projects of the channel `default`",
    response_class=Response,
    responses={**_ANSWERS, **responses(406, 422)},
)
@router.head("/simple/", include_in_schema=False)
async def list_projects(
    request: Request,
    accept: Accept = "",
    form: Format = "",
) -> Response:
    """PEP 503 in HTML, PEP 691 in JSON."""
    return await _list_page(request, "default", accept, form)


@router.get(
    "/channels/{channel}/simple/",
    operation_id="list_channel_projects",
    summary="Projects of a channel",
    response_class=Response,
    responses={**_ANSWERS, **responses(404, 406, 422)},
)
@router.head("/channels/{channel}/simple/", include_in_schema=False)
async def list_channel_projects(
    request: Request,
    channel: Channel,
    accept: Accept = "",
    form: Format = "",
) -> Response:
    """The same as `/simple/`, of another channel."""
    return await _list_page(request, channel, accept, form)


@router.get(
    "/simple/{project}/",
    operation_id="list_files",
    summary="Files of a project in the channel `default`",
    response_class=Response,
    responses={**_ANSWERS, **responses(404, 406, 422)},
)
@router.head("/simple/{project}/", include_in_schema=False)
async def list_files(
    request: Request,
    project: Project,
    accept: Accept = "",
    form: Format = "",
) -> Response:
    """As version 1.4 of the specification says: hashes, sizes, times, metadata, yanks, provenance, status."""
    return await _project_page(request, "default", project, accept, form)


@router.get(
    "/channels/{channel}/simple/{project}/",
    operation_id="list_channel_files",
    summary="Files of a project in a channel",
    response_class=Response,
    responses={**_ANSWERS, **responses(404, 406, 422)},
)
@router.head("/channels/{channel}/simple/{project}/", include_in_schema=False)
async def list_channel_files(
    request: Request,
    channel: Channel,
    project: Project,
    accept: Accept = "",
    form: Format = "",
) -> Response:
    """The same as `/simple/{project}/`, of another channel."""
    return await _project_page(request, channel, project, accept, form)
