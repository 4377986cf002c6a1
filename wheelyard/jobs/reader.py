"""What readers ask of the jobs: one, many, the latest, who waits for whom, and how each came to its state."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median
from typing import Any

from sqlalchemy import Select, and_, bindparam, func, or_, select, true, tuple_

from wheelyard.jobs.database import Database
from wheelyard.jobs.models import JobChildRow, JobRow, TransitionRow, WaiterRow, WorkerRow
from wheelyard.jobs.rows import IN_TURN, children_of, is_active, job_of, read_job
from wheelyard.jobs.states import OF_ALL, Job, Kind, State

_HISTORY = 5
_LONG_HISTORY = 100
_WORKER_SILENCE_SECONDS = 30.0
_UNBOUNDED = 1 << 31


def _ahead() -> Select[Any]:
    in_turn = tuple_(*IN_TURN) < tuple_(bindparam("priority"), bindparam("turn"), bindparam("id"))
    before = (
        select(JobRow.kind, JobRow.subject)
        .where(
            JobRow.queue == bindparam("queue"),
            is_active(),
            or_(JobRow.owner != "", and_(JobRow.state == State.QUEUED, in_turn)),
        )
        .limit(bindparam("most"))
        .subquery()
    )
    kind, subject = before.c.kind, before.c.subject
    return select(kind, subject, func.count().label("number")).group_by(kind, subject)


# Every answer to a request counts what is ahead; to write the statement anew takes longer than to run it.
_AHEAD = _ahead()


class JobReader:
    """Reads of the jobs. Safe at the same time from any number of processes and threads.

    :param database: where the jobs stand.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def get(self, job_id: str) -> Job:
        """The job of that id.

        :raises NotFound: there is none.
        """
        with self.database.reading() as session:
            return read_job(session, job_id)

    def get_many(self, ids: Iterable[str]) -> list[Job]:
        """The jobs of those ids, in their order; unknown ones are left out."""
        wanted = list(ids)
        with self.database.reading() as session:
            rows = {row.id: row for row in session.scalars(select(JobRow).where(JobRow.id.in_(wanted)))}
            children: dict[str, list[str]] = {}
            pairs = select(JobChildRow).where(JobChildRow.parent.in_(rows)).order_by(JobChildRow.child)
            for pair in session.scalars(pairs):
                children.setdefault(pair.parent, []).append(pair.child)
            return [job_of(rows[one], tuple(children.get(one, ()))) for one in wanted if one in rows]

    def latest(
        self, limit: int = 50, kind: Kind | None = None, channels: frozenset[str] = frozenset()
    ) -> list[Job]:
        """The newest jobs, newest first.

        :param channels: only of these, and toolchains and natives, which are for all; empty means of all.
        """
        with self.database.reading() as session:
            query = select(JobRow).order_by(JobRow.created_at.desc(), JobRow.id.desc()).limit(limit)
            if kind is not None:
                query = query.where(JobRow.kind == kind)
            if channels:
                query = query.where(
                    or_(JobRow.kind.in_(sorted(OF_ALL)), JobRow.channel.in_(sorted(channels)))
                )
            return [job_of(row, ()) for row in session.scalars(query)]

    def last_success(self, key: str, not_before: float) -> Job | None:
        """The newest job of a key that succeeded at or after a time, or None."""
        with self.database.reading() as session:
            row = session.scalar(
                select(JobRow)
                .where(JobRow.key == key, JobRow.state == State.SUCCEEDED, JobRow.ended_at >= not_before)
                .order_by(JobRow.ended_at.desc())
                .limit(1)
            )
            return None if row is None else job_of(row, children_of(session, row.id))

    def ahead(self, job: Job, limit: int | None = None) -> dict[tuple[Kind, str], int]:
        """What is worked on before a job that waits in its queue: number of jobs by (kind, subject).

        Its place is one more than their sum; jobs that run count too, and those that only wait for others
        do not. Empty for one that does not wait there.

        :param limit: jobs that are counted at the most, so that a long queue costs no more than a short one.
        """
        if job.state is not State.QUEUED:
            return {}
        asked = {"queue": job.queue, "priority": job.priority, "turn": job.turn, "id": job.id}
        with self.database.reading() as session:
            rows = session.execute(_AHEAD, {**asked, "most": _UNBOUNDED if limit is None else limit})
            return {(Kind(row.kind), row.subject): row.number for row in rows}

    def places(self, queue: str, ids: Iterable[str]) -> dict[str, int]:
        """Places of queued jobs of one queue, all at once: 1 is next where nothing runs; see `ahead`."""
        standing = (
            select(
                JobRow.id,
                func.row_number().over(order_by=(JobRow.owner == "", *IN_TURN)).label("place"),
            )
            .where(JobRow.queue == queue, is_active(), or_(JobRow.owner != "", JobRow.state == State.QUEUED))
            .subquery()
        )
        with self.database.reading() as session:
            rows = session.execute(
                select(standing.c.id, standing.c.place).where(standing.c.id.in_(list(ids)))
            )
            return {job_id: int(place) for job_id, place in rows}

    def live_slots(self, queue: str, now: float) -> int:
        """How many jobs of a queue can run at once: slots of the workers that serve it and said so lately.

        :param now: epoch seconds.
        """
        with self.database.reading() as session:
            rows = session.execute(
                select(WorkerRow.queues, WorkerRow.slots).where(
                    WorkerRow.seen_at >= now - _WORKER_SILENCE_SECONDS, ~WorkerRow.draining
                )
            )
            return sum(row.slots for row in rows if queue in row.queues)

    def usual_seconds(self, kind: Kind, subject: str | None, toolchain: str) -> float | None:
        """Median time from claim to end of the latest successes of the like, in seconds; None without any.

        :param subject: None takes those of every subject.
        """
        like = JobRow.subject == subject if subject is not None else true()
        with self.database.reading() as session:
            rows = session.execute(
                select(JobRow.started_at, JobRow.ended_at)
                .where(
                    JobRow.kind == kind, like, JobRow.toolchain == toolchain,
                    JobRow.state == State.SUCCEEDED,
                )
                .order_by(JobRow.ended_at.desc())
                .limit(_HISTORY if subject is not None else _LONG_HISTORY)
            ).all()  # fmt: skip
        return median(row.ended_at - row.started_at for row in rows) if rows else None

    def waits(self, job_id: str, waiter: str) -> bool:
        """Whether somebody waits for a job, or waited until its end."""
        with self.database.reading() as session:
            return session.get(WaiterRow, (job_id, waiter)) is not None

    def is_for(self, job_id: str, kind: Kind) -> bool:
        """Whether a job of some kind waits for this one."""
        query = (
            select(JobRow.id)
            .join(WaiterRow, WaiterRow.id == JobRow.id)
            .where(WaiterRow.job == job_id, JobRow.kind == kind)
        )
        with self.database.reading() as session:
            return session.scalar(query.limit(1)) is not None

    def parents(self, job_id: str) -> list[str]:
        """Ids of the jobs that wait for this one, directly or not."""
        with self.database.reading() as session:
            found: list[str] = []
            fresh = [job_id]
            while fresh:
                fresh = [
                    parent
                    for parent in session.scalars(
                        select(JobChildRow.parent).where(JobChildRow.child.in_(fresh))
                    )
                    if parent not in found
                ]
                found += fresh
            return found

    def joined_traces(self, job_id: str) -> list[str]:
        """W3C traceparents of those who wait for a job, but for the one that it goes on itself."""
        with self.database.reading() as session:
            rows = session.scalars(
                select(WaiterRow.trace)
                .join(JobRow, JobRow.id == WaiterRow.job)
                .where(WaiterRow.job == job_id, WaiterRow.trace.not_in(("", JobRow.trace)))
                .distinct()
            )
            return sorted(rows)

    def counts(self) -> dict[tuple[str, str, str], int]:
        """Number of jobs by (kind, state, queue)."""
        with self.database.reading() as session:
            rows = session.execute(
                select(JobRow.kind, JobRow.state, JobRow.queue, func.count()).group_by(
                    JobRow.kind, JobRow.state, JobRow.queue
                )
            )
            return {(kind, state, queue): count for kind, state, queue, count in rows}

    def transitions(self, job_id: str) -> list[dict[str, Any]]:
        """Who moved a job, when and why, oldest first."""
        with self.database.reading() as session:
            rows = session.scalars(
                select(TransitionRow).where(TransitionRow.job == job_id).order_by(TransitionRow.id)
            )
            return [
                {
                    "at": r.at,
                    "actor": r.actor,
                    "from": r.before,
                    "to": r.after,
                    "fence": r.fence,
                    "cause": r.cause,
                    "reason": r.reason,
                }
                for r in rows
            ]
