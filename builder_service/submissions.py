"""Addresses that take requests: builds, plans, verifications, images, and the making of a toolchain."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from builder_service.bodies import AskBody, BuildBody, ToolchainBody
from builder_service.callers import IdempotencyKey, caller_of, keyed_request
from builder_service.documents import SubmissionDocument, job_fields
from builder_service.image_body import ImageBody
from builder_service.image_names import check_tags, move_tags
from builder_service.metrics import metrics_of
from builder_service.problems import responses
from builder_service.services import Opened, Services
from builder_service.tokens import CurrentIdentity, allowed
from builder_service.verifications import VerificationBody
from wheelyard.access_token import Scope
from wheelyard.build_limits import limits_of_build
from wheelyard.digests import key_of
from wheelyard.identity import Identity
from wheelyard.job_place import place_of
from wheelyard.jobs.idempotency import AnsweredBefore, KeptAnswer, KeyedRequest
from wheelyard.jobs.states import Job
from wheelyard.requests import Caller, Submission
from wheelyard.toolchains import get_toolchain
from wheelyard.tracing import current_span

_COUNTED = 200
"""Jobs ahead that an answer counts at the most; a longer queue must not make it slower."""

router = APIRouter()
_BUILDER = [Depends(allowed(Scope.BUILD))]

_HEADERS = {"Location": {"description": "Address of the job.", "schema": {"type": "string"}}}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "model": SubmissionDocument,
        "description": "It was made before, and the result is in it; or the request is a repeat, and its job "
        "has ended.",
        "headers": _HEADERS,
    },
    202: {"description": "The job is queued, or runs already.", "headers": _HEADERS},
}
_ASKING: dict[str, Any] = {
    "status_code": 202,
    "responses": {**_ANSWERS, **responses(400, 401, 403, 404, 409, 413, 422)},
}
"""What every address of a request says of its answers."""
_Ask = Callable[[Caller], Submission]


class _Answering:
    """Turns one request into its answer.

    :param key: the request's `Idempotency-Key`.
    """

    def __init__(
        self, services: Services, identity: Identity, request: Request, response: Response, key: str | None
    ) -> None:
        self._services = services
        self.identity = identity
        self._request = request
        self._response = response
        self._key = key

    def answer(self, body: AskBody, ask: _Ask) -> SubmissionDocument:
        """Submit what is asked for, unless the same request with the same key was answered before."""
        keyed = keyed_request(self._key, body, self._services, self._request, self.identity)
        kept = self._services.keys.find(keyed) if keyed is not None else None
        if kept is not None:
            return self._repeat(kept)
        caller = caller_of(body, self._services, self._request, self.identity, keyed)
        try:
            submission = ask(caller)
            if submission.cached:
                self._keep_hit(submission.job, caller, keyed)
        except AnsweredBefore as before:
            return self._repeat(before.answer)
        outcome = "hit" if submission.cached else "joined" if submission.joined else "queued"
        return self._document(submission.job, caller.waiter, outcome)

    def _keep_hit(self, job: Job, caller: Caller, keyed: KeyedRequest | None) -> None:
        # The webhook first: after a crash between the two, the repeat does both again.
        if caller.webhook:
            self._services.deliveries.add(job.id, caller.webhook, caller.waiter)
        if keyed is not None:
            self._services.keys.keep_hit(keyed, job.id)

    def _repeat(self, kept: KeptAnswer) -> SubmissionDocument:
        job = self._services.ledger.get(kept.job)
        return self._document(job, kept.waiter, kept.outcome, counted="repeated")

    def _document(self, job: Job, waiter: str, outcome: str, *, counted: str = "") -> SubmissionDocument:
        submissions = metrics_of(self._request).submissions
        submissions.labels(job.kind.value, counted or outcome).inc()
        current_span().note({"wheelyard.job.id": job.id, "wheelyard.outcome": counted or outcome})
        self._response.headers["Location"] = place_of(job)
        self._response.status_code = 200 if job.state.ended else 202
        children = self._services.ledger.get_many(job.children) if job.children else []
        place = self._services.places.of(job, _COUNTED)
        return SubmissionDocument(
            **job_fields(job, children, places={job.id: place} if place else {}),
            cached=outcome == "hit",
            joined=outcome == "joined",
            waiter="" if outcome == "hit" else waiter,
        )


async def _answering(
    services: Opened,
    identity: CurrentIdentity,
    request: Request,
    response: Response,
    key: IdempotencyKey = None,
) -> _Answering:
    """`async`, so that it costs no thread."""
    return _Answering(services, identity, request, response, key)


Answering = Annotated[_Answering, Depends(_answering)]
"""The parameter of an endpoint that takes requests for jobs."""


@router.post(
    "/v1/builds",
    operation_id="submit_build",
    summary="Ask for wheels",
    tags=["builds"],
    dependencies=_BUILDER,
    **_ASKING,
)
def submit_build(body: BuildBody, services: Opened, answering: Answering) -> SubmissionDocument:
    """The same request again joins the same build; one that was answered lately is answered at once."""
    answering.identity.check_channel(body.channel)

    def ask(caller: Caller) -> Submission:
        return services.requests.build(body.request(services), now=time.time(), caller=caller)

    return answering.answer(body, ask)


@router.post(
    "/v1/plans",
    operation_id="submit_plan",
    summary="Ask what a build would do",
    tags=["plans"],
    dependencies=_BUILDER,
    **_ASKING,
)
def submit_plan(body: BuildBody, services: Opened, answering: Answering) -> SubmissionDocument:
    """The body is that of a build. Everything is resolved and looked up; nothing is compiled."""
    answering.identity.check_channel(body.channel)

    def ask(caller: Caller) -> Submission:
        return services.requests.plan(body.request(services), now=time.time(), caller=caller)

    return answering.answer(body, ask)


@router.post(
    "/v1/images",
    operation_id="submit_image",
    summary="Ask for a runtime image",
    tags=["images"],
    dependencies=_BUILDER,
    **_ASKING,
)
def submit_image(body: ImageBody, services: Opened, answering: Answering) -> SubmissionDocument:
    """Missing wheels are built first. The same request again joins the same image.

    Tags are moved in the service's registry, which takes the right to publish there.
    """
    answering.identity.check_channel(body.channel)
    check_tags(body.tags, answering.identity)

    def ask(caller: Caller) -> Submission:
        request = body.image_request(services)
        submission = services.requests.image(request, now=time.time(), caller=caller)
        if submission.cached:
            move_tags(services, submission.job, request.tags, answering.identity.name)
        return submission

    return answering.answer(body, ask)


@router.post(
    "/v1/toolchains/{name}/builds",
    operation_id="submit_toolchain",
    summary="Ask for a toolchain's images to be made",
    tags=["toolchains"],
    dependencies=[Depends(allowed(Scope.ADMIN))],
    **_ASKING,
)
def submit_toolchain(
    name: str, services: Opened, answering: Answering, body: ToolchainBody | None = None
) -> SubmissionDocument:
    """Makes the compile image and the runtime base, even where the name stands for some already."""

    def ask(caller: Caller) -> Submission:
        toolchain = get_toolchain(name, services.settings.toolchains_dir)
        definition = key_of(toolchain.model_dump(mode="json"))
        return services.requests.toolchain(toolchain.name, digest=definition, caller=caller)

    return answering.answer(body or ToolchainBody.model_validate({}), ask)


@router.post(
    "/v1/verifications",
    operation_id="submit_verification",
    summary="Ask for a published wheel to be built again and compared",
    tags=["verifications"],
    dependencies=_BUILDER,
    **_ASKING,
)
def submit_verification(body: VerificationBody, services: Opened, answering: Answering) -> SubmissionDocument:
    """Builds it of the very same inputs in another place, on another host and at another time.

    The published wheel stays, whatever comes out. The job's result says whether the two are equal, and which
    members differ where they are not.
    """
    answering.identity.check_channel(body.channel)

    def ask(caller: Caller) -> Submission:
        record = body.record(services)
        limits = limits_of_build(services.settings, record.toolchain, record.inputs)
        return services.requests.verification(record, channel=body.channel, limits=limits, caller=caller)

    return answering.answer(body, ask)
