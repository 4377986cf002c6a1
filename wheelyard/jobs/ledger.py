"""Every transition of a job: each a conditional update under the fence, with a row of who, when and why."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from wheelyard.errors import Cancelled, Conflict, InfrastructureError, LeaseLost, NotFound, WheelyardError
from wheelyard.jobs.database import Database
from wheelyard.jobs.models import JobChildRow, JobRow, TransitionRow
from wheelyard.jobs.states import ACTIVE, Claim, Job, Kind, State, new_id, queue_of

_ACTIVE_STATES = [state.value for state in ACTIVE]
Publish = Callable[[Session], None]


class Ledger:
    """The truth about jobs. Safe at the same time from any number of processes and threads.

    :param database: where the jobs stand.
    :param clock: epoch seconds.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self.database = database
        self._clock = clock

    # -- from the front door -------------------------------------------------------------------------------

    def submit(
        self,
        kind: Kind,
        key: str,
        *,
        spec: dict[str, Any],
        title: str,
        toolchain: str,
        channel: str = "default",
        priority: int = 0,
        actor: str = "api",
    ) -> tuple[Job, bool]:
        """Queue a job, or join the active one of the same key.

        :returns: the job, and whether it was joined rather than made.
        """
        while True:
            try:
                with self.database.transaction() as session:
                    joined = session.scalar(
                        update(JobRow)
                        .where(JobRow.key == key, JobRow.state.in_(_ACTIVE_STATES), ~JobRow.cancel_requested)
                        .values(waiters=JobRow.waiters + 1)
                        .returning(JobRow.id)
                    )
                    if joined is not None:
                        return _read(session, joined), True
                    row = JobRow(
                        id=new_id(), kind=kind, key=key, state=State.QUEUED, queue=queue_of(kind, toolchain),
                        toolchain=toolchain, channel=channel, title=title[:500], spec=spec, priority=priority,
                        created_at=self._clock(),
                    )  # fmt: skip
                    session.add(row)
                    session.flush()
                    self._note(session, row.id, actor, "", State.QUEUED, 0, "submitted")
                    return _read(session, row.id), False
            except IntegrityError:
                # Another process queued the same key between our look and our insert: join that one. A job that is
                # being cancelled holds the key for a moment longer; wait for it to end.
                time.sleep(0.02)

    def cancel(self, job_id: str, actor: str, reason: str = "asked to") -> Job:
        """Leave a job; the last waiter's leave cancels it. An unclaimed job ends at once, a claimed one soon.

        :raises NotFound: no such job.
        :raises Conflict: it ended already.
        """
        with self.database.transaction() as session:
            job = _read(session, job_id)
            if job.state.ended:
                raise Conflict(f"job {job_id} ended already", found=job.state.value)
            self._leave(session, job_id, actor, reason)
            return _read(session, job_id)

    def _leave(self, session: Session, job_id: str, actor: str, reason: str) -> None:
        session.execute(
            update(JobRow)
            .where(JobRow.id == job_id, JobRow.state.in_(_ACTIVE_STATES))
            .values(waiters=JobRow.waiters - 1)
        )
        row = session.get_one(JobRow, job_id, populate_existing=True)
        if row.waiters > 0 or State(row.state).ended:
            return
        row.cancel_requested = True
        if row.owner == "":
            self._end(session, row, State.CANCELLED, actor, reason)
            for child in _children(session, job_id):
                self._leave(session, child, actor, f"job {job_id} was cancelled")

    # -- from a worker ---------------------------------------------------------------------------------------

    def claim(self, job_id: str, owner: str, lease_seconds: float) -> Claim | None:
        """Take a job that nobody holds and whose children all ended; raises its fence. None where it can't be had."""
        with self.database.transaction() as session:
            now = self._clock()
            fence = session.scalar(
                update(JobRow)
                .where(JobRow.id == job_id, _claimable())
                .values(
                    owner=owner,
                    fence=JobRow.fence + 1,
                    lease_until=now + lease_seconds,
                    started_at=func.coalesce(func.nullif(JobRow.started_at, 0.0), now),
                )
                .returning(JobRow.fence)
            )
            if fence is None:
                return None
            row = session.get_one(JobRow, job_id, populate_existing=True)
            self._note(session, job_id, owner, State(row.state), State.BUILDING, fence, "claimed")
            row.state = State.BUILDING
            session.flush()
            return Claim(job=_read(session, job_id), owner=owner, fence=fence)

    def renew(self, claim: Claim, lease_seconds: float) -> None:
        """Prolong the lease.

        :raises LeaseLost: the job is another's by now.
        :raises Cancelled: somebody asked for its end.
        """
        with self.database.transaction() as session:
            asked = session.scalar(
                _held(claim).values(lease_until=self._clock() + lease_seconds).returning(JobRow.cancel_requested)
            )
        if asked is None:
            raise _lost(claim)
        if asked:
            raise Cancelled(f"job {claim.id} was cancelled")

    def advance(self, claim: Claim, phase: str, state: State = State.BUILDING) -> None:
        """Note the phase that begins, for instance `compile`.

        :raises LeaseLost: the job is another's by now.
        """
        with self.database.transaction() as session:
            row = self._row(session, claim)
            if row.state != state:
                self._note(session, claim.id, claim.owner, State(row.state), state, claim.fence, phase)
                row.state = state
            row.phase = phase

    def park(self, claim: Claim, children: Iterable[str], spec: dict[str, Any]) -> None:
        """Let go of a job until its children have ended; it is rung again then, with the new spec.

        :param children: ids of jobs that were submitted for it, one waiter each.
        """
        with self.database.transaction() as session:
            row = self._row(session, claim)
            known = set(_children(session, claim.id))
            for child in dict.fromkeys(children):
                if child not in known:
                    session.add(JobChildRow(parent=claim.id, child=child))
            row.spec, row.owner, row.lease_until, row.rung_at = spec, "", 0.0, 0.0
            row.phase = "waiting"
            self._note(session, claim.id, claim.owner, State.BUILDING, State.BUILDING, claim.fence, "waits")

    def succeed(self, claim: Claim, result: dict[str, Any], log: str = "", publish: Publish | None = None) -> None:
        """End a job well, and make what it published visible, in one transaction under the fence.

        :param publish: adds the rows that readers will see.
        """
        with self.database.transaction() as session:
            row = self._row(session, claim)
            if publish is not None:
                publish(session)
            row.result, row.log, row.phase = result, log, ""
            self._end(session, row, State.SUCCEEDED, claim.owner, "done")

    def fail(self, claim: Claim, error: WheelyardError, log: str = "", max_attempts: int = 1) -> State:
        """End a job badly, or queue it again where its infrastructure failed and a try is left.

        :param max_attempts: tries of a job whose infrastructure failed.
        :returns: the state after it.
        """
        with self.database.transaction() as session:
            row = self._row(session, claim)
            row.attempts += 1
            row.log = log or row.log
            if isinstance(error, InfrastructureError) and row.attempts < max_attempts and not row.cancel_requested:
                self._release(session, row, claim.owner, error.failed)
                return State.QUEUED
            row.error = error.to_document()
            state = State.CANCELLED if isinstance(error, Cancelled) else State.FAILED
            self._end(session, row, state, claim.owner, error.failed)
            for child in _children(session, claim.id):
                self._leave(session, child, claim.owner, f"job {claim.id} ended")
            return state

    def release(self, claim: Claim, reason: str) -> None:
        """Hand a job back to the queue, for instance because the worker was told to stop."""
        with self.database.transaction() as session:
            self._release(session, self._row(session, claim), claim.owner, reason)

    # -- from the relay and the reaper -----------------------------------------------------------------------

    def silent(self, quiet_seconds: float, limit: int = 200) -> list[tuple[str, str]]:
        """Jobs that can be claimed and were not rung lately, best first: (id, queue). Notes that they are rung now."""
        with self.database.transaction() as session:
            now = self._clock()
            rows = session.execute(
                select(JobRow.id, JobRow.queue)
                .where(_claimable(), JobRow.rung_at < now - quiet_seconds)
                .order_by(JobRow.priority.desc(), JobRow.created_at)
                .limit(limit)
            ).all()
            if rows:
                session.execute(update(JobRow).where(JobRow.id.in_([row.id for row in rows])).values(rung_at=now))
            return [(row.id, row.queue) for row in rows]

    def take_back(self, max_attempts: int) -> list[str]:
        """Queue every job again whose lease ran out, or end it where no try is left. Returns their ids."""
        taken = []
        with self.database.transaction() as session:
            rows = session.scalars(
                select(JobRow).where(
                    JobRow.state.in_(_ACTIVE_STATES), JobRow.owner != "", JobRow.lease_until < self._clock()
                )
            ).all()
            for row in rows:
                taken.append(row.id)
                row.attempts += 1
                reason = f"the lease of {row.owner} ran out"
                if row.cancel_requested:
                    self._end(session, row, State.CANCELLED, "reaper", reason)
                elif row.attempts >= max_attempts:
                    row.error = InfrastructureError(
                        f"the job's worker went silent {row.attempts} times", do="see the workers' logs"
                    ).to_document()
                    self._end(session, row, State.FAILED, "reaper", reason)
                else:
                    self._release(session, row, "reaper", reason)
                    # The old owner's next write must fail even before a new claim.
                    row.fence += 1
        return taken

    # -- for readers -----------------------------------------------------------------------------------------

    def get(self, job_id: str) -> Job:
        """The job of that id.

        :raises NotFound: there is none.
        """
        with self.database.transaction() as session:
            return _read(session, job_id)

    def get_many(self, ids: Iterable[str]) -> list[Job]:
        """The jobs of those ids, in their order; unknown ones are left out."""
        wanted = list(ids)
        with self.database.transaction() as session:
            rows = {row.id: row for row in session.scalars(select(JobRow).where(JobRow.id.in_(wanted)))}
            return [_job(rows[one], _children(session, one)) for one in wanted if one in rows]

    def latest(self, limit: int = 50, kind: Kind | None = None) -> list[Job]:
        """The newest jobs, newest first."""
        with self.database.transaction() as session:
            query = select(JobRow).order_by(JobRow.created_at.desc(), JobRow.id.desc()).limit(limit)
            if kind is not None:
                query = query.where(JobRow.kind == kind)
            return [_job(row, ()) for row in session.scalars(query)]

    def last_success(self, key: str, not_before: float) -> Job | None:
        """The newest job of a key that succeeded at or after a time, or None."""
        with self.database.transaction() as session:
            row = session.scalar(
                select(JobRow)
                .where(JobRow.key == key, JobRow.state == State.SUCCEEDED, JobRow.ended_at >= not_before)
                .order_by(JobRow.ended_at.desc())
                .limit(1)
            )
            return None if row is None else _job(row, _children(session, row.id))

    def parents(self, job_id: str) -> list[str]:
        """Ids of the jobs that wait for this one, directly or not."""
        with self.database.transaction() as session:
            found: list[str] = []
            fresh = [job_id]
            while fresh:
                fresh = [
                    parent
                    for parent in session.scalars(select(JobChildRow.parent).where(JobChildRow.child.in_(fresh)))
                    if parent not in found
                ]
                found += fresh
            return found

    def counts(self) -> dict[tuple[str, str, str], int]:
        """Number of jobs by (kind, state, queue)."""
        with self.database.transaction() as session:
            rows = session.execute(
                select(JobRow.kind, JobRow.state, JobRow.queue, func.count()).group_by(
                    JobRow.kind, JobRow.state, JobRow.queue
                )
            )
            return {(kind, state, queue): count for kind, state, queue, count in rows}

    def transitions(self, job_id: str) -> list[dict[str, Any]]:
        """Who moved a job, when and why, oldest first."""
        with self.database.transaction() as session:
            rows = session.scalars(
                select(TransitionRow).where(TransitionRow.job == job_id).order_by(TransitionRow.id)
            )
            return [
                {"at": r.at, "actor": r.actor, "from": r.before, "to": r.after, "fence": r.fence, "reason": r.reason}
                for r in rows
            ]

    # -- the one place where a row changes its state -----------------------------------------------------------

    def _row(self, session: Session, claim: Claim) -> JobRow:
        row_id = session.scalar(_held(claim).values(fence=JobRow.fence).returning(JobRow.id))
        if row_id is None:
            raise _lost(claim)
        return session.get_one(JobRow, row_id, populate_existing=True)

    def _release(self, session: Session, row: JobRow, actor: str, reason: str) -> None:
        self._note(session, row.id, actor, State(row.state), State.QUEUED, row.fence, reason)
        row.state, row.owner, row.lease_until, row.rung_at, row.phase = State.QUEUED, "", 0.0, 0.0, ""

    def _end(self, session: Session, row: JobRow, state: State, actor: str, reason: str) -> None:
        self._note(session, row.id, actor, State(row.state), state, row.fence, reason)
        row.state, row.owner, row.lease_until, row.ended_at = state, "", 0.0, self._clock()
        session.flush()

    def _note(
        self, session: Session, job: str, actor: str, before: str, after: str, fence: int, reason: str
    ) -> None:
        session.add(
            TransitionRow(
                job=job, at=self._clock(), actor=actor, before=before, after=after, fence=fence, reason=reason
            )
        )


def _claimable() -> ColumnElement[bool]:
    child = aliased(JobRow)
    waits = exists(
        select(JobChildRow.child)
        .join(child, child.id == JobChildRow.child)
        .where(JobChildRow.parent == JobRow.id, child.state.in_(_ACTIVE_STATES))
    )
    return and_(or_(JobRow.state == State.QUEUED, JobRow.state == State.BUILDING), JobRow.owner == "", ~waits)


def _held(claim: Claim) -> Any:
    return update(JobRow).where(
        JobRow.id == claim.id,
        JobRow.owner == claim.owner,
        JobRow.fence == claim.fence,
        JobRow.state.in_(_ACTIVE_STATES),
    )


def _lost(claim: Claim) -> LeaseLost:
    return LeaseLost(f"job {claim.id} is no longer held by {claim.owner}", fence=claim.fence)


def _children(session: Session, job_id: str) -> tuple[str, ...]:
    return tuple(
        session.scalars(select(JobChildRow.child).where(JobChildRow.parent == job_id).order_by(JobChildRow.child))
    )


def _read(session: Session, job_id: str) -> Job:
    row = session.get(JobRow, job_id, populate_existing=True)
    if row is None:
        raise NotFound(f"there is no job {job_id!r}", do="see `wheelyard jobs`")
    return _job(row, _children(session, job_id))


def _job(row: JobRow, children: tuple[str, ...]) -> Job:
    return Job(
        id=row.id, kind=Kind(row.kind), key=row.key, state=State(row.state), toolchain=row.toolchain,
        channel=row.channel, title=row.title, spec=row.spec, result=row.result, error=row.error, phase=row.phase,
        fence=row.fence, owner=row.owner, attempts=row.attempts, waiters=row.waiters,
        cancel_requested=row.cancel_requested, log=row.log, created_at=row.created_at, started_at=row.started_at,
        ended_at=row.ended_at, children=children,
    )  # fmt: skip
