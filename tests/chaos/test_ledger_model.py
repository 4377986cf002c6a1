"""The ledger against a model of it: submit, join, leave, claim, crash, retry, in any order, in any time.

A worker that crashed is one that says nothing more, and one that stood still says it too late: every claim
that was ever given may write at any time.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import func, select, text

from wheelyard.digests import key_of
from wheelyard.errors import BuildFailed, Cancelled, Conflict, LeaseLost, StoreUnavailable
from wheelyard.jobs.database import Database
from wheelyard.jobs.ledger import Ledger
from wheelyard.jobs.migrate import migrate
from wheelyard.jobs.models import FileRow
from wheelyard.jobs.states import Claim, Kind, State

_LEASE = 30.0
_TRIES = 3
_TABLES = "idempotency_keys, webhooks, files, transitions, job_children, waiters, jobs"
_WRITES = ("renew", "advance", "succeed", "fail", "retry", "release")


@dataclass
class Expected:
    """What a job must look like."""

    id: str
    key: str
    waiters: set[str]
    state: State = State.QUEUED
    owner: str = ""
    fence: int = 0
    lease_until: float = 0.0
    attempts: int = 0
    cancelled: bool = False
    not_before: float = 0.0
    rung_at: float = 0.0
    stirred: bool = False
    children: list[Expected] = field(default_factory=list)

    def claimable(self, now: float) -> bool:
        waits = not self.stirred and any(not child.state.ended for child in self.children)
        return not self.state.ended and not self.owner and self.not_before <= now and not waits


class LedgerModel(RuleBasedStateMachine):
    """Every call is made on the ledger and on the model."""

    jobs: Bundle = Bundle("jobs")
    claims: Bundle = Bundle("claims")

    def __init__(self, database: Database) -> None:
        super().__init__()
        self.database = database
        self.now = 1_000_000.0
        self.ledger = Ledger(database, lambda: self.now)
        self.all: dict[str, Expected] = {}

    # -- the front door ------------------------------------------------------------------------------------

    @rule(target=jobs, key=st.sampled_from(["one", "two", "build"]), waiter=st.sampled_from("abc"))
    def submit(self, key: str, waiter: str) -> str:
        return self._submit(key, waiter, Kind.BUILD if key == "build" else Kind.WHEEL)

    def _submit(self, key: str, waiter: str, kind: Kind) -> str:
        active = self._active(key)
        if active is not None and active.cancelled:
            # Whoever asks for what is being cancelled waits for its end; the contract's tests show that.
            return active.id
        job, joined = self.ledger.submit(kind, key_of(key), spec={}, title=key, toolchain="tc", waiter=waiter)
        assert joined == (active is not None)
        if active is None:
            assert job.id not in self.all
            self.all[job.id] = Expected(job.id, key, {waiter})
        else:
            assert job.id == active.id
            active.waiters.add(waiter)
        return job.id

    @rule(job=jobs, waiter=st.sampled_from("abc"))
    def leave(self, job: str, waiter: str) -> None:
        expected = self.all[job]
        if expected.state.ended:
            with pytest.raises(Conflict):
                self.ledger.cancel(job, "api", waiter=waiter)
            return
        self.ledger.cancel(job, "api", waiter=waiter)
        self._leave(expected, waiter)

    def _leave(self, job: Expected, waiter: str) -> None:
        if job.state.ended or job.cancelled:
            return
        job.waiters.discard(waiter)
        if not job.waiters:
            job.cancelled = True
            if not job.owner:
                self._end(job, State.CANCELLED)

    def _end(self, job: Expected, state: State) -> None:
        job.state, job.owner, job.lease_until = state, "", 0.0
        for parent in self.all.values():
            if job in parent.children and not parent.state.ended:
                parent.stirred = True
        if state is not State.SUCCEEDED:
            for child in job.children:
                self._leave(child, job.id)

    # -- workers -------------------------------------------------------------------------------------------

    @rule(target=claims, job=jobs, worker=st.sampled_from(["w1", "w2"]))
    def claim(self, job: str, worker: str) -> Claim | None:
        return self._claim(job, worker)

    @rule(target=claims, job=jobs, worker=st.sampled_from(["w1", "w2"]))
    def stand_still(self, job: str, worker: str) -> MultipleResults[Claim | None]:
        """A worker falls asleep over a job; it, or another one, then claims the job again."""
        slept = self._claim(job, "w1")
        self.now += 31
        self.reap()
        return multiple(slept, self._claim(job, worker))

    def _claim(self, job: str, worker: str) -> Claim | None:
        expected = self.all[job]
        claim = self.ledger.claim(job, worker, _LEASE)
        assert (claim is not None) == expected.claimable(self.now)
        if claim is not None:
            assert claim.fence > expected.fence
            expected.owner, expected.fence, expected.state = worker, claim.fence, State.BUILDING
            expected.lease_until = self.now + _LEASE
            expected.stirred = False
        return claim

    @rule(claim=claims, what=st.sampled_from(_WRITES))
    def write(self, claim: Claim | None, what: str) -> None:
        if claim is None:
            return
        expected = self.all[claim.id]
        if not self._holds(claim):
            with pytest.raises(LeaseLost):
                self._write(claim, what)
            return
        if what == "renew" and expected.cancelled:
            with pytest.raises(Cancelled):
                self._write(claim, what)
            expected.lease_until = self.now + _LEASE
            return
        self._write(claim, what)
        self._expect(expected, what)

    def _write(self, claim: Claim, what: str) -> None:
        ledger = self.ledger
        calls: dict[str, Callable[[], object]] = {
            "renew": lambda: ledger.renew(claim, _LEASE),
            "advance": lambda: ledger.advance(claim, "publish", State.PUBLISHING),
            "succeed": lambda: ledger.succeed(claim, {"n": 1}, publish=lambda one: one.add(_wheel(claim))),
            "fail": lambda: ledger.fail(claim, BuildFailed("gcc failed"), max_attempts=_TRIES),
            "retry": lambda: ledger.fail(claim, StoreUnavailable("it is out"), max_attempts=_TRIES),
            "release": lambda: ledger.release(claim, "the worker stops"),
        }
        calls[what]()

    def _expect(self, job: Expected, what: str) -> None:
        match what:
            case "renew":
                job.lease_until = self.now + _LEASE
            case "advance":
                job.state = State.PUBLISHING
            case "succeed":
                self._end(job, State.SUCCEEDED)
            case "release":
                self._queue_again(job) if not job.cancelled else self._end(job, State.CANCELLED)
            case _:
                job.attempts += 1
                if what == "retry" and job.attempts < _TRIES and not job.cancelled:
                    self._queue_again(job)
                    job.not_before = self.now + 5 * 2 ** (job.attempts - 1)
                else:
                    self._end(job, State.FAILED)

    def _queue_again(self, job: Expected) -> None:
        job.state, job.owner, job.lease_until, job.rung_at = State.QUEUED, "", 0.0, 0.0
        job.stirred = True

    @rule(claim=claims, key=st.sampled_from(["one", "two"]))
    def park(self, claim: Claim | None, key: str) -> None:
        if claim is None or self.all[claim.id].key != "build":
            return
        expected = self.all[claim.id]
        if not self._holds(claim):
            with pytest.raises(LeaseLost):
                self.ledger.park(claim, [], {})
            return
        child = self.all[self._submit(key, claim.id, Kind.WHEEL)]
        if claim.id not in child.waiters:
            return
        self.ledger.park(claim, [child.id], {})
        if child not in expected.children:
            expected.children.append(child)
        if expected.cancelled:
            self._end(expected, State.CANCELLED)
        else:
            ended = expected.stirred
            self._queue_again(expected)
            expected.state, expected.stirred = State.BUILDING, ended

    def _holds(self, claim: Claim) -> bool:
        job = self.all[claim.id]
        return (job.owner, job.fence) == (claim.owner, claim.fence) and not job.state.ended

    # -- time, relay and reaper ----------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([1.0, 11.0, 31.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.all)
    @rule()
    def reap(self) -> None:
        late = [job for job in self.all.values() if job.owner and job.lease_until < self.now]
        assert set(self.ledger.take_back(_TRIES)) == {job.id for job in late}
        for job in late:
            job.attempts += 1
            if job.cancelled:
                self._end(job, State.CANCELLED)
            elif job.attempts >= _TRIES:
                self._end(job, State.FAILED)
            else:
                self._queue_again(job)
                job.fence += 1

    @rule()
    def ring(self) -> None:
        silent = [job for job in self.all.values() if job.claimable(self.now) and job.rung_at < self.now - 10]
        assert {job for job, _queue in self.ledger.silent(10)} == {job.id for job in silent}
        for job in silent:
            job.rung_at = self.now

    # -- what must hold ------------------------------------------------------------------------------------

    @invariant()
    def every_job_is_as_expected(self) -> None:
        for job in self.ledger.get_many(self.all):
            expected = self.all[job.id]
            found = (job.state, job.owner, job.fence, job.attempts, job.cancel_requested, job.waiters)
            assert found == (
                expected.state, expected.owner, expected.fence, expected.attempts, expected.cancelled,
                len(expected.waiters),
            )  # fmt: skip

    @invariant()
    def each_ends_once_and_publishes_once(self) -> None:
        with self.database.reading() as session:
            rows = session.execute(select(FileRow.build_key, func.count()).group_by(FileRow.build_key))
            published = {row[0]: row[1] for row in rows}
        done = {job.id: 1 for job in self.all.values() if job.state is State.SUCCEEDED}
        assert published == done
        for job in self.all.values():
            ends = [move for move in self.ledger.transitions(job.id) if State(move["to"]).ended]
            assert len(ends) == job.state.ended

    def _active(self, key: str) -> Expected | None:
        found = [job for job in self.all.values() if job.key == key and not job.state.ended]
        assert len(found) <= 1
        return found[0] if found else None

    def teardown(self) -> None:
        """Whatever happened: with time and one worker that does its work, everything ends."""
        for _ in range(60):
            self.now += 31
            self.ledger.take_back(_TRIES)
            for job, _queue in self.ledger.silent(10):
                claim = self.ledger.claim(job, "last", _LEASE)
                assert claim is not None
                self.ledger.succeed(claim, {})
        assert all(job.state.ended for job in self.ledger.get_many(self.all))


def _wheel(claim: Claim) -> FileRow:
    # One row of a name of its own for each success: a second one would be seen in the count.
    return FileRow(
        channel="default", filename=f"{claim.id}-{claim.fence}.whl", project="a", version="1", digest="d",
        size=1, metadata_digest="m", build_key=claim.id, published_at=0.0,
    )  # fmt: skip


def _run(make: Callable[[], LedgerModel], *, full: bool) -> None:
    run_state_machine_as_test(
        make,
        settings=settings(
            max_examples=300 if full else 15,
            stateful_step_count=60 if full else 30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_ledger_on_sqlite_does_what_its_model_does(tmp_path: Path, full: bool):
    whole, used = tmp_path / "whole.db", tmp_path / "used.db"
    migrate(f"sqlite:///{whole}")
    opened: list[Database] = []

    def make() -> LedgerModel:
        while opened:
            opened.pop().close()
        for rest in tmp_path.glob("used.db*"):
            rest.unlink()
        shutil.copyfile(whole, used)
        opened.append(Database(f"sqlite:///{used}"))
        return LedgerModel(opened[0])

    _run(make, full=full)
    opened[0].close()


@pytest.mark.postgres
def test_the_ledger_on_postgresql_does_what_its_model_does(postgres_database: Callable[[], str], full: bool):
    database = Database(postgres_database())

    def make() -> LedgerModel:
        with database.transaction() as session:
            session.execute(text(f"TRUNCATE {_TABLES}"))
        return LedgerModel(database)

    _run(make, full=full)
    database.close()
