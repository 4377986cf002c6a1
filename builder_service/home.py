"""The front page: what this service is, whether it is well, what it does now, and the lines to copy."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse

from builder_service.health import NotReady, readyz
from builder_service.human_pages import human_page
from builder_service.problems import page_about
from builder_service.services import Opened
from builder_service.tokens import CurrentIdentity, allowed
from wheelyard import __version__
from wheelyard.access_token import Scope
from wheelyard.errors import InfrastructureError, NotFound
from wheelyard.jobs.states import Job

router = APIRouter(include_in_schema=False)


@router.get("/", dependencies=[Depends(allowed(Scope.READ))])
def home(services: Opened, identity: CurrentIdentity, request: Request) -> HTMLResponse:
    """A page without any script or foreign resource; it says so where a part is out."""
    parts: dict[str, str] = {}
    try:
        parts = readyz(services, request).parts
    except NotReady as error:
        parts = error.facts["parts"]
    jobs: list[Job] = []
    projects: list[str] = []
    try:
        jobs = services.ledger.latest(12, channels=identity.channels)
        if identity.may_use("default"):
            projects = services.catalogue.projects("default")
    except InfrastructureError:
        # The parts above say so already.
        pass
    return human_page(
        "home.html",
        version=__version__,
        url=services.settings.effective_public_url,
        parts=parts,
        jobs=jobs,
        projects=projects,
        toolchain=services.settings.toolchain,
    )


@router.get("/problems/{kind}")
async def about_problem(kind: Annotated[str, Path(max_length=100)]) -> Response:
    """What a problem's `type` leads to."""
    text = page_about(kind)
    if text is None:
        raise NotFound(f"there is no kind of problem {kind!r}")
    return PlainTextResponse(text)
