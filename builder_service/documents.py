"""What clients get: the documents of jobs, toolchains and wheels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from types import MappingProxyType
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from builder_service.problems import Problem, problem_of
from wheelyard.errors import from_document
from wheelyard.index_file import FileKind, IndexFile
from wheelyard.job_place import place_of
from wheelyard.job_result import told_result
from wheelyard.jobs.deliveries import Delivery
from wheelyard.jobs.queue_place import QueuePlace
from wheelyard.jobs.states import Job, Kind, Priority, State
from wheelyard.toolchains import Toolchain

_NO_PLACES: Mapping[str, QueuePlace] = MappingProxyType({})
_ID = "019abf2e5f7c7c3e8f0e5a1d2c3b4a59"


class Links(BaseModel):
    """Addresses below the service's own."""

    self: str
    events: str
    log: str


class QueueDocument(BaseModel):
    """Where an active job stands in its queue; each field is null where nobody knows."""

    place: int | None = Field(description="1 for the next one; 0 for one that does not wait for its turn.")
    ahead: int | None = Field(description="Jobs that run or go before it.")
    wait_seconds: float | None = Field(
        description="Estimate until its turn; of a job that waits for others, until the slowest one's end."
    )
    usual_seconds: float | None = Field(description="What the like of it took, from claim to end.")


class ChildDocument(BaseModel):
    """A job that another one waits for."""

    id: str
    kind: Kind
    title: str
    state: State
    phase: str
    queue: QueueDocument | None = Field(description="Null once it ended, or where it was not looked at.")
    links: Links


class TransitionDocument(BaseModel):
    """Who moved a job from one state to another, when and why."""

    model_config = ConfigDict(populate_by_name=True)
    at: float = Field(description="Epoch seconds.")
    actor: str
    before: str = Field(alias="from")
    after: str = Field(alias="to")
    fence: int
    cause: str = Field(description="Why, in one of a few words: submitted, claimed, retried, lease-lost …")
    reason: str


class JobDocument(BaseModel):
    """A job as it stood when it was asked for. Times are epoch seconds, 0 where it did not happen yet."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": _ID,
                    "kind": "build",
                    "state": "building",
                    "phase": "waiting",
                    "title": "numpy",
                    "toolchain": "debian12-cp311",
                    "channel": "default",
                    "client": "ada@workstation",
                    "priority": "interactive",
                    "queue": {"place": 0, "ahead": 0, "wait_seconds": 240.0, "usual_seconds": 300.0},
                    "waiters": 2,
                    "attempts": 0,
                    "cancel_requested": False,
                    "created_at": 1764000000.0,
                    "started_at": 1764000000.4,
                    "ended_at": 0.0,
                    "children": [],
                    "result": None,
                    "error": None,
                    "links": {
                        "self": f"/v1/builds/{_ID}",
                        "events": f"/v1/builds/{_ID}/events",
                        "log": f"/v1/builds/{_ID}/log",
                    },
                }
            ]
        }
    )
    id: str
    kind: Kind
    state: State
    phase: str = Field(
        description="What it does now: resolve, fetch, compile, waiting; empty before and after."
    )
    title: str
    toolchain: str
    channel: str
    client: str = Field(description="Who asked first.")
    priority: Literal["interactive", "batch"]
    queue: QueueDocument | None = Field(description="Where it stands; null once it ended.")
    waiters: int = Field(description="Requests and jobs that joined and did not leave.")
    attempts: int = Field(description="Tries that ended badly.")
    cancel_requested: bool
    created_at: float
    started_at: float
    ended_at: float
    children: list[ChildDocument] = Field(description="Jobs that this one waits for; empty in lists.")
    result: dict[str, Any] | None = Field(None, description="What it made, by kind; null until it succeeded.")
    error: Problem | None = Field(None, description="Why it failed or was cancelled.")
    links: Links
    transitions: list[TransitionDocument] | None = Field(None, description="Only where it was asked for.")


class SubmissionDocument(JobDocument):
    """The job that answers a request."""

    cached: bool = Field(description="It had succeeded before; nothing was queued.")
    joined: bool = Field(description="It was active already; this request waits with others.")
    waiter: str = Field(
        description="This request's own id: `DELETE …?waiter=ID` leaves the job for it and for nobody else. "
        "Empty where there is nothing to wait for."
    )


class DeliveryDocument(BaseModel):
    """One webhook of a job, and what became of it. Times are epoch seconds."""

    id: str = Field(description="The `webhook-id` of all its tries.")
    address: str = Field(description="Scheme and host; the rest may be a secret.")
    outcome: Literal["due", "delivered", "given-up"]
    attempts: int
    next_at: float = Field(description="Of the next try; 0 where none will be.")
    delivered_at: float
    found: str = Field(description="What the last try came to.")


class DeliveryList(BaseModel):
    """A job's webhooks; there are none before it ended."""

    webhooks: list[DeliveryDocument]


class JobList(BaseModel):
    """Jobs, newest first."""

    jobs: list[JobDocument]


class ToolchainDocument(BaseModel):
    """A toolchain's definition, and what was made of it."""

    name: str
    description: str
    python: str
    tag: str = Field(description="Python tag (PEP 425).")
    policy: str = Field(description="Platform tag (PEP 600) of its wheels.")
    default: bool = Field(description="Whether requests that name no toolchain get this one.")
    image: str = Field(description="Image id that the name stands for now; empty where it was not made yet.")
    definition: dict[str, Any] = Field(description="Its file.")
    record: dict[str, Any] | None = Field(None, description="Record of that image; null in lists.")


class ToolchainList(BaseModel):
    """Toolchains by name."""

    toolchains: list[ToolchainDocument]


class WheelDocument(BaseModel):
    """One file that a channel shows. Sizes in bytes, times in epoch seconds."""

    channel: str
    project: str
    version: str
    filename: str
    digest: str
    size: int
    requires_python: str
    metadata_digest: str
    build_key: str
    kind: FileKind
    yanked: str | None = Field(
        description="The reason (PEP 592), perhaps empty; null where it is not yanked."
    )
    published_at: float
    url: str = Field(description="Address of the file, below the service's own.")


class WheelList(BaseModel):
    """Files of the cache, by channel, project and name."""

    wheels: list[WheelDocument]


class WheelDetail(BaseModel):
    """All that is known of the wheel of one build key."""

    wheels: list[WheelDocument] = Field(description="The channels that show it.")
    record: dict[str, Any] = Field(
        description="Inputs, output, toolchain and times, as they lie in the store."
    )


class BlobDocument(BaseModel):
    """A blob that the store holds."""

    digest: str
    size: int = Field(description="In bytes.")


def job_fields(
    job: Job,
    children: Iterable[Job] = (),
    transitions: Sequence[dict[str, Any]] | None = None,
    places: Mapping[str, QueuePlace] = _NO_PLACES,
) -> dict[str, Any]:
    """The fields of a `JobDocument`.

    :param children: the jobs that it waits for.
    :param transitions: as the ledger gives them; None leaves them out.
    :param places: where it and they stand, by id.
    """
    return {
        "id": job.id,
        "kind": job.kind,
        "state": job.state,
        "phase": job.phase,
        "title": job.title,
        "toolchain": job.toolchain,
        "channel": job.channel,
        "client": job.client,
        "priority": "batch" if job.priority >= Priority.BATCH else "interactive",
        "queue": _queue(places.get(job.id)),
        "waiters": job.waiters,
        "attempts": job.attempts,
        "cancel_requested": job.cancel_requested,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "ended_at": job.ended_at,
        "children": [
            ChildDocument(
                id=child.id,
                kind=child.kind,
                title=child.title,
                state=child.state,
                phase=child.phase,
                queue=_queue(places.get(child.id)),
                links=_links(child),
            )
            for child in children
        ],
        "result": told_result(job.result),
        "error": problem_of(from_document(job.error), place_of(job)) if job.error else None,
        "links": _links(job),
        "transitions": (
            None
            if transitions is None
            else [TransitionDocument.model_validate(entry) for entry in transitions]
        ),
    }


def wheel_document(file: IndexFile, url: str) -> WheelDocument:
    """A catalogue's file as a document.

    :param url: path of its bytes.
    """
    return WheelDocument(
        channel=file.channel,
        project=file.project,
        version=file.version,
        filename=file.filename,
        digest=str(file.digest),
        size=file.size,
        requires_python=file.requires_python,
        metadata_digest="" if file.metadata_digest is None else str(file.metadata_digest),
        build_key=file.build_key,
        kind=file.kind,
        yanked=file.yanked,
        published_at=file.published_at,
        url=url,
    )


def toolchain_document(
    toolchain: Toolchain, image: str | None, *, default: bool, record: dict[str, Any] | None = None
) -> ToolchainDocument:
    """A toolchain as a document.

    :param image: image id that its name stands for, or None.
    """
    return ToolchainDocument(
        name=toolchain.name,
        description=toolchain.description,
        python=toolchain.python.version,
        tag=toolchain.python.tag,
        policy=toolchain.policy,
        default=default,
        image=image or "",
        definition=toolchain.model_dump(mode="json"),
        record=record,
    )


def delivery_document(delivery: Delivery) -> DeliveryDocument:
    """A webhook as a document. Everybody may read it, so it shows no more of the address than its host."""
    parts = urlsplit(delivery.url)
    return DeliveryDocument(
        id=delivery.id,
        address=f"{parts.scheme}://{parts.netloc}/…",
        outcome=delivery.outcome,
        attempts=delivery.attempts,
        next_at=delivery.due_at,
        delivered_at=delivery.delivered_at,
        found=delivery.found,
    )


def _queue(place: QueuePlace | None) -> QueueDocument | None:
    return None if place is None else QueueDocument(**asdict(place))


def _links(job: Job) -> Links:
    place = place_of(job)
    return Links(self=place, events=f"{place}/events", log=f"{place}/log")
