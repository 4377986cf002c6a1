"""Every transition of a job: each a conditional update under the fence, with a row of who, when and why."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from wheelyard.errors import Cancelled, Conflict, InfrastructureError, WheelyardError
from wheelyard.jobs.database import Database, repeated
from wheelyard.jobs.models import JobChildRow, JobRow, TransitionRow, WaiterRow, WebhookRow
from wheelyard.jobs.reader import JobReader
from wheelyard.jobs.rows import IN_TURN, children_of, claimable, held, is_active, job_of, lost, read_job
from wheelyard.jobs.states import Cause, Claim, Job, Kind, Priority, State, new_id, queue_of

_KEY_WAIT_SECONDS = 10.0
_RETRY_PAUSE_SECONDS = 5.0
Publish = Callable[[Session], None]
Beside = Callable[[Session, Job, bool], None]


class Ledger(JobReader):
    """The truth about jobs. Safe at the same time from any number of processes and threads.

    :param database: where the jobs stand.
    :param clock: epoch seconds.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        super().__init__(database)
        self._clock = clock

    # -- from the front door -------------------------------------------------------------------------------

    @repeated
    def submit(
        self,
        kind: Kind,
        key: str,
        *,
        spec: dict[str, Any],
        title: str,
        toolchain: str,
        channel: str = "default",
        subject: str = "",
        priority: int = Priority.INTERACTIVE,
        client: str = "",
        waiter: str = "",
        webhook: str = "",
        actor: str = "api",
        trace: str = "",
        beside: Beside | None = None,
    ) -> tuple[Job, bool]:
        """Queue a job, or join the active one of the same key. Idempotent for the same waiter.

        :param subject: what its length depends on: the project of a wheel.
        :param priority: smaller goes first; a job that is joined gets the smaller of both, and so do those
            that it waits for.
        :param client: who asks; clients of one priority take turns.
        :param waiter: id of this request, or of the job that will wait; empty draws one.
        :param webhook: address that is told of the job's end, if this waiter is there still.
        :param trace: W3C traceparent of what asks; empty means that it is not traced.
        :param beside: writes more in the same transaction, given the job and whether it was joined; what it
            raises takes all of it back.
        :returns: the job, and whether it was joined rather than made.
        :raises Conflict: a job of the same key was cancelled, and its worker has not let go of it yet.
        """
        waiting = WaiterRow(id=waiter or new_id(), webhook=webhook, trace=trace, joined_at=self._clock())
        patience = time.monotonic() + _KEY_WAIT_SECONDS
        while True:
            try:
                with self.database.transaction() as session:
                    joined = self._join(session, key, waiting, priority)
                    if joined is not None:
                        job = read_job(session, joined)
                        if beside is not None:
                            beside(session, job, True)
                        return job, True
                    queue = queue_of(kind, toolchain)
                    row = JobRow(
                        id=new_id(), kind=kind, key=key, state=State.QUEUED, queue=queue, toolchain=toolchain,
                        channel=channel, title=title[:500], subject=subject, client=client, trace=trace,
                        spec=spec, priority=priority, turn=self._turn(session, queue, priority, client),
                        created_at=self._clock(),
                    )  # fmt: skip
                    session.add(row)
                    session.flush()
                    session.add(_copy(waiting, row.id))
                    self._note(session, row.id, actor, "", State.QUEUED, 0, Cause.SUBMITTED, "submitted")
                    session.flush()
                    # What was just written need not be read again: a request is waiting.
                    set_committed_value(row, "waiters", 1)
                    job = job_of(row, ())
                    if beside is not None:
                        beside(session, job, False)
                    return job, False
            except IntegrityError as error:
                # Another process queued the same key between our look and our insert: join that one. A job
                # that is being cancelled holds the key for a moment longer; wait for its end, not for ever.
                if time.monotonic() > patience:
                    raise Conflict(
                        "the same request is being cancelled, and its worker has not let go of it yet",
                        do="ask again in a minute",
                        key=key,
                    ) from error
                time.sleep(0.02)

    def _join(self, session: Session, key: str, waiter: WaiterRow, priority: int) -> str | None:
        # The update comes first: it takes the row's lock, so that the last leave and a join agree.
        joined: str | None = session.scalar(
            update(JobRow)
            .where(JobRow.key == key, is_active(), ~JobRow.cancel_requested)
            .values(rung_at=JobRow.rung_at)
            .returning(JobRow.id)
        )
        if joined is None:
            return None
        if session.get(WaiterRow, (joined, waiter.id)) is None:
            session.add(_copy(waiter, joined))
        self._hurry(session, joined, priority)
        return joined

    def _hurry(self, session: Session, job_id: str, priority: int) -> None:
        """Let an active job, and all that it waits for, go no later than a priority says."""
        hurried = [job_id]
        while hurried:
            session.execute(
                update(JobRow)
                .where(JobRow.id.in_(hurried), is_active(), JobRow.priority > priority)
                .values(priority=priority)
            )
            hurried = list(session.scalars(select(JobChildRow.child).where(JobChildRow.parent.in_(hurried))))

    def _turn(self, session: Session, queue: str, priority: int, client: str) -> int:
        """Place of a client's next job among those of its priority: after its own last one, level with the
        head of the queue at least.

        This is start-time fair queueing (Goyal, Vin and Cheng 1996) with jobs of equal cost: a thousand jobs
        of one client are no more ahead of another's first one than one would be.
        """
        # Ends of an index's range, not aggregates: as quick for ten thousand queued jobs as for ten.
        turns = select(JobRow.turn).where(JobRow.queue == queue, JobRow.priority == priority, is_active())
        queued = turns.where(JobRow.state == State.QUEUED)
        head = session.scalar(queued.order_by(JobRow.turn, JobRow.id).limit(1))
        if head is None:
            head = session.scalar(turns.order_by(JobRow.turn.desc(), JobRow.id.desc()).limit(1))
        mine = turns.where(JobRow.client == client)
        own = session.scalar(mine.order_by(JobRow.turn.desc()).limit(1))
        return max(head or 0, 0 if own is None else own + 1)

    @repeated
    def cancel(self, job_id: str, actor: str, reason: str = "asked to", waiter: str = "") -> Job:
        """Leave a job; the last waiter's leave cancels it. An unclaimed job ends at once, a claimed one soon.

        Asking again for the end of a job that is ending already changes nothing, nor does leaving twice.

        :param waiter: who leaves; empty means the request that joined last.
        :raises NotFound: no such job.
        :raises Conflict: it ended already.
        """
        with self.database.transaction() as session:
            if not self._leave(session, job_id, actor, reason, waiter):
                job = read_job(session, job_id)
                if job.state.ended:
                    raise Conflict(f"job {job_id} ended already", found=job.state.value)
            return read_job(session, job_id)

    def _leave(self, session: Session, job_id: str, actor: str, reason: str, waiter: str = "") -> bool:
        # The update comes first: it takes the row's lock, so that what is read below still holds later.
        found = session.scalar(
            update(JobRow)
            .where(JobRow.id == job_id, is_active(), ~JobRow.cancel_requested)
            .values(rung_at=JobRow.rung_at)
            .returning(JobRow.id)
        )
        if found is None:
            return False
        if not waiter:
            jobs = select(JobRow.id)
            waiter = (
                session.scalar(
                    select(WaiterRow.id)
                    .where(WaiterRow.job == job_id)
                    # A job that waits leaves by its own end, not because somebody asks for its child's.
                    .order_by(WaiterRow.id.in_(jobs), WaiterRow.joined_at.desc(), WaiterRow.id.desc())
                    .limit(1)
                )
                or ""
            )
        session.execute(delete(WaiterRow).where(WaiterRow.job == job_id, WaiterRow.id == waiter))
        row = session.get_one(JobRow, job_id, populate_existing=True)
        if row.waiters > 0:
            return True
        row.cancel_requested = True
        if row.owner == "":
            self._cancel_row(session, row, actor, reason)
        return True

    def _leave_children(self, session: Session, job_id: str, actor: str) -> None:
        for child in children_of(session, job_id):
            self._leave(session, child, actor, f"job {job_id} ended", waiter=job_id)

    # -- from a worker ---------------------------------------------------------------------------------------

    def next_in_turn(self, queues: Sequence[str], limit: int = 1) -> list[Job]:
        """Jobs of those queues that can be claimed now, in their order: priority, turns of clients, age."""
        now = self._clock()
        found: list[Job] = []
        with self.database.reading() as session:
            # Each queue by itself: its index has the order, and that of several would have to be sorted.
            for queue in queues:
                rows = session.scalars(
                    select(JobRow)
                    .where(JobRow.queue == queue, claimable(now))
                    .order_by(*IN_TURN)
                    .limit(limit)
                )
                found += [job_of(row, ()) for row in rows]
        return sorted(found, key=lambda job: (job.priority, job.turn, job.id))[:limit]

    @repeated
    def claim(self, job_id: str, owner: str, lease_seconds: float) -> Claim | None:
        """Take a job that nobody holds and that waits for no child, or of which one ended; raises its fence.

        :returns: None where it can't be had.
        """
        with self.database.transaction() as session:
            now = self._clock()
            fence = session.scalar(
                update(JobRow)
                .where(JobRow.id == job_id, claimable(now))
                .values(
                    owner=owner,
                    fence=JobRow.fence + 1,
                    lease_until=now + lease_seconds,
                    # What it waited for is over; a failure of what comes now is none of "waiting".
                    phase="",
                    stirred=False,
                    started_at=func.coalesce(func.nullif(JobRow.started_at, 0.0), now),
                )
                .returning(JobRow.fence)
            )
            if fence is None:
                return None
            row = session.get_one(JobRow, job_id, populate_existing=True)
            before = State(row.state)
            self._note(session, job_id, owner, before, State.BUILDING, fence, Cause.CLAIMED, "claimed")
            row.state = State.BUILDING
            session.flush()
            return Claim(job=job_of(row, children_of(session, job_id)), owner=owner, fence=fence)

    @repeated
    def renew(self, claim: Claim, lease_seconds: float) -> None:
        """Prolong the lease.

        :raises LeaseLost: the job is another's by now.
        :raises Cancelled: somebody asked for its end.
        """
        with self.database.transaction() as session:
            asked = session.scalar(
                held(claim)
                .values(lease_until=self._clock() + lease_seconds)
                .returning(JobRow.cancel_requested)
            )
        if asked is None:
            raise lost(claim)
        if asked:
            raise Cancelled(f"job {claim.id} was cancelled")

    @repeated
    def advance(self, claim: Claim, phase: str, state: State = State.BUILDING) -> None:
        """Note the phase that begins, for instance `compile`.

        :raises LeaseLost: the job is another's by now.
        """
        with self.database.transaction() as session:
            row = self._row(session, claim)
            if row.state != state:
                self._note(
                    session, claim.id, claim.owner, State(row.state), state, claim.fence, Cause.PHASE, phase
                )
                row.state = state
            row.phase = phase

    @repeated
    def park(self, claim: Claim, children: Iterable[str], spec: dict[str, Any]) -> State:
        """Let go of a job until a child ends; it can be claimed again then, with the new spec.

        One that ended since the claim counts, so that none is missed between a look at them and this.

        :param children: ids of jobs that were submitted for it, with its id as their waiter.
        :returns: the state after it: building, or cancelled where somebody had asked for its end.
        :raises LeaseLost: the job is another's by now.
        """
        with self.database.transaction() as session:
            row = self._row(session, claim)
            new = set(children) - set(children_of(session, claim.id))
            for child in sorted(new):
                session.add(JobChildRow(parent=claim.id, child=child))
            # One that ended before it was a child could tell nobody.
            ended = select(JobRow.id).where(JobRow.id.in_(new), ~is_active()).limit(1)
            if new and session.scalar(ended) is not None:
                row.stirred = True
            if row.cancel_requested:
                self._cancel_row(session, row, claim.owner, "was cancelled")
                return State.CANCELLED
            self._note(
                session, claim.id, claim.owner, State(row.state), State.BUILDING, claim.fence, Cause.PARKED,
                "waits for what it needs",
            )  # fmt: skip
            row.state, row.spec, row.phase = State.BUILDING, spec, "waiting"
            row.owner, row.lease_until, row.rung_at = "", 0.0, 0.0
            return State.BUILDING

    @repeated
    def succeed(
        self, claim: Claim, result: dict[str, Any], log: str = "", publish: Publish | None = None
    ) -> None:
        """End a job well, and make what it published visible, in one transaction under the fence.

        :param publish: adds the rows that readers will see.
        """
        with self.database.transaction() as session:
            row = self._row(session, claim)
            if publish is not None:
                publish(session)
            row.result, row.log, row.phase = result, log, ""
            self._end(session, row, State.SUCCEEDED, claim.owner, "done")

    @repeated
    def fail(self, claim: Claim, error: WheelyardError, log: str = "", max_attempts: int = 1) -> State:
        """End a job badly, or queue it again where its infrastructure failed and a try is left.

        :param max_attempts: tries of a job whose infrastructure failed.
        :returns: the state after it.
        """
        with self.database.transaction() as session:
            row = self._row(session, claim)
            row.attempts += 1
            row.log = log or row.log
            if (
                isinstance(error, InfrastructureError)
                and row.attempts < max_attempts
                and not row.cancel_requested
            ):
                self._release(session, row, claim.owner, Cause.RETRIED, error.failed)
                # What failed needs a while to come back.
                row.not_before = self._clock() + _RETRY_PAUSE_SECONDS * 2 ** (row.attempts - 1)
                return State.QUEUED
            row.error = error.to_document()
            state = State.CANCELLED if isinstance(error, Cancelled) else State.FAILED
            self._end(session, row, state, claim.owner, error.failed)
            self._leave_children(session, claim.id, claim.owner)
            return state

    @repeated
    def release(self, claim: Claim, reason: str) -> State:
        """Hand a job back to the queue, for instance because the worker must stop.

        :returns: the state after it: queued, or cancelled where somebody had asked for its end.
        :raises LeaseLost: the job is another's by now.
        """
        with self.database.transaction() as session:
            row = self._row(session, claim)
            if row.cancel_requested:
                self._cancel_row(session, row, claim.owner, reason)
                return State.CANCELLED
            self._release(session, row, claim.owner, Cause.RELEASED, reason)
            return State.QUEUED

    # -- from the relay and the reaper -----------------------------------------------------------------------

    @repeated
    def silent(self, quiet_seconds: float, limit: int = 200) -> list[tuple[str, str]]:
        """Jobs that can be claimed and were not rung lately, in turn; notes that they are rung now.

        :returns: id and queue of each.
        """
        with self.database.transaction() as session:
            now = self._clock()
            rows = session.execute(
                select(JobRow.id, JobRow.queue)
                .where(claimable(now), JobRow.rung_at < now - quiet_seconds)
                .order_by(*IN_TURN)
                .limit(limit)
            ).all()
            if rows:
                session.execute(
                    update(JobRow).where(JobRow.id.in_([row.id for row in rows])).values(rung_at=now)
                )
            return [(row.id, row.queue) for row in rows]

    @repeated
    def take_back(self, max_attempts: int) -> list[str]:
        """Queue every job again whose lease ran out, or end it where no try is left. Returns their ids."""
        taken = []
        with self.database.transaction() as session:
            rows = session.scalars(
                select(JobRow)
                .where(is_active(), JobRow.owner != "", JobRow.lease_until < self._clock())
                # A worker that renews at this moment holds the row's lock: it lives, so it is passed over.
                .with_for_update(skip_locked=True)
            ).all()
            for row in rows:
                taken.append(row.id)
                row.attempts += 1
                reason = f"the lease of {row.owner} ran out"
                if row.cancel_requested:
                    self._cancel_row(session, row, "reaper", reason)
                elif row.attempts >= max_attempts:
                    row.error = InfrastructureError(
                        f"the job's worker went silent {row.attempts} times", do="see the workers' logs"
                    ).to_document()
                    self._end(session, row, State.FAILED, "reaper", reason)
                    self._leave_children(session, row.id, "reaper")
                else:
                    self._release(session, row, "reaper", Cause.LEASE_LOST, reason)
                    # The old owner's next write must fail even before a new claim.
                    row.fence += 1
        return taken

    # -- the one place where a row changes its state -------------------------------------------------------

    def _row(self, session: Session, claim: Claim) -> JobRow:
        row_id = session.scalar(held(claim).values(fence=JobRow.fence).returning(JobRow.id))
        if row_id is None:
            raise lost(claim)
        return session.get_one(JobRow, row_id, populate_existing=True)

    def _release(self, session: Session, row: JobRow, actor: str, cause: Cause, reason: str) -> None:
        self._note(session, row.id, actor, State(row.state), State.QUEUED, row.fence, cause, reason)
        row.state, row.owner, row.lease_until, row.rung_at, row.phase = State.QUEUED, "", 0.0, 0.0, ""
        # Where a child's end had woken it, that was not looked at yet.
        row.stirred = True

    def _cancel_row(self, session: Session, row: JobRow, actor: str, reason: str) -> None:
        row.error = Cancelled(f"{row.title} was cancelled").to_document()
        self._end(session, row, State.CANCELLED, actor, reason)
        self._leave_children(session, row.id, actor)

    def _end(self, session: Session, row: JobRow, state: State, actor: str, reason: str) -> None:
        self._note(session, row.id, actor, State(row.state), state, row.fence, Cause(state.value), reason)
        row.state, row.owner, row.lease_until, row.ended_at = state, "", 0.0, self._clock()
        addresses = select(WaiterRow.webhook).where(WaiterRow.job == row.id, WaiterRow.webhook != "")
        # In the same transaction: a job's end and the messages about it are one truth.
        for url in sorted(set(session.scalars(addresses))):
            session.add(WebhookRow(id=new_id(), job=row.id, url=url, due_at=row.ended_at))
        parents = select(JobChildRow.parent).where(JobChildRow.child == row.id)
        session.execute(
            update(JobRow)
            .where(JobRow.id.in_(parents), is_active())
            .values(stirred=True)
            .execution_options(synchronize_session=False)
        )
        session.flush()

    def _note(
        self,
        session: Session,
        job: str,
        actor: str,
        before: str,
        after: str,
        fence: int,
        cause: Cause,
        reason: str,
    ) -> None:
        session.add(
            TransitionRow(
                job=job, at=self._clock(), actor=actor, before=before, after=after, fence=fence, cause=cause,
                reason=reason,
            )
        )  # fmt: skip


def _copy(waiter: WaiterRow, job: str) -> WaiterRow:
    return WaiterRow(
        job=job, id=waiter.id, webhook=waiter.webhook, trace=waiter.trace, joined_at=waiter.joined_at
    )
