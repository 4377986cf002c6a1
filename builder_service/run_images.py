"""Images by name, on demand: who pulls `run/TOOLCHAIN/PROJECT:latest` waits until it is made."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass

from anyio import to_thread
from fastapi import Request

from builder_service.image_body import ImageBody
from builder_service.registry_errors import ManifestUnknown, NameInvalid, NameUnknown, StillBuilding
from builder_service.services import Services
from builder_service.tokens import identify
from wheelyard.access_token import Scope
from wheelyard.channels import DEFAULT
from wheelyard.digests import Digest, key_of
from wheelyard.errors import InputError, NotFound, WheelyardError, from_document
from wheelyard.identity import Identity
from wheelyard.image_name import LATEST, ImageName
from wheelyard.jobs.states import Job
from wheelyard.requests import Caller
from wheelyard.run_name import RUN, RunName
from wheelyard.toolchains import get_toolchain

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0
_SUBMIT_SECONDS = 10.0
_FAILED_SECONDS = 30.0
_MOST_FAILED = 1000


@dataclass(slots=True)
class _Ask:
    """One sender's asks for one name, however many wait for it.

    :param until: monotonic seconds of the last one's end; nobody looks at the job after it.
    :param job: as it was seen last; None until it is submitted.
    """

    until: float
    job: Job | None = None
    task: asyncio.Task[None] | None = None


class RunImages:
    """Makes images by their names. Safe to share between requests of one event loop.

    Requests for one name join one job, and one look at it serves all that wait: none holds a thread. What
    failed a moment ago is not tried again: clients repeat what is refused.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._asks: dict[tuple[str, str], _Ask] = {}
        self._failed: OrderedDict[str, tuple[float, WheelyardError]] = OrderedDict()

    async def make(self, request: Request, repository: str, tag: str) -> None:
        """Let the repository have the image that its name asks for, as far as it is made in time.

        An equal request that was answered lately (`resolve_max_age`) is not resolved again.

        :raises Unauthorized: the sender has no token, or not a good one.
        :raises Forbidden: it has not the scope build.
        :raises StillBuilding: it takes longer than the client shall wait.
        :raises ManifestUnknown: it could not be made; the message says why.
        """
        if not self._services.settings.run_images:
            raise NameUnknown(
                "this service makes no images by their names",
                do="set WHEELYARD_RUN_IMAGES, or make one with `wheelyard image` and give it a tag",
            )
        identity = await identify(request, self._services)
        identity.check_scope(Scope.BUILD)
        identity.check_channel(DEFAULT)
        if tag != LATEST:
            raise ManifestUnknown(
                f"images by name have the tag {LATEST} only",
                expected=f"{repository}:{LATEST}",
                found=tag,
                do="write a version into the name: numpy--2.4.6",
            )
        self._refuse_failed(repository)
        job = await self._wait(repository, identity)
        if job is None or not job.state.ended:
            raise self._still_building(repository, job)
        if job.result is None:
            raise self._failure(repository, job)
        await to_thread.run_sync(self._name, repository, job, identity)

    def _submit(self, repository: str, identity: Identity) -> Job:
        services = self._services
        try:
            name = RunName.parse(repository)
        except InputError as error:
            raise NameInvalid(error.failed, expected=error.expected, found=error.found) from error
        try:
            toolchain = get_toolchain(name.toolchain, services.settings.toolchains_dir).name
        except NotFound as error:
            raise NameUnknown(error.failed, expected=error.expected, do=error.do) from error
        # As if it had been sent: the service's own policy and its checks hold here, too.
        body = ImageBody(requirements=list(name.requirements), toolchain=toolchain, channel=DEFAULT)
        # One waiter for one name and one sender, however often he asks.
        waiter = key_of({"run": repository, "by": identity.token or identity.name})[:32]
        caller = Caller(client=identity.name, waiter=waiter, actor="registry")
        return services.requests.image(body.image_request(services), now=time.time(), caller=caller).job

    async def _wait(self, repository: str, identity: Identity) -> Job | None:
        """The job at its end, or as it stands when the client has waited long enough."""
        seconds = self._services.settings.run_wait_seconds
        until, key = time.monotonic() + seconds, (repository, identity.token or identity.name)
        ask = self._asks.get(key)
        if ask is None:
            ask = self._asks[key] = _Ask(until)
            ask.task = asyncio.create_task(self._follow(ask, key, identity))
        ask.until = max(ask.until, until)
        if ask.task is not None:
            # What is submitted is waited for in any case: its refusal is the answer.
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(ask.task), max(seconds, _SUBMIT_SECONDS))
        return ask.job

    async def _follow(self, ask: _Ask, key: tuple[str, str], identity: Identity) -> None:
        """Submit the job, and look at it until it ends or nobody waits any more."""
        try:
            ask.job = await to_thread.run_sync(self._submit, key[0], identity)
            pause = _FIRST_PAUSE_SECONDS
            while not ask.job.state.ended and (left := ask.until - time.monotonic()) > 0:
                await asyncio.sleep(min(pause, left))
                pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)
                ask.job = await to_thread.run_sync(self._services.ledger.get, ask.job.id)
        finally:
            del self._asks[key]

    def _name(self, repository: str, job: Job, identity: Identity) -> None:
        digest = Digest.parse((job.result or {})["image"]["manifest_digest"])
        key = self._services.images.find(str(digest)).key
        name = ImageName(repository=repository, tag=LATEST)
        self._services.image_tags.name_image(name, digest, identity.name, image_key=key)

    def _still_building(self, repository: str, job: Job | None) -> StillBuilding:
        failed = f"{repository} is being built: pull it again in a while"
        if job is None:
            return StillBuilding(failed)
        return StillBuilding(
            failed,
            found=f"job {job.id}, {job.phase or job.state}",
            do=f"watch it at {self._services.settings.effective_public_url}/plans/{job.id}",
            job=job.id,
        )

    def _failure(self, repository: str, job: Job) -> ManifestUnknown:
        cause = from_document(job.error or {})
        error = ManifestUnknown(
            f"{repository} could not be made: {cause.failed}",
            expected=cause.expected,
            found=cause.found[:1000],
            do=f"see {self._services.settings.effective_public_url}/plans/{job.id}",
            job=job.id,
        )
        self._failed[repository] = (time.monotonic(), error)
        self._failed.move_to_end(repository)
        if len(self._failed) > _MOST_FAILED:
            self._failed.popitem(last=False)
        return error

    def _refuse_failed(self, repository: str) -> None:
        at, error = self._failed.get(repository, (float("-inf"), None))
        if error is not None and time.monotonic() - at < _FAILED_SECONDS:
            raise ManifestUnknown(
                error.failed, expected=error.expected, found=error.found, do=error.do, **error.facts
            )


def is_by_name(repository: str) -> bool:
    """Whether a repository's name says what its image shall be of."""
    return repository.partition("/")[0] == RUN
