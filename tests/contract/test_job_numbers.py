"""The numbers of the jobs on every database: totals that only grow, and the load as it is right now."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, event, insert, select

from wheelyard.digests import key_of
from wheelyard.errors import BuildFailed, InfrastructureError, StoreUnavailable
from wheelyard.jobs.job_totals import BUCKETS, EndedJobs, JobTotals
from wheelyard.jobs.models import TransitionRow, WebhookRow, WorkerRow
from wheelyard.jobs.queue_load import Lane, read_load
from wheelyard.jobs.states import Kind, Priority

TOOLCHAIN = "debian12-cp311"
QUEUE = f"toolchain.{TOOLCHAIN}"


@pytest.fixture
def totals(database):
    return JobTotals(database)


def submit(ledger, name, kind=Kind.WHEEL, **fields):
    return ledger.submit(kind, key_of(name), spec={}, title=name, toolchain=TOOLCHAIN, **fields)[0]


def done(ledger, name, kind, result):
    ledger.succeed(ledger.claim(submit(ledger, name, kind).id, "w", 30), result)


def wheel(size, **phases):
    return {"wheel": {"size": size}, "phases": phases}


# -- totals ----------------------------------------------------------------------------------------


def test_totals_count_ends_by_error_phases_nodes_and_bytes(ledger, totals):
    done(ledger, "a", Kind.WHEEL, wheel(1000, compile=31.0, publish=0.05))
    done(ledger, "b", Kind.WHEEL, wheel(1000))
    done(ledger, "c", Kind.BUILD, {"wheels": [{"hit": True}, {"hit": False}], "phases": {"resolve": 3.0}})
    failed = BuildFailed("demo failed")
    failed.facts["phases"] = {"compile": 9000.0}
    ledger.fail(ledger.claim(submit(ledger, "d").id, "w", 30), failed)
    ledger.cancel(submit(ledger, "e").id, "test")
    assert totals.catch_up()
    about = {"kind": "wheel", "queue": QUEUE, "toolchain": TOOLCHAIN}
    assert totals.ended == {
        EndedJobs(**about, outcome="succeeded", error=""): 2,
        EndedJobs(kind="build", queue="plans", toolchain=TOOLCHAIN, outcome="succeeded", error=""): 1,
        EndedJobs(**about, outcome="failed", error="build-failed"): 1,
        EndedJobs(**about, outcome="cancelled", error="cancelled"): 1,
    }
    compiles = totals.phases["wheel", "compile"]
    assert compiles.seconds == 9031
    up_to = dict(zip((*BUCKETS, None), compiles.cumulative, strict=True))
    assert (up_to[30], up_to[60], up_to[7200], up_to[None]) == (0, 1, 1, 2)
    assert set(totals.phases) == {("wheel", "compile"), ("wheel", "publish"), ("build", "resolve")}
    assert totals.nodes == {"hit": 1, "built": 1}
    # The one without a publish phase found its wheel made already.
    assert (totals.wheels, totals.wheel_bytes) == ({TOOLCHAIN: 1}, {TOOLCHAIN: 1000})


def test_totals_are_the_same_for_a_process_that_starts_later(database, ledger, totals):
    for name in "abc":
        done(ledger, name, Kind.WHEEL, wheel(10, compile=1.0, publish=1.0))
        assert totals.catch_up()
    later = JobTotals(database)
    assert later.catch_up()
    assert (later.moves, later.ended, later.wheel_bytes) == (totals.moves, totals.ended, totals.wheel_bytes)
    assert later.phases == totals.phases
    assert totals.moves["wheel", "claimed"] == 3


def test_catching_up_again_counts_nothing_twice(ledger, totals):
    done(ledger, "a", Kind.WHEEL, wheel(10, compile=1.0))
    for _ in range(3):
        assert totals.catch_up()
    assert totals.moves == {("wheel", cause): 1 for cause in ("submitted", "claimed", "succeeded")}
    assert totals.phases["wheel", "compile"].cumulative[-1] == 1


def test_a_long_history_is_read_in_parts_within_its_time(database, ledger):
    ticks = iter(range(10_000))
    totals = JobTotals(database, budget_seconds=0.5, clock=lambda: float(next(ticks)))
    job = submit(ledger, "a")
    with database.transaction() as session:
        session.execute(
            insert(TransitionRow),
            [
                {"job": job.id, "at": 1.0, "actor": "t", "before": "", "after": "", "fence": 0,
                 "cause": "phase", "reason": ""}
                for _ in range(9000)
            ],
        )  # fmt: skip
    assert [totals.catch_up() for _ in range(4)] == [False, False, True, True]
    assert totals.moves["wheel", "phase"] == 9000


def test_a_transition_that_is_committed_late_is_counted_all_the_same(database, ledger, totals):
    job = submit(ledger, "a")
    claim = ledger.claim(job.id, "w", 30)
    ledger.release(claim, "stops")
    with database.transaction() as session:
        # As if the claim's transaction, with its lower number, had not been committed yet.
        late = session.scalar(select(TransitionRow).where(TransitionRow.cause == "claimed"))
        kept = {column.name: getattr(late, column.name) for column in TransitionRow.__table__.columns}
        session.execute(delete(TransitionRow).where(TransitionRow.id == kept["id"]))
    assert totals.catch_up()
    assert totals.moves["wheel", "claimed"] == 0
    with database.transaction() as session:
        session.execute(insert(TransitionRow).values(**kept))
    assert totals.catch_up()
    assert totals.catch_up()
    assert totals.moves["wheel", "claimed"] == 1


def test_leases_lost_count_those_whose_job_had_no_try_left_but_not_its_children(ledger, clock, totals):
    parent = submit(ledger, "parent", Kind.BUILD)
    claim = ledger.claim(parent.id, "w", 30)
    submit(ledger, "child", waiter=parent.id)
    clock.now += 60
    ledger.take_back(2)
    claim = ledger.claim(parent.id, "w", 30)
    assert claim is not None
    ledger.park(claim, [submit(ledger, "child", waiter=parent.id).id], {})
    other = ledger.claim(submit(ledger, "other").id, "w", 30)
    assert other is not None
    clock.now += 60
    ledger.take_back(1)
    totals.catch_up()
    assert totals.leases_lost == {"build": 1, "wheel": 1}


def test_retries_and_releases_have_causes_of_their_own(ledger, clock, totals):
    job = submit(ledger, "a")
    ledger.fail(ledger.claim(job.id, "w", 30), StoreUnavailable("out"), max_attempts=3)
    clock.now += 60
    ledger.release(ledger.claim(job.id, "w", 30), "stops")
    totals.catch_up()
    assert (totals.moves["wheel", "retried"], totals.moves["wheel", "released"]) == (1, 1)


# -- load ------------------------------------------------------------------------------------------


def load_of(ledger, clock):
    return read_load(ledger.database, clock.now)


def test_only_what_can_be_claimed_counts_as_waiting(ledger, clock):
    running, resting = submit(ledger, "running"), submit(ledger, "resting")
    ledger.claim(running.id, "w", 30)
    ledger.fail(ledger.claim(resting.id, "w", 30), StoreUnavailable("out"), max_attempts=3)
    parent = submit(ledger, "parent", Kind.BUILD)
    claim = ledger.claim(parent.id, "w", 30)
    ledger.park(claim, [submit(ledger, "child", waiter=parent.id).id], {})
    submit(ledger, "slow", priority=Priority.BATCH)
    load = load_of(ledger, clock)
    assert {lane: waiting.jobs for lane, waiting in load.lanes.items()} == {
        Lane(QUEUE, TOOLCHAIN, Priority.INTERACTIVE): 1,
        Lane(QUEUE, TOOLCHAIN, Priority.BATCH): 1,
    }
    assert sum(waiting.jobs for waiting in load.lanes.values()) == len(
        ledger.next_in_turn([QUEUE, "plans"], 100)
    )
    assert (load.resting, load.for_others) == ({QUEUE: 1}, {"plans": 1})
    assert load.running == {(QUEUE, "wheel"): 1}
    assert load.states["build", "building", "plans"] == 1


def test_a_job_waits_since_it_could_be_claimed_and_not_since_it_was_made(ledger, clock):
    lane = Lane("plans", TOOLCHAIN, Priority.INTERACTIVE)
    parent = submit(ledger, "parent", Kind.BUILD)
    claim = ledger.claim(parent.id, "w", 30)
    child = submit(ledger, "child", waiter=parent.id)
    ledger.park(claim, [child.id], {})
    clock.now += 3600
    ledger.succeed(ledger.claim(child.id, "w", 30), {})
    clock.now += 7
    assert clock.now - load_of(ledger, clock).lanes[lane].since == 7


def test_a_job_that_was_handed_back_waits_since_then(ledger, clock):
    lane = Lane(QUEUE, TOOLCHAIN, Priority.INTERACTIVE)
    first = submit(ledger, "a")
    claim = ledger.claim(first.id, "w", 30)
    clock.now += 600
    ledger.release(claim, "stops")
    clock.now += 5
    assert clock.now - load_of(ledger, clock).lanes[lane].since == 5
    second = submit(ledger, "b")
    ledger.claim(first.id, "w", 30)
    clock.now += 3
    assert clock.now - load_of(ledger, clock).lanes[lane].since == 3
    ledger.fail(ledger.claim(second.id, "w", 30), InfrastructureError("out"), max_attempts=2)
    assert not load_of(ledger, clock).lanes
    clock.now += 10
    # It rests for five seconds after its first failure.
    assert clock.now - load_of(ledger, clock).lanes[lane].since == 5


def test_workers_count_while_they_say_that_they_live(ledger, clock):
    with ledger.database.transaction() as session:
        for owner, seen in (("alive", clock.now - 5), ("silent", clock.now - 60)):
            session.add(
                WorkerRow(
                    owner=owner, host="h", pid=1, version="0", queues=[QUEUE], slots=2, cores=2, memory=1,
                    started_at=1.0, seen_at=seen,
                )
            )  # fmt: skip
    ledger.claim(submit(ledger, "a").id, "alive", 30)
    (worker,) = load_of(ledger, clock).workers
    assert (worker.owner, worker.queues, worker.slots, worker.held) == ("alive", (QUEUE,), 2, 1)


def test_webhooks_that_are_due_are_counted_with_the_oldest_one(ledger, clock):
    assert load_of(ledger, clock).webhooks == 0
    job = submit(ledger, "a", webhook="https://ci.example/hook")
    ledger.succeed(ledger.claim(job.id, "w", 30), {})
    clock.now += 9
    load = load_of(ledger, clock)
    assert (load.webhooks, clock.now - load.webhooks_since) == (1, 9)
    with ledger.database.transaction() as session:
        session.scalar(select(WebhookRow)).due_at = 0.0
    assert load_of(ledger, clock).webhooks == 0


def test_sqlite_reads_active_jobs_by_their_index_and_not_the_whole_table(ledger, clock):
    engine = ledger.database.engine
    if engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL knows how large its indexes are, and chooses by that")
    asked = []

    @event.listens_for(engine, "before_cursor_execute")
    def note(_connection, _cursor, statement, parameters, *_rest):
        asked.append((statement, parameters))

    load_of(ledger, clock)
    ledger.next_in_turn([QUEUE])
    ledger.silent(1.0)
    event.remove(engine, "before_cursor_execute", note)
    reads = [one for one in asked if "FROM jobs" in one[0]]
    assert len(reads) >= 4
    with ledger.database.reading() as session:
        for statement, parameters in reads:
            plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            assert "_active_" in str([row[-1] for row in plan]), statement
