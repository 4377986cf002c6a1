"""How what a client asks for becomes a job: wheels, an image, a toolchain."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wheelyard.build_request import BuildRequest
from wheelyard.catalogue import Catalogue
from wheelyard.digests import key_of
from wheelyard.doorbell import Doorbell
from wheelyard.errors import QueueUnavailable
from wheelyard.image_record import WheelPin
from wheelyard.image_request import ImageRequest
from wheelyard.jobs.ledger import Beside, Ledger
from wheelyard.jobs.states import Job, Kind, Priority, queue_of
from wheelyard.limits import Limits
from wheelyard.recipe_layers import recipes_key
from wheelyard.tracing import current_span
from wheelyard.wheel_record import WheelRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, and what for him is not part of the work itself.

    :param client: whom fairness counts; clients of one priority take turns.
    :param priority: interactive goes before batch.
    :param waiter: id of this request, or of the job that waits; empty draws one.
    :param webhook: address that is told of the end; empty means none.
    :param actor: who stands in the job's history.
    :param beside: writes more in the transaction that accepts the job; see `Ledger.submit`.
    """

    client: str = ""
    priority: int = Priority.INTERACTIVE
    waiter: str = ""
    webhook: str = ""
    actor: str = "api"
    beside: Beside | None = None

    @classmethod
    def of_job(cls, job: Job, actor: str) -> Caller:
        """A job that asks for another one, on behalf of whoever asked for itself."""
        return cls(client=job.client, priority=job.priority, waiter=job.id, actor=actor)


ANYBODY = Caller()


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """The job that answers a request.

    :param cached: it had succeeded before; nothing was queued.
    :param joined: it was active already; this request waits with others.
    """

    job: Job
    cached: bool
    joined: bool


class Requests:
    """Turns requests into jobs: answers from what succeeded, joins what is active, queues and rings the rest.

    :param max_age: seconds for which a lock answers an equal request.
    :param recipes_dir: the team's folder of recipes; what was made by other recipes answers no more.
    """

    def __init__(
        self,
        ledger: Ledger,
        catalogue: Catalogue,
        doorbell: Doorbell,
        max_age: float,
        recipes_dir: Path | None = None,
    ) -> None:
        self._ledger = ledger
        self._catalogue = catalogue
        self._doorbell = doorbell
        self._max_age = max_age
        self._recipes_dir = recipes_dir

    def build(self, request: BuildRequest, *, now: float, caller: Caller = ANYBODY) -> Submission:
        """Submit a build request."""
        title = ", ".join(request.requirements)
        return self._submit(Kind.BUILD, request, request.to_document(), title, now, caller)

    def plan(self, request: BuildRequest, *, now: float, caller: Caller = ANYBODY) -> Submission:
        """Submit a build request that is only looked at: its plan, and nothing is compiled."""
        title = "plan of " + ", ".join(request.requirements)
        return self._submit(Kind.PLAN, request, request.to_document(), title, now, caller)

    def image(self, request: ImageRequest, *, now: float, caller: Caller = ANYBODY) -> Submission:
        """Submit an image request."""
        named = request.build.requirements or (request.app_wheel_name or "an application",)
        title = "image of " + ", ".join(named)
        return self._submit(Kind.IMAGE, request.build, request.to_document(), title, now, caller)

    def wheel(
        self, key: str, *, spec: dict[str, Any], title: str, subject: str, toolchain: str, channel: str,
        caller: Caller,
    ) -> Submission:  # fmt: skip
        """Submit the build of one wheel.

        :param key: its build key.
        :param subject: its project, whose earlier builds say how long it takes.
        """
        return self._queue(
            Kind.WHEEL, key, spec=spec, title=title, subject=subject, toolchain=toolchain, channel=channel,
            caller=caller,
        )  # fmt: skip

    def verification(
        self, record: WheelRecord, *, channel: str, limits: Limits, caller: Caller = ANYBODY
    ) -> Submission:
        """Submit the comparison of a published wheel with the same one built again.

        :param channel: that shows it, and whose readers may see the job.
        :param limits: of the build.
        """
        inputs = record.inputs
        # A key of its own: a build of that wheel is another job, and a second comparison is a new one.
        key = key_of({"kind": Kind.VERIFY.value, "build_key": record.key, "channel": channel})
        # The inputs are there for who keeps secrets out of logs, and for who keeps bytes that are in use.
        spec = {"build_key": record.key, "inputs": inputs.to_document(), "limits": limits.to_document()}
        return self._queue(
            Kind.VERIFY, key, spec=spec, title=f"verification of {inputs.project} {inputs.version}",
            subject=inputs.project, toolchain=record.toolchain, channel=channel, caller=caller,
        )  # fmt: skip

    def native(
        self, key: str, *, spec: dict[str, Any], title: str, subject: str, toolchain: str, caller: Caller
    ) -> Submission:
        """Submit the making of one native artifact.

        :param key: its build key.
        :param subject: its name, whose earlier builds say how long it takes.
        """
        return self._queue(
            Kind.NATIVE, key, spec=spec, title=title, subject=subject, toolchain=toolchain, caller=caller
        )

    def layer(self, pin: WheelPin, *, image: str, toolchain: str, channel: str, caller: Caller) -> Submission:
        """Submit the making of one wheel's layer, ahead of the images that will want it.

        :param image: id of the compile image that fills it.
        :param channel: that the wheel is published in, and whose readers may see the job.
        """
        key = key_of({"kind": Kind.LAYER.value, "wheel": str(pin.digest), "image": image})
        return self._queue(
            Kind.LAYER, key, spec={"wheel": pin.to_document(), "image": image}, title=f"layer of {pin.title}",
            subject=pin.project, toolchain=toolchain, channel=channel, caller=caller,
        )  # fmt: skip

    def toolchain(self, name: str, *, digest: str, caller: Caller = ANYBODY) -> Submission:
        """Submit the making of a toolchain.

        :param digest: key of the toolchain's own definition, so that an edited one is another job.
        """
        key = key_of({"kind": "toolchain", "name": name, "definition": digest})
        return self._queue(
            Kind.TOOLCHAIN, key, spec={"toolchain": name}, title=f"toolchain {name}", toolchain=name,
            caller=caller,
        )  # fmt: skip

    def ring(self, job: Job) -> None:
        """Ring for a job; where Redis is out, the relay rings later, and the job is accepted all the same."""
        try:
            self._doorbell.ring(job.id, queue_of(job.kind, job.toolchain))
        except QueueUnavailable:
            return

    def _submit(
        self,
        kind: Kind,
        build: BuildRequest,
        document: dict[str, Any],
        title: str,
        now: float,
        caller: Caller,
    ) -> Submission:
        image = self._catalogue.toolchain_image(build.toolchain) or build.toolchain
        key = key_of(
            {
                "kind": kind.value,
                "request": _identity(document),
                "toolchain_image": image,
                "recipes": recipes_key(self._recipes_dir),
            }
        )
        # A plan says how things stand now, and not how they stood when somebody else asked.
        if kind is not Kind.PLAN and not build.refresh:
            done = self._ledger.last_success(key, now - self._max_age)
            if done is not None:
                return Submission(job=done, cached=True, joined=False)
        return self._queue(
            kind, key, spec=document, title=title, toolchain=build.toolchain, channel=build.channel,
            caller=caller,
        )  # fmt: skip

    def _queue(
        self,
        kind: Kind,
        key: str,
        *,
        spec: dict[str, Any],
        title: str,
        toolchain: str,
        caller: Caller,
        channel: str = "default",
        subject: str = "",
    ) -> Submission:
        job, joined = self._ledger.submit(
            kind,
            key,
            spec=spec,
            title=title,
            subject=subject,
            toolchain=toolchain,
            channel=channel,
            client=caller.client,
            priority=caller.priority,
            waiter=caller.waiter,
            webhook=caller.webhook,
            actor=caller.actor,
            trace=current_span().traceparent,
            beside=caller.beside,
        )
        if not joined:
            self.ring(job)
        return Submission(job=job, cached=False, joined=joined)


def _identity(document: dict[str, Any]) -> dict[str, Any]:
    """What makes two requests equal: a refreshed answer is the newest one for everybody who asks later.

    Limits change no byte of what is made; the ones of who asked first hold.
    """
    return {
        name: _identity(value) if name == "build" else value
        for name, value in document.items()
        if name not in ("refresh", "limits")
    }
