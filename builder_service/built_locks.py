"""Addresses of locks: what a build comes to, as requirements with hashes or as pylock.toml."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response

from builder_service.jobs import job_finder
from builder_service.plans import planned_job
from builder_service.problems import responses
from builder_service.services import Opened, Services
from wheelyard.built_lock import BuiltLock, projects_of
from wheelyard.digests import Digest
from wheelyard.errors import NotFound
from wheelyard.index_address import index_url
from wheelyard.jobs.states import Job, Kind
from wheelyard.locks import Lock
from wheelyard.toolchains import get_toolchain
from wheelyard.wheel_tags import machine_of

router = APIRouter(prefix="/v1")
Form = Annotated[
    Literal["requirements", "pylock"],
    Query(
        alias="format", description="Requirements with hashes, as pip reads them, or pylock.toml (PEP 751)."
    ),
]
_TEXT: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}


@router.get(
    "/builds/{job_id}/lock",
    operation_id="read_build_lock",
    summary="The lock of one build",
    tags=["builds"],
    response_class=Response,
    responses={**_TEXT, **responses(403, 404, 422)},
)
def of_build(
    services: Opened, job: Annotated[Job, Depends(job_finder(Kind.BUILD))], form: Form = "requirements"
) -> Response:
    """Every project at its version, with the hash of the wheel that was built here and of its sdist."""
    return _lock_of(services, job, form)


@router.get(
    "/plans/{job_id}/lock",
    operation_id="read_plan_lock",
    summary="The lock of one plan",
    tags=["plans"],
    response_class=Response,
    responses={**_TEXT, **responses(403, 404, 422)},
)
def of_plan(
    services: Opened, job: Annotated[Job, Depends(job_finder(None))], form: Form = "requirements"
) -> Response:
    """The same of a plan, or of a build or an image by its id; what is not built yet has its sdist's hash."""
    return _lock_of(services, job, form)


def _lock_of(services: Services, job: Job, form: str) -> Response:
    planned = planned_job(services, job)
    if planned.plan is None:
        raise NotFound(
            f"job {planned.job.id} has no lock yet",
            found=planned.job.phase or planned.job.state,
            do="ask again when its requirements are resolved",
        )
    stream = services.store.open_blob(Digest.parse(planned.plan.lock))
    if stream is None:
        raise NotFound(
            f"the lock of job {planned.job.id} is not in the store any more",
            do="ask for the build again, which makes it anew",
        )
    with stream:
        lock = Lock.from_document(json.loads(stream.read()))
    toolchain = get_toolchain(planned.plan.toolchain, services.settings.toolchains_dir)
    site, channel = services.settings.effective_public_url, planned.job.channel
    built = BuiltLock(
        toolchain=toolchain.name,
        python=toolchain.python.version,
        machine=machine_of(toolchain.policy),
        site=site,
        index=index_url(site, channel),
        projects=projects_of(planned.plan, lock),
    )
    text = built.pylock_text() if form == "pylock" else built.requirements_text()
    return Response(text, media_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-cache"})
