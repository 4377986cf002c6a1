"""A job's kinds, states and identity, without any I/O."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any

PLANS_QUEUE = "plans"


class Kind(StrEnum):
    """What a job makes."""

    BUILD = "build"
    """One request: a lock, and a wheel for each of its pins. Waits for its `wheel` jobs."""
    PLAN = "plan"
    """One request, looked at only: what would be built, and how long that takes."""
    WHEEL = "wheel"
    """One build key: one wheel."""
    NATIVE = "native"
    """One build key: one native artifact of a recipe, such as FFmpeg's libraries."""
    LAYER = "layer"
    """One published wheel: the layer that images with it will have, made before anybody asks for one."""
    VERIFY = "verify"
    """One published wheel, built once more and compared; nothing is published."""
    IMAGE = "image"
    """One runtime image. Waits for its `build` job."""
    TOOLCHAIN = "toolchain"
    """One toolchain's compile image and runtime base."""


class State(StrEnum):
    """Where a job stands; the design's six states and no other."""

    QUEUED = "queued"
    BUILDING = "building"
    PUBLISHING = "publishing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self in ENDED


class Cause(StrEnum):
    """Why a job's state or holder changed; the same few words in every history and every metric."""

    SUBMITTED = "submitted"
    CLAIMED = "claimed"
    PHASE = "phase"
    PARKED = "parked"
    RELEASED = "released"
    """Handed back by a worker that stops."""
    RETRIED = "retried"
    """Its infrastructure failed, and a try is left."""
    LEASE_LOST = "lease-lost"
    """Its worker went silent."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Priority(IntEnum):
    """Who goes first, the smaller one; within one priority clients take turns."""

    INTERACTIVE = 0
    BATCH = 10


OF_ALL = frozenset({Kind.TOOLCHAIN, Kind.NATIVE})
"""Kinds that are no channel's own: whoever may read may see their jobs."""
ENDED = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})
ACTIVE = frozenset(State) - ENDED


def queue_of(kind: Kind, toolchain: str) -> str:
    """Name of a job's Celery queue: one per toolchain for what compiles, one for what only coordinates."""
    return PLANS_QUEUE if kind in (Kind.BUILD, Kind.PLAN, Kind.IMAGE) else f"toolchain.{toolchain}"


def new_id() -> str:
    """A job's id: 32 hexadecimal digits, sortable by time (the layout of RFC 9562's UUID version 7)."""
    import secrets
    import time

    millis = time.time_ns() // 1_000_000
    rest = secrets.randbits(80)
    value = (millis << 80 | rest) & ~(0xF << 76) | 7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return uuid.UUID(int=value).hex


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as it stood when it was read.

    :param id: 32 hexadecimal digits.
    :param key: SHA-256 over the inputs; one active job per key.
    :param spec: inputs of the work, as the kind's own document.
    :param fence: number of claims so far; a write that names an older one is refused.
    :param subject: what the work's length depends on: the project of a wheel, else empty.
    :param client: who asked first; clients of one priority take turns.
    :param trace: W3C traceparent of what asked for it first; empty where that was not traced.
    :param turn: place in its queue among its priority; smaller goes first.
    :param waiters: requests and jobs that joined and did not leave.
    :param not_before: when it may be claimed again, after its infrastructure failed.
    :param created_at: this and the other times are epoch seconds; 0 where it did not happen yet.
    """

    id: str
    kind: Kind
    key: str
    state: State
    toolchain: str
    channel: str
    title: str
    spec: dict[str, Any]
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    phase: str
    fence: int
    owner: str
    attempts: int
    waiters: int
    cancel_requested: bool
    log: str
    subject: str
    client: str
    trace: str
    priority: int
    turn: int
    queue: str
    not_before: float
    created_at: float
    started_at: float
    ended_at: float
    children: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to write for a job, until its lease runs out or another claim raises the fence."""

    job: Job
    owner: str
    fence: int

    @property
    def id(self) -> str:
        """The job's id."""
        return self.job.id
