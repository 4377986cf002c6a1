"""Rows of jobs: the conditions that they are changed under, and how one becomes a `Job`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, exists, literal_column, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, aliased

from wheelyard.errors import LeaseLost, NotFound
from wheelyard.jobs.models import Base, JobChildRow, JobRow
from wheelyard.jobs.states import ACTIVE, Claim, Job, Kind, State

ACTIVE_STATES = sorted(state.value for state in ACTIVE)
IN_TURN = (JobRow.priority, JobRow.turn, JobRow.id)
"""The order in which jobs of one queue are worked on."""


def claimable(now: float) -> ColumnElement[bool]:
    """A job that nobody holds, that need not rest, and of whose children one ended since its claim, or all.

    The claim itself asks the same.

    :param now: epoch seconds.
    """
    child = aliased(JobRow)
    waits = exists(
        select(JobChildRow.child)
        .join(child, child.id == JobChildRow.child)
        .where(JobChildRow.parent == JobRow.id, child.state.in_(ACTIVE_STATES))
    )
    return and_(
        is_active(),
        or_(JobRow.state == State.QUEUED, JobRow.state == State.BUILDING),
        JobRow.owner == "",
        JobRow.not_before <= now,
        or_(~waits, JobRow.stirred),
    )


def is_active() -> ColumnElement[bool]:
    """A job that did not end; in the words of the partial indexes, which SQLite needs to use them."""
    # Words and not parameters, as a comparison: a literal that is a Boolean would be compared to 1.
    return JobRow.state.in_([literal_column(f"'{state}'") for state in ("queued", "building", "publishing")])


def new_row(session: Session, table: type[Base]) -> Any:
    """An insert that knows `on_conflict_do_nothing`, which each database's dialect has for itself."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    return dialect.insert(table)


def held(claim: Claim) -> Any:
    """An update that finds its row only while the claim holds."""
    return update(JobRow).where(
        JobRow.id == claim.id,
        JobRow.owner == claim.owner,
        JobRow.fence == claim.fence,
        is_active(),
    )


def lost(claim: Claim) -> LeaseLost:
    """The error of a claim that holds no longer."""
    return LeaseLost(f"job {claim.id} is no longer held by {claim.owner}", fence=claim.fence)


def children_of(session: Session, job_id: str) -> tuple[str, ...]:
    """Ids of the jobs that a job waits for, oldest first."""
    return tuple(
        session.scalars(
            select(JobChildRow.child).where(JobChildRow.parent == job_id).order_by(JobChildRow.child)
        )
    )


def read_job(session: Session, job_id: str) -> Job:
    """The job of that id.

    :raises NotFound: there is none.
    """
    row = session.get(JobRow, job_id, populate_existing=True)
    if row is None:
        raise NotFound(f"there is no job {job_id!r}", do="see `wheelyard jobs`")
    return job_of(row, children_of(session, job_id))


def job_of(row: JobRow, children: tuple[str, ...]) -> Job:
    """A row as the job that it stands for."""
    return Job(
        id=row.id,
        kind=Kind(row.kind),
        key=row.key,
        state=State(row.state),
        toolchain=row.toolchain,
        channel=row.channel,
        title=row.title,
        spec=row.spec,
        result=row.result,
        error=row.error,
        phase=row.phase,
        fence=row.fence,
        owner=row.owner,
        attempts=row.attempts,
        waiters=row.waiters,
        cancel_requested=row.cancel_requested,
        log=row.log,
        subject=row.subject,
        client=row.client,
        trace=row.trace,
        priority=row.priority,
        turn=row.turn,
        queue=row.queue,
        not_before=row.not_before,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        children=children,
    )
