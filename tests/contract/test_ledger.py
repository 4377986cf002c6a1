"""One suite for the ledger on every database: single flight, claim and fence, park and wake, cancel, reap."""

from __future__ import annotations

import multiprocessing
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from wheelyard.digests import key_of
from wheelyard.errors import BuildFailed, Cancelled, Conflict, LeaseLost, NotFound, StoreUnavailable
from wheelyard.jobs import ledger as ledger_module
from wheelyard.jobs.database import Database
from wheelyard.jobs.ledger import Ledger
from wheelyard.jobs.models import FileRow, WebhookRow
from wheelyard.jobs.states import Kind, Priority, State


def submit(ledger, name="a", kind=Kind.WHEEL, **fields):
    job, _joined = ledger.submit(
        kind, key_of(name), spec={"name": name}, title=name, toolchain="debian12-cp311", **fields
    )
    return job


def parked(ledger, *children, name="parent"):
    """A parent that waits for the children."""
    parent = submit(ledger, name, Kind.BUILD)
    claim = ledger.claim(parent.id, "w", 30)
    ledger.park(claim, [child.id for child in children], {"round": 2})
    return parent


def family(ledger, *names, name="parent", kind=Kind.WHEEL):
    """A parent and the children that it submitted and waits for."""
    parent = submit(ledger, name, Kind.BUILD)
    claim = ledger.claim(parent.id, "w", 30)
    children = [submit(ledger, one, kind, waiter=parent.id) for one in names]
    ledger.park(claim, [child.id for child in children], {"round": 2})
    return parent, *children


# -- single flight ---------------------------------------------------------------------------------


def test_the_same_request_joins_the_active_job(ledger):
    first, joined_first = ledger.submit(Kind.WHEEL, "k" * 64, spec={}, title="t", toolchain="tc")
    second, joined_second = ledger.submit(Kind.WHEEL, "k" * 64, spec={}, title="t", toolchain="tc")
    assert (joined_first, joined_second) == (False, True)
    assert second.id == first.id
    assert second.waiters == 2


def test_thirty_two_threads_with_the_same_request_make_one_job(ledger):
    gate = threading.Barrier(32)

    def ask(_number):
        gate.wait()
        return submit(ledger).id

    with ThreadPoolExecutor(32) as pool:
        ids = set(pool.map(ask, range(32)))
    assert len(ids) == 1
    assert ledger.get(ids.pop()).waiters == 32


def _ask_many(url, times, answers):
    database = Database(url)
    ledger = Ledger(database)
    answers.put([submit(ledger).id for _ in range(times)])
    database.close()


def test_several_processes_with_the_same_request_make_one_job(ledger, database_url):
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    processes = [context.Process(target=_ask_many, args=(database_url, 20, answers)) for _ in range(4)]
    for process in processes:
        process.start()
    ids = {job for _ in processes for job in answers.get(timeout=60)}
    for process in processes:
        process.join(timeout=60)
    assert len(ids) == 1
    assert ledger.get(ids.pop()).waiters == 80


def test_a_request_after_the_end_is_a_new_job(ledger):
    first = submit(ledger)
    ledger.succeed(ledger.claim(first.id, "w", 30), {})
    assert submit(ledger).id != first.id


def test_a_request_for_what_is_being_cancelled_waits_for_its_end_and_is_a_new_job(ledger):
    first = submit(ledger)
    claim = ledger.claim(first.id, "w", 30)
    ledger.cancel(first.id, "api")
    ender = threading.Timer(0.3, ledger.fail, (claim, Cancelled("stopped")))
    ender.start()
    second = submit(ledger)
    ender.join()
    assert second.id != first.id
    assert ledger.get(first.id).state is State.CANCELLED


def test_a_request_does_not_wait_for_ever_for_what_is_being_cancelled(ledger, monkeypatch):
    monkeypatch.setattr(ledger_module, "_KEY_WAIT_SECONDS", 0.2)
    job = submit(ledger)
    ledger.claim(job.id, "w", 30)
    ledger.cancel(job.id, "api")
    with pytest.raises(Conflict, match="being cancelled"):
        submit(ledger)


# -- claim, lease and fence ------------------------------------------------------------------------


def test_one_of_many_claims_wins(ledger):
    job = submit(ledger)
    gate = threading.Barrier(16)

    def claim(number):
        gate.wait()
        return ledger.claim(job.id, f"w{number}", 30)

    with ThreadPoolExecutor(16) as pool:
        won = [claim for claim in pool.map(claim, range(16)) if claim is not None]
    assert len(won) == 1
    assert won[0].fence == 1
    assert ledger.get(job.id).owner == won[0].owner
    assert ledger.get(job.id).state is State.BUILDING


def test_a_job_that_ended_can_not_be_claimed(ledger):
    job = submit(ledger)
    ledger.fail(ledger.claim(job.id, "w", 30), BuildFailed("no"))
    assert ledger.claim(job.id, "w", 30) is None


def test_there_is_nothing_to_claim_where_there_is_no_job(ledger):
    assert ledger.claim("f" * 32, "w", 30) is None


def test_every_write_of_an_old_claim_is_refused(ledger, clock):
    job = submit(ledger)
    old = ledger.claim(job.id, "w1", 30)
    clock.now += 31
    assert ledger.take_back(3) == [job.id]
    new = ledger.claim(job.id, "w2", 30)
    assert new.fence > old.fence
    for write in (
        lambda: ledger.renew(old, 30),
        lambda: ledger.advance(old, "compile"),
        lambda: ledger.park(old, [], {}),
        lambda: ledger.succeed(old, {}),
        lambda: ledger.fail(old, BuildFailed("no")),
        lambda: ledger.release(old, "stop"),
    ):
        with pytest.raises(LeaseLost):
            write()
    ledger.advance(new, "compile")
    assert ledger.get(job.id).phase == "compile"


def test_an_old_claim_writes_nothing_even_before_a_new_one(ledger, clock):
    job = submit(ledger)
    old = ledger.claim(job.id, "w", 30)
    clock.now += 31
    ledger.take_back(3)
    # The same owner's name claims nothing back.
    with pytest.raises(LeaseLost):
        ledger.succeed(old, {})


def test_what_a_lost_claim_would_have_published_stays_invisible(ledger, clock, database):
    job = submit(ledger)
    old = ledger.claim(job.id, "w", 30)
    clock.now += 31
    ledger.take_back(3)

    def publish(session):
        session.add(
            FileRow(channel="default", filename="a.whl", project="a", version="1", digest="d", size=1,
                     metadata_digest="m", build_key="k", published_at=0.0)
        )  # fmt: skip

    with pytest.raises(LeaseLost):
        ledger.succeed(old, {}, publish=publish)
    with database.reading() as session:
        assert session.get(FileRow, ("default", "a.whl")) is None


def test_a_publication_that_fails_leaves_the_job_as_it_was(ledger):
    job = submit(ledger)
    claim = ledger.claim(job.id, "w", 30)

    def publish(_session):
        raise BuildFailed("the name is taken")

    with pytest.raises(BuildFailed):
        ledger.succeed(claim, {"x": 1}, publish=publish)
    assert ledger.get(job.id).state is State.BUILDING
    assert ledger.get(job.id).result is None


def test_a_renewed_lease_is_not_taken_back(ledger, clock):
    job = submit(ledger)
    claim = ledger.claim(job.id, "w", 30)
    clock.now += 29
    ledger.renew(claim, 30)
    clock.now += 29
    assert ledger.take_back(3) == []


def test_renewing_says_that_somebody_asked_for_the_end(ledger):
    job = submit(ledger)
    claim = ledger.claim(job.id, "w", 30)
    ledger.cancel(job.id, "api")
    with pytest.raises(Cancelled):
        ledger.renew(claim, 30)


def test_take_back_and_renew_at_the_same_time_agree(ledger, clock):
    for number in range(20):
        job = submit(ledger, f"race-{number}")
        claim = ledger.claim(job.id, "w", 30)
        clock.now += 31
        gate = threading.Barrier(2)

        def renew(claim=claim, gate=gate):
            gate.wait()
            try:
                ledger.renew(claim, 1000)
            except LeaseLost:
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            renewed = pool.submit(renew)
            gate.wait()
            taken = ledger.take_back(100)
            assert renewed.result() == (job.id not in taken)
        job = ledger.get(job.id)
        assert (job.owner == "w") == renewed.result()


# -- ends ------------------------------------------------------------------------------------------


def test_success_keeps_result_log_and_times(ledger, clock):
    job = submit(ledger)
    clock.now += 5
    claim = ledger.claim(job.id, "w", 30)
    clock.now += 60
    ledger.succeed(claim, {"wheels": [1]}, log="sha256:" + "0" * 64)
    job = ledger.get(job.id)
    assert (job.state, job.result, job.log) == (State.SUCCEEDED, {"wheels": [1]}, "sha256:" + "0" * 64)
    assert (job.started_at - job.created_at, job.ended_at - job.started_at) == (5, 60)
    assert job.owner == ""


def test_a_failed_build_ends_at_once_and_keeps_its_error(ledger):
    job = submit(ledger)
    error = BuildFailed("gcc failed", found="fatal error: zlib.h", do="add zlib1g-dev")
    assert ledger.fail(ledger.claim(job.id, "w", 30), error, max_attempts=3) is State.FAILED
    assert ledger.get(job.id).error == error.to_document()


def test_failed_infrastructure_queues_the_job_again_until_no_try_is_left(ledger, clock):
    job = submit(ledger)
    for state in (State.QUEUED, State.QUEUED, State.FAILED):
        claim = ledger.claim(job.id, "w", 30)
        assert ledger.fail(claim, StoreUnavailable("out"), max_attempts=3) is state
        clock.now += 60
    assert ledger.get(job.id).attempts == 3


def test_a_retry_can_be_had_after_a_pause_that_grows(ledger, clock):
    job = submit(ledger)
    for pause in (5, 10):
        ledger.fail(ledger.claim(job.id, "w", 30), StoreUnavailable("out"), max_attempts=9)
        clock.now += pause - 1
        assert ledger.silent(0) == []
        assert ledger.claim(job.id, "w", 30) is None
        clock.now += 2
        assert [one for one, _queue in ledger.silent(0)] == [job.id]


def test_a_released_job_is_queued_and_costs_no_try(ledger):
    job = submit(ledger)
    assert ledger.release(ledger.claim(job.id, "w", 30), "the worker stops") is State.QUEUED
    assert ledger.get(job.id).attempts == 0
    assert ledger.claim(job.id, "w2", 30) is not None


def test_the_last_success_of_a_key_is_found_while_it_is_fresh(ledger, clock):
    job = submit(ledger)
    ledger.succeed(ledger.claim(job.id, "w", 30), {"n": 1})
    assert ledger.last_success(job.key, clock.now - 10).id == job.id
    assert ledger.last_success(job.key, clock.now + 1) is None
    assert ledger.last_success("0" * 64, 0) is None


# -- parents and children --------------------------------------------------------------------------


def test_a_parent_is_claimed_again_whenever_a_child_ended(ledger):
    one, two = submit(ledger, "one"), submit(ledger, "two")
    parent = parked(ledger, one, two)
    assert ledger.claim(parent.id, "w", 30) is None
    ledger.succeed(ledger.claim(one.id, "w", 30), {})
    claim = ledger.claim(parent.id, "w", 30)
    assert claim.job.spec == {"round": 2}
    assert set(claim.job.children) == {one.id, two.id}
    ledger.park(claim, [], {"round": 3})
    assert ledger.claim(parent.id, "w", 30) is None
    ledger.fail(ledger.claim(two.id, "w", 30), BuildFailed("no"))
    assert ledger.claim(parent.id, "w", 30).job.spec == {"round": 3}


def test_a_child_that_ends_while_its_parent_looks_is_not_missed(ledger):
    one, two = submit(ledger, "one"), submit(ledger, "two")
    parent = parked(ledger, one, two)
    ledger.succeed(ledger.claim(one.id, "w", 30), {})
    claim = ledger.claim(parent.id, "w", 30)
    third = submit(ledger, "third")
    ledger.succeed(ledger.claim(two.id, "w", 30), {})
    ledger.park(claim, [third.id], {"round": 3})
    assert ledger.claim(parent.id, "w", 30) is not None


def test_a_parent_whose_children_ended_is_rung_at_the_next_round(ledger):
    child = submit(ledger, "child")
    parent = parked(ledger, child)
    ledger.silent(10)
    assert parent.id not in dict(ledger.silent(0))
    ledger.succeed(ledger.claim(child.id, "w", 30), {})
    assert dict(ledger.silent(10)) == {parent.id: "plans"}


def test_a_parent_whose_children_ended_before_it_parked_is_rung(ledger):
    child = submit(ledger, "child")
    ledger.succeed(ledger.claim(child.id, "w", 30), {})
    parent = parked(ledger, child)
    assert parent.id in dict(ledger.silent(10))


def test_a_parent_goes_on_at_once_where_a_new_child_ended_before_it_parked(ledger):
    ended, active = submit(ledger, "ended"), submit(ledger, "active")
    parent = submit(ledger, "parent", Kind.BUILD)
    claim = ledger.claim(parent.id, "w", 30)
    ledger.succeed(ledger.claim(ended.id, "w", 30), {})
    ledger.park(claim, [ended.id, active.id], {})
    again = ledger.claim(parent.id, "w", 30)
    assert again is not None
    ledger.park(again, [active.id], {})
    assert ledger.claim(parent.id, "w", 30) is None


def test_a_parent_that_goes_on_waits_no_more(ledger):
    child = submit(ledger, "child")
    parent = parked(ledger, child)
    assert ledger.get(parent.id).phase == "waiting"
    ledger.succeed(ledger.claim(child.id, "w", 30), {})
    claim = ledger.claim(parent.id, "w", 30)
    ledger.fail(claim, BuildFailed("child failed"))
    assert ledger.get(parent.id).phase == ""


def test_the_parents_of_a_job_are_found_through_all_levels(ledger):
    wheel = submit(ledger, "wheel")
    build = parked(ledger, wheel, name="build")
    image = parked(ledger, build, name="image")
    assert set(ledger.parents(wheel.id)) == {build.id, image.id}
    assert ledger.parents(image.id) == []


@pytest.mark.parametrize("back", ["released", "retried", "taken back"])
def test_a_parent_whose_turn_was_given_back_has_another_one_while_a_child_still_runs(ledger, clock, back):
    one, two = submit(ledger, "one"), submit(ledger, "two")
    parent = parked(ledger, one, two)
    ledger.succeed(ledger.claim(one.id, "w", 30), {})
    claim = ledger.claim(parent.id, "w", 30)
    if back == "released":
        ledger.release(claim, "the worker stops")
    elif back == "retried":
        ledger.fail(claim, StoreUnavailable("it is out"), max_attempts=3)
    else:
        ledger.claim(two.id, "other", 1000)
    clock.now += 31
    ledger.take_back(3)
    assert ledger.claim(parent.id, "w", 30) is not None


def test_a_failed_parent_leaves_its_children(ledger):
    build, child = family(ledger, "child")
    other = submit(ledger, "other", waiter=build.id)
    assert ledger.claim(build.id, "w", 30) is None
    ledger.succeed(ledger.claim(child.id, "w", 30), {})
    claim = ledger.claim(build.id, "w", 30)
    ledger.park(claim, [other.id], {})
    ledger.cancel(build.id, "api")
    assert ledger.get(other.id).state is State.CANCELLED
    assert ledger.get(child.id).state is State.SUCCEEDED


# -- cancelling ------------------------------------------------------------------------------------


def test_an_unclaimed_job_is_cancelled_at_once(ledger):
    job = submit(ledger)
    left = ledger.cancel(job.id, "api")
    assert (left.state, left.error["kind"]) == (State.CANCELLED, "cancelled")
    assert ledger.claim(job.id, "w", 30) is None


def test_a_job_goes_on_while_somebody_waits(ledger):
    job = submit(ledger)
    submit(ledger)
    assert ledger.cancel(job.id, "api").state is State.QUEUED
    assert ledger.cancel(job.id, "api").state is State.CANCELLED


def test_a_claimed_job_is_asked_to_end_and_asking_again_changes_nothing(ledger):
    job = submit(ledger)
    claim = ledger.claim(job.id, "w", 30)
    for _ in range(2):
        left = ledger.cancel(job.id, "api")
        assert (left.state, left.cancel_requested, left.waiters) == (State.BUILDING, True, 0)
    assert ledger.fail(claim, Cancelled("stopped"), max_attempts=3) is State.CANCELLED


def test_what_ended_can_not_be_cancelled(ledger):
    job = submit(ledger)
    ledger.succeed(ledger.claim(job.id, "w", 30), {})
    with pytest.raises(Conflict):
        ledger.cancel(job.id, "api")
    with pytest.raises(NotFound):
        ledger.cancel("f" * 32, "api")


def test_cancelling_a_parent_cancels_the_children_that_nobody_else_waits_for(ledger):
    parent, shared, own = family(ledger, "shared", "own")
    submit(ledger, "shared")
    ledger.cancel(parent.id, "api")
    assert ledger.get(parent.id).state is State.CANCELLED
    assert ledger.get(own.id).state is State.CANCELLED
    assert (ledger.get(shared.id).state, ledger.get(shared.id).waiters) == (State.QUEUED, 1)


def test_cancelling_goes_down_through_all_levels(ledger):
    image = submit(ledger, "image", Kind.IMAGE)
    waits = ledger.claim(image.id, "w", 30)
    build = submit(ledger, "build", Kind.BUILD, waiter=image.id)
    claim = ledger.claim(build.id, "w", 30)
    wheel = submit(ledger, "wheel", waiter=build.id)
    ledger.park(claim, [wheel.id], {})
    ledger.park(waits, [build.id], {})
    ledger.cancel(image.id, "api")
    assert {ledger.get(one.id).state for one in (wheel, build, image)} == {State.CANCELLED}


def test_a_parent_that_was_cancelled_while_it_planned_ends_when_it_parks(ledger):
    parent = submit(ledger, "parent", Kind.BUILD)
    claim = ledger.claim(parent.id, "w", 30)
    ledger.cancel(parent.id, "api")
    child = submit(ledger, "child", waiter=parent.id)
    assert ledger.park(claim, [child.id], {}) is State.CANCELLED
    assert ledger.get(parent.id).state is State.CANCELLED
    assert ledger.get(child.id).state is State.CANCELLED


def test_a_cancelled_job_that_is_released_ends(ledger):
    job = submit(ledger)
    claim = ledger.claim(job.id, "w", 30)
    ledger.cancel(job.id, "api")
    assert ledger.release(claim, "the worker stops") is State.CANCELLED
    assert submit(ledger).id != job.id


# -- the reaper and the relay ----------------------------------------------------------------------


def test_take_back_queues_a_silent_job_until_no_try_is_left(ledger, clock):
    job = submit(ledger)
    for state in (State.QUEUED, State.QUEUED, State.FAILED):
        ledger.claim(job.id, "w", 30)
        clock.now += 31
        assert ledger.take_back(3) == [job.id]
        assert ledger.get(job.id).state is state
    assert "silent 3 times" in ledger.get(job.id).error["failed"]


def test_take_back_ends_what_was_cancelled(ledger, clock):
    job = submit(ledger)
    ledger.claim(job.id, "w", 30)
    ledger.cancel(job.id, "api")
    clock.now += 31
    ledger.take_back(3)
    assert ledger.get(job.id).state is State.CANCELLED


def test_take_back_of_a_parent_without_a_try_leaves_its_children(ledger, clock):
    child = submit(ledger, "child")
    parent = parked(ledger, child)
    ledger.succeed(ledger.claim(child.id, "w", 30), {})
    claim = ledger.claim(parent.id, "w", 30)
    late = submit(ledger, "late")
    ledger.park(claim, [late.id], {})
    ledger.succeed(ledger.claim(late.id, "w", 30), {})
    # The next round's child is noted, and its parent's worker dies before it parks again.
    ledger.claim(parent.id, "w", 30)
    clock.now += 31
    ledger.take_back(1)
    assert ledger.get(parent.id).state is State.FAILED


def test_a_parked_parent_is_not_taken_back(ledger, clock):
    parent = parked(ledger, submit(ledger, "child"))
    clock.now += 10_000
    assert ledger.take_back(1) == []
    assert ledger.get(parent.id).state is State.BUILDING


def test_the_relay_rings_a_silent_job_once_in_a_while_and_best_first(ledger, clock):
    low = submit(ledger, "low", priority=Priority.BATCH)
    clock.now += 1
    high = submit(ledger, "high")
    assert [job for job, _queue in ledger.silent(10)] == [high.id, low.id]
    assert ledger.silent(10) == []
    clock.now += 11
    ledger.claim(high.id, "w", 30)
    assert ledger.silent(10) == [(low.id, "toolchain.debian12-cp311")]


# -- whose turn it is ------------------------------------------------------------------------------


def in_turn(ledger):
    return [job.title for job in ledger.next_in_turn(["toolchain.debian12-cp311"], 1000)]


def test_one_clients_jobs_go_in_the_order_in_which_they_came(ledger):
    for name in "cab":
        submit(ledger, name, client="one")
    assert in_turn(ledger) == ["c", "a", "b"]


def test_a_client_with_many_jobs_does_not_starve_another(ledger):
    for number in range(50):
        submit(ledger, f"many-{number}", client="many")
    for number in range(3):
        submit(ledger, f"few-{number}", client="few")
    assert [in_turn(ledger).index(f"few-{number}") for number in range(3)] == [1, 3, 5]


def test_who_comes_late_is_level_with_the_head_and_not_ahead_of_it(ledger):
    jobs = [submit(ledger, f"early-{number}", client="early") for number in range(10)]
    for job in jobs[:5]:
        ledger.succeed(ledger.claim(job.id, "w", 30), {})
    submit(ledger, "late", client="late")
    assert in_turn(ledger)[:3] == ["early-5", "late", "early-6"]


def test_a_clients_batch_does_not_set_back_its_interactive_jobs(ledger):
    for number in range(5):
        submit(ledger, f"night-{number}", client="busy", priority=Priority.BATCH)
    submit(ledger, "first", client="other")
    submit(ledger, "second", client="other")
    submit(ledger, "now", client="busy")
    assert in_turn(ledger)[:3] == ["first", "now", "second"]


def test_interactive_goes_before_batch_whoever_came_first(ledger):
    submit(ledger, "batch", priority=Priority.BATCH)
    submit(ledger, "now")
    assert in_turn(ledger) == ["now", "batch"]


def test_an_interactive_request_hurries_the_batch_job_that_it_joins_and_what_that_waits_for(ledger):
    parent = submit(ledger, "parent", Kind.BUILD, priority=Priority.BATCH)
    claim = ledger.claim(parent.id, "w", 30)
    submit(ledger, "first", priority=Priority.BATCH)
    child = submit(ledger, "child", priority=Priority.BATCH, waiter=parent.id)
    ledger.park(claim, [child.id], {})
    assert in_turn(ledger) == ["first", "child"]
    submit(ledger, "parent", Kind.BUILD)
    assert in_turn(ledger) == ["child", "first"]


def test_what_is_held_or_waits_or_rests_is_in_nobodys_turn(ledger):
    family(ledger, "child")
    held = submit(ledger, "held")
    ledger.claim(held.id, "w", 30)
    rests = submit(ledger, "rests")
    ledger.fail(ledger.claim(rests.id, "w", 30), StoreUnavailable("out"), max_attempts=3)
    assert in_turn(ledger) == ["child"]


def test_what_is_ahead_of_a_job_is_what_runs_and_what_goes_before_it(ledger):
    running = submit(ledger, "running", subject="numpy")
    ledger.claim(running.id, "w", 30)
    submit(ledger, "first", subject="numpy")
    submit(ledger, "second", subject="regex")
    job = submit(ledger, "job")
    submit(ledger, "after")
    submit(ledger, "elsewhere", Kind.BUILD)
    assert ledger.ahead(job) == {(Kind.WHEEL, "numpy"): 2, (Kind.WHEEL, "regex"): 1}
    assert ledger.ahead(ledger.get(running.id)) == {}


def test_the_usual_time_is_the_median_of_the_latest_successes_of_the_like(ledger, clock):
    assert ledger.usual_seconds(Kind.WHEEL, "numpy", "debian12-cp311") is None
    for number, seconds in enumerate([1, 1, 30, 40, 50, 60, 70]):
        job = submit(ledger, f"numpy {number}", subject="numpy")
        claim = ledger.claim(job.id, "w", 30)
        clock.now += seconds
        ledger.succeed(claim, {})
    failed = submit(ledger, "numpy 9", subject="numpy")
    ledger.fail(ledger.claim(failed.id, "w", 30), BuildFailed("no"))
    assert ledger.usual_seconds(Kind.WHEEL, "numpy", "debian12-cp311") == 50
    assert ledger.usual_seconds(Kind.WHEEL, "numpy", "debian13-cp313") is None


# -- waiters have names ----------------------------------------------------------------------------


def test_the_same_waiter_joins_once(ledger):
    submit(ledger, waiter="me")
    assert submit(ledger, waiter="me").waiters == 1
    assert submit(ledger, waiter="you").waiters == 2


def test_a_waiter_leaves_once(ledger):
    job = submit(ledger, waiter="me")
    submit(ledger, waiter="you")
    for _ in range(2):
        assert ledger.cancel(job.id, "api", waiter="me").waiters == 1
    assert ledger.cancel(job.id, "api", waiter="you").state is State.CANCELLED


def test_who_leaves_without_a_name_is_no_job_while_a_request_waits(ledger):
    _parent, child = family(ledger, "child")
    submit(ledger, "child", waiter="me")
    ledger.cancel(child.id, "api")
    left = ledger.cancel(child.id, "api", waiter="me")
    assert (left.state, left.waiters) == (State.QUEUED, 1)


def test_a_jobs_end_leaves_a_message_for_each_address_that_still_waits(ledger, database):
    job = submit(ledger, waiter="me", webhook="https://ci.test/done")
    submit(ledger, waiter="you", webhook="https://ci.test/done")
    submit(ledger, waiter="they", webhook="https://ci.test/left")
    ledger.cancel(job.id, "api", waiter="they")
    ledger.succeed(ledger.claim(job.id, "w", 30), {})
    with database.reading() as session:
        rows = session.scalars(select(WebhookRow)).all()
        assert [(row.job, row.url, row.attempts, row.delivered_at) for row in rows] == [
            (job.id, "https://ci.test/done", 0, 0.0)
        ]


# -- readers ---------------------------------------------------------------------------------------


def test_readers_see_what_there_is(ledger, clock):
    first = submit(ledger, "first")
    clock.now += 1
    second = submit(ledger, "second", Kind.BUILD)
    assert [job.id for job in ledger.latest()] == [second.id, first.id]
    assert [job.id for job in ledger.latest(kind=Kind.WHEEL)] == [first.id]
    assert [job.id for job in ledger.latest(1)] == [second.id]
    assert [job.id for job in ledger.get_many([second.id, "f" * 32, first.id])] == [second.id, first.id]
    assert ledger.counts() == {
        ("wheel", "queued", "toolchain.debian12-cp311"): 1,
        ("build", "queued", "plans"): 1,
    }
    with pytest.raises(NotFound):
        ledger.get("f" * 32)


def test_many_jobs_come_with_their_children(ledger):
    child = submit(ledger, "child")
    parent = parked(ledger, child)
    assert [job.children for job in ledger.get_many([parent.id, child.id])] == [(child.id,), ()]


def test_every_move_is_noted_with_who_and_why(ledger):
    job = submit(ledger)
    claim = ledger.claim(job.id, "w", 30)
    ledger.advance(claim, "publish", State.PUBLISHING)
    ledger.succeed(claim, {})
    moves = [(one["from"], one["to"], one["actor"], one["fence"]) for one in ledger.transitions(job.id)]
    assert moves == [
        ("", "queued", "api", 0),
        ("queued", "building", "w", 1),
        ("building", "publishing", "w", 1),
        ("publishing", "succeeded", "w", 1),
    ]


def test_a_reader_does_not_wait_for_a_writer(ledger, database):
    job = submit(ledger)
    with database.transaction():
        begun = time.monotonic()
        assert ledger.get(job.id).state is State.QUEUED
        assert time.monotonic() - begun < 10
