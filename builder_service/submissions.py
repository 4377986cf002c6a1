"""Addresses that take requests: builds, images, and the making of a toolchain."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from builder_service.bodies import BuildBody, ImageBody
from builder_service.documents import SubmissionDocument, job_fields, place_of
from builder_service.metrics import metrics_of
from builder_service.problems import responses
from builder_service.services import Opened, Services
from builder_service.tokens import require_token
from wheelyard.digests import key_of
from wheelyard.requests import Submission
from wheelyard.toolchains import get_toolchain

router = APIRouter(dependencies=[Depends(require_token)])

_HEADERS = {"Location": {"description": "Address of the job.", "schema": {"type": "string"}}}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "model": SubmissionDocument,
        "description": "It was made before; the result is in it.",
        "headers": _HEADERS,
    },
    202: {"description": "The job is queued, or runs already.", "headers": _HEADERS},
}


@router.post(
    "/v1/builds",
    status_code=202,
    operation_id="submit_build",
    summary="Ask for wheels",
    tags=["builds"],
    responses={**_ANSWERS, **responses(400, 401, 404, 409, 413, 422)},
)
def submit_build(
    body: BuildBody, services: Opened, request: Request, response: Response
) -> SubmissionDocument:
    """The same request again joins the same build; one that was answered lately is answered at once."""
    return _answer(
        services, services.requests.build(body.request(services), now=time.time()), request, response
    )


@router.post(
    "/v1/images",
    status_code=202,
    operation_id="submit_image",
    summary="Ask for a runtime image",
    tags=["images"],
    responses={**_ANSWERS, **responses(400, 401, 404, 409, 413, 422)},
)
def submit_image(
    body: ImageBody, services: Opened, request: Request, response: Response
) -> SubmissionDocument:
    """Missing wheels are built first. The same request again joins the same image."""
    return _answer(
        services, services.requests.image(body.image_request(services), now=time.time()), request, response
    )


@router.post(
    "/v1/toolchains/{name}/builds",
    status_code=202,
    operation_id="submit_toolchain",
    summary="Ask for a toolchain's images to be made",
    tags=["toolchains"],
    responses={**_ANSWERS, **responses(401, 404, 409, 422)},
)
def submit_toolchain(name: str, services: Opened, request: Request, response: Response) -> SubmissionDocument:
    """Makes the compile image and the runtime base, even where the name stands for some already."""
    toolchain = get_toolchain(name, services.settings.toolchains_dir)
    definition = key_of(toolchain.model_dump(mode="json"))
    return _answer(
        services, services.requests.toolchain(toolchain.name, digest=definition), request, response
    )


def _answer(
    services: Services, submission: Submission, request: Request, response: Response
) -> SubmissionDocument:
    job = submission.job
    outcome = "hit" if submission.cached else "joined" if submission.joined else "queued"
    metrics_of(request).submissions.labels(job.kind.value, outcome).inc()
    response.headers["Location"] = place_of(job)
    response.status_code = 200 if submission.cached else 202
    children = services.ledger.get_many(job.children) if job.children else []
    return SubmissionDocument(**job_fields(job, children), cached=submission.cached, joined=submission.joined)
