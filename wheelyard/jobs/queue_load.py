"""What waits, rests and runs right now, for how long, and who is there to work on it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, and_, case, exists, func, literal, select
from sqlalchemy.orm import Session, aliased

from wheelyard.jobs.database import Database
from wheelyard.jobs.models import JobChildRow, JobRow, TransitionRow, WebhookRow, WorkerRow
from wheelyard.jobs.rows import ACTIVE_STATES, is_active

ALIVE_SECONDS = 30.0
"""A worker that said nothing for so long counts no more."""


@dataclass(frozen=True, slots=True, order=True)
class Lane:
    """Jobs that wait for the same: one queue, one toolchain, one priority, smaller first."""

    queue: str
    toolchain: str
    priority: int


@dataclass(slots=True)
class Waiting:
    """Jobs of one lane that a worker could claim now.

    :param since: epoch seconds at which the first of them could be claimed.
    """

    jobs: int
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AliveWorker:
    """A worker process that said lately that it lives.

    :param held: jobs that it holds.
    """

    owner: str
    queues: tuple[str, ...]
    slots: int
    draining: bool
    held: int


@dataclass(slots=True)
class QueueLoad:
    """The active jobs as one reading found them.

    :param resting: by queue: their infrastructure failed, and they may be claimed again only later.
    :param for_others: by queue: they wait for other jobs.
    :param running: by (queue, kind): a worker holds them.
    :param states: by (kind, state, queue): all of them.
    :param webhooks: messages that are not delivered yet and not given up.
    :param webhooks_since: epoch seconds at which the first of them was due; 0 without any.
    """

    lanes: dict[Lane, Waiting] = field(default_factory=dict)
    resting: Counter[str] = field(default_factory=Counter)
    for_others: Counter[str] = field(default_factory=Counter)
    running: Counter[tuple[str, str]] = field(default_factory=Counter)
    states: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    workers: list[AliveWorker] = field(default_factory=list)
    webhooks: int = 0
    webhooks_since: float = 0.0

    def add(self, lane: Lane, jobs: int, since: float) -> None:
        """Count jobs that can be claimed since a time, in epoch seconds."""
        waiting = self.lanes.setdefault(lane, Waiting(0, since))
        waiting.jobs += jobs
        waiting.since = min(waiting.since, since)


def read_load(database: Database, now: float) -> QueueLoad:
    """The load as it is; reads active jobs only, however many have ended.

    :param now: epoch seconds.
    :raises InfrastructureError: the database did not answer.
    """
    load = QueueLoad()
    held: Counter[str] = Counter()
    with database.reading() as session:
        _read_active(session, now, load, held)
        _read_begun(session, now, load)
        for row in session.scalars(select(WorkerRow).where(WorkerRow.seen_at > now - ALIVE_SECONDS)):
            load.workers.append(
                AliveWorker(
                    owner=row.owner, queues=tuple(row.queues), slots=row.slots, draining=row.draining,
                    held=held[row.owner],
                )
            )  # fmt: skip
        due = select(func.count(), func.min(WebhookRow.due_at)).where(WebhookRow.due_at > 0)
        load.webhooks, since = session.execute(due).one()
        load.webhooks_since = since or 0.0
    return load


def _read_active(session: Session, now: float, load: QueueLoad, held: Counter[str]) -> None:
    """Everything but the jobs that were claimed before and are nobody's now."""
    rests = case((JobRow.not_before > now, 1), else_=0).label("rests")
    begun = case((JobRow.started_at > 0, 1), else_=0).label("begun")
    lane = (JobRow.queue, JobRow.toolchain, JobRow.priority, JobRow.kind, JobRow.state, JobRow.owner)
    rows = session.execute(
        select(*lane, rests, begun, func.count().label("jobs"), func.min(JobRow.created_at).label("since"))
        .where(_in_any_queue())
        .group_by(*lane, rests, begun)
    )
    for row in rows:
        load.states[row.kind, row.state, row.queue] += row.jobs
        if row.owner:
            load.running[row.queue, row.kind] += row.jobs
            held[row.owner] += row.jobs
        elif row.rests:
            load.resting[row.queue] += row.jobs
        elif not row.begun:
            # Nobody ever claimed it, so it has no children that it could wait for.
            load.add(Lane(row.queue, row.toolchain, row.priority), row.jobs, row.since)


def _read_begun(session: Session, now: float, load: QueueLoad) -> None:
    """Jobs that were claimed before and are nobody's: they wait for others, or for the next claim."""
    child = aliased(JobRow)
    children = (
        select(literal(1)).select_from(JobChildRow).join(child, child.id == JobChildRow.child)
        .where(JobChildRow.parent == JobRow.id)
    )  # fmt: skip
    waits = exists(children.where(child.state.in_(ACTIVE_STATES)))
    last_child = children.with_only_columns(func.max(child.ended_at)).correlate(JobRow).scalar_subquery()
    moved = (
        select(func.max(TransitionRow.at)).where(TransitionRow.job == JobRow.id).correlate(JobRow)
        .scalar_subquery()
    )  # fmt: skip
    rows = session.execute(
        select(
            JobRow.queue, JobRow.toolchain, JobRow.priority, JobRow.not_before, waits.label("waits"),
            last_child.label("last_child"), moved.label("moved"),
        ).where(_in_any_queue(), JobRow.owner == "", JobRow.started_at > 0, JobRow.not_before <= now)
    )  # fmt: skip
    for row in rows:
        if row.waits:
            load.for_others[row.queue] += 1
        else:
            since = max(row.not_before, row.last_child or 0.0, row.moved or 0.0)
            load.add(Lane(row.queue, row.toolchain, row.priority), 1, since)


def _in_any_queue() -> ColumnElement[bool]:
    """An active job; the condition on the queue makes SQLite read the index of active jobs, not the table."""
    return and_(is_active(), JobRow.queue > "")
