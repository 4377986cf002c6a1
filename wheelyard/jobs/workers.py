"""The register of worker processes: who said lately that it lives, and which jobs each holds.

It is for people and for the choice between workers. Whether a job is alive is said by its lease alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from sqlalchemy import delete, func, select, update

from wheelyard.jobs.database import Database
from wheelyard.jobs.models import JobRow, TransitionRow, WorkerRow
from wheelyard.jobs.rows import is_active
from wheelyard.jobs.states import Cause, Kind

BEAT_SECONDS = 5.0
"""Pause between two signs of life."""
_SILENT_BEATS = 4
_FORGET_SECONDS = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerIdentity:
    """What a worker process says of itself at its start.

    :param owner: the name under which it holds jobs.
    :param queues: that it works on; `relay` for the relay.
    :param slots: jobs at the same time; 0 for one that runs none.
    :param cores: that it may use.
    :param memory: for its builds together, in bytes.
    """

    owner: str
    host: str
    pid: int
    version: str
    queues: tuple[str, ...]
    slots: int = 0
    cores: float = 0.0
    memory: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldJob:
    """A job that a worker holds.

    :param since: epoch seconds of its claim.
    """

    id: str
    kind: Kind
    title: str
    phase: str
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSeen(WorkerIdentity):
    """A worker as the register knows it. Times are epoch seconds.

    :param draining: whether it takes nothing more.
    :param age: seconds since it was seen.
    """

    draining: bool
    started_at: float
    seen_at: float
    age: float

    @property
    def silent(self) -> bool:
        """Whether it missed so many beats that it is likely gone."""
        return self.age > _SILENT_BEATS * BEAT_SECONDS


class WorkerRegistry:
    """Reads and writes the register. Safe at the same time from any number of processes and threads.

    :param clock: epoch seconds.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def beat(self, worker: WorkerIdentity, *, draining: bool) -> None:
        """A sign of life; forgets the workers that gave none for a day. Repeatable."""
        now = self._clock()
        with self._database.transaction() as session:
            known = session.scalar(
                update(WorkerRow)
                .where(WorkerRow.owner == worker.owner)
                .values(seen_at=now, draining=draining)
                .returning(WorkerRow.owner)
            )
            if known is None:
                row = WorkerRow(**asdict(worker), draining=draining, started_at=now, seen_at=now)
                row.queues = list(worker.queues)
                session.add(row)
                session.execute(delete(WorkerRow).where(WorkerRow.seen_at < now - _FORGET_SECONDS))

    def leave(self, owner: str) -> None:
        """Take a worker that ends off the register. Repeatable."""
        with self._database.transaction() as session:
            session.execute(delete(WorkerRow).where(WorkerRow.owner == owner))

    def list(self) -> list[WorkerSeen]:
        """Every worker that is known, by host and start, without its jobs."""
        now = self._clock()
        query = select(WorkerRow).order_by(WorkerRow.host, WorkerRow.started_at, WorkerRow.owner)
        with self._database.reading() as session:
            return [
                WorkerSeen(
                    owner=row.owner,
                    host=row.host,
                    pid=row.pid,
                    version=row.version,
                    queues=tuple(row.queues),
                    slots=row.slots,
                    cores=row.cores,
                    memory=row.memory,
                    draining=row.draining,
                    started_at=row.started_at,
                    seen_at=row.seen_at,
                    age=max(0.0, now - row.seen_at),
                )
                for row in session.scalars(query)
            ]

    def held(self) -> dict[str, tuple[HeldJob, ...]]:
        """The jobs that workers hold now, by owner, oldest claim first."""
        claimed = func.max(TransitionRow.at)
        query = (
            select(JobRow.owner, JobRow.id, JobRow.kind, JobRow.title, JobRow.phase, claimed)
            .join(TransitionRow, TransitionRow.job == JobRow.id)
            .where(is_active(), JobRow.owner != "", TransitionRow.cause == Cause.CLAIMED)
            .group_by(JobRow.owner, JobRow.id, JobRow.kind, JobRow.title, JobRow.phase)
            .order_by(claimed, JobRow.id)
        )
        found: dict[str, tuple[HeldJob, ...]] = {}
        with self._database.reading() as session:
            for owner, job, kind, title, phase, since in session.execute(query):
                held = HeldJob(id=job, kind=Kind(kind), title=title, phase=phase, since=since)
                found[owner] = (*found.get(owner, ()), held)
        return found
