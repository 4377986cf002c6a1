"""A project for people: which wheels there are, for which toolchains, and how the missing ones are built."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from builder_service.human_pages import human_page
from builder_service.services import Opened, Services
from builder_service.tokens import CurrentIdentity
from wheelyard.catalogue import check_channel
from wheelyard.channels import DEFAULT
from wheelyard.index_address import index_url
from wheelyard.lock_standing import PythonRoom
from wheelyard.project_page import PageFile
from wheelyard.toolchains import Toolchain, list_toolchains

router = APIRouter(include_in_schema=False)
_ABSENT_SECONDS = 5
_MOST_FILES = 200
_NAME = r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,198}[A-Za-z0-9])?$"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolchainLine:
    """What there is for one toolchain.

    :param newest: the highest version that has a wheel for it; empty for none.
    :param command: builds what is missing: the newest version that is here for others, else what is newest.
    """

    name: str
    python: str
    policy: str
    newest: str
    missing: bool
    command: str


@router.get("/wheels/{project}")
def wheels_page(
    services: Opened,
    identity: CurrentIdentity,
    project: Annotated[str, Path(max_length=200, pattern=_NAME)],
    channel: Annotated[str, Query(max_length=63)] = DEFAULT,
) -> HTMLResponse:
    """What a channel has of a project, and the commands that build the rest."""
    identity.check_channel(channel)
    return project_page(services, check_channel(channel), canonicalize_name(project))


async def absent_page(request: Request, channel: str, project: str) -> HTMLResponse:
    """What a browser gets of a project that a channel has nothing of; an installer gets a problem."""
    services: Services = request.app.state.services
    return await to_thread.run_sync(project_page, services, channel, project)


def project_page(services: Services, channel: str, project: str) -> HTMLResponse:
    """The page of a project.

    :param project: canonical name.
    :raises NotFound: there is no such channel.
    """
    found = services.pages.read(channel, project)
    files = () if found is None else found.files
    settings = services.settings
    base = settings.effective_public_url
    toolchains = list_toolchains(settings.toolchains_dir)
    return human_page(
        "project.html",
        status=404 if found is None else 200,
        seconds=_ABSENT_SECONDS if found is None else 0,
        project=project,
        channel=channel,
        files=sorted(files, key=_newest_first, reverse=True)[:_MOST_FILES],
        more=max(0, len(files) - _MOST_FILES),
        index=index_url(base, channel),
        status_word="active" if found is None else found.status.value,
        reason="" if found is None else found.reason,
        toolchains=[_line(one, project, channel, files) for one in toolchains],
        default=settings.toolchain,
    )


def _line(toolchain: Toolchain, project: str, channel: str, files: Iterable[PageFile]) -> ToolchainLine:
    room = PythonRoom(python=toolchain.python.version, tag=toolchain.python.tag, policy=toolchain.policy)
    fitting = [file.version for file in files if room.accepts(_tags(file), file.requires_python)]
    known = max((file.version for file in files), key=_order, default="")
    newest = max(fitting, key=_order, default="")
    requirement = f"{project}=={known}" if known else project
    words = ["wheelyard", "build", requirement, "--toolchain", toolchain.name]
    if channel != DEFAULT:
        words += ["--channel", channel]
    return ToolchainLine(
        name=toolchain.name,
        python=toolchain.python.version,
        policy=toolchain.policy,
        newest=newest,
        missing=not newest or _order(newest) < _order(known),
        command=shlex.join(words),
    )


def _newest_first(file: PageFile) -> tuple[Version, str]:
    return _order(file.version), file.filename


def _tags(file: PageFile) -> frozenset[Tag]:
    try:
        return parse_wheel_filename(file.filename)[3]
    except InvalidWheelFilename:
        return frozenset()


def _order(version: str) -> Version:
    try:
        return Version(version)
    except InvalidVersion:
        return Version("0")
