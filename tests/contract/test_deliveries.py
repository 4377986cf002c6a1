"""Messages about ends: due once for each address, sent by one sender at a time, on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from wheelyard.jobs.deliveries import Deliveries
from wheelyard.jobs.states import Kind

URL = "https://ci.example.org/hook"


@pytest.fixture
def deliveries(database, clock):
    return Deliveries(database, clock)


def ended(ledger, *urls):
    for number, url in enumerate(urls):
        job, _joined = ledger.submit(
            Kind.BUILD, "job", spec={}, title="numpy", toolchain="t", waiter=f"w{number}", webhook=url
        )
    ledger.succeed(ledger.claim(job.id, "w", 30), {})
    return job.id


def test_each_address_is_told_once_whoever_named_it(ledger, deliveries):
    job = ended(ledger, URL, "", URL, "https://other.example.org/")
    assert sorted(one.url for one in deliveries.of_job(job)) == [URL, "https://other.example.org/"]


def test_who_left_is_not_told(ledger, deliveries):
    job, _joined = ledger.submit(
        Kind.BUILD, "job", spec={}, title="x", toolchain="t", waiter="a", webhook=URL
    )
    ledger.submit(Kind.BUILD, "job", spec={}, title="x", toolchain="t", waiter="b")
    ledger.cancel(job.id, "api", waiter="a")
    ledger.succeed(ledger.claim(job.id, "w", 30), {})
    assert deliveries.of_job(job.id) == []


def test_a_taken_message_is_nobody_elses_until_its_lease_ends(ledger, deliveries, clock):
    ended(ledger, URL)
    (first,) = deliveries.take(10, 60)
    assert (first.attempts, deliveries.take(10, 60)) == (1, [])
    clock.now += 61
    (second,) = deliveries.take(10, 60)
    assert (second.id, second.attempts) == (first.id, 2)
    # The first sender comes back late; the second one decides.
    deliveries.settle(first, "204", delivered=True)
    assert deliveries.of_job(first.job)[0].outcome == "due"
    deliveries.settle(second, "204", delivered=True)
    assert deliveries.of_job(first.job)[0].outcome == "delivered"


def test_several_senders_share_the_messages(ledger, deliveries):
    job = ended(ledger, *(f"https://h{number}.example.org/" for number in range(20)))
    with ThreadPoolExecutor(4) as pool:
        taken = [one.id for batch in pool.map(lambda _: deliveries.take(20, 60), range(4)) for one in batch]
    assert sorted(taken) == sorted(one.id for one in deliveries.of_job(job))


def test_a_failed_try_is_due_again_and_the_last_one_is_not(ledger, deliveries, clock):
    job = ended(ledger, URL)
    deliveries.settle(deliveries.take(1, 60)[0], "503", again_in=100)
    assert deliveries.take(1, 60) == []
    clock.now += 101
    deliveries.settle(deliveries.take(1, 60)[0], "503")
    (given_up,) = deliveries.of_job(job)
    assert (given_up.outcome, given_up.attempts, given_up.found) == ("given-up", 2, "503")
    clock.now += 1e6
    assert deliveries.take(1, 60) == []


def test_who_asks_for_what_had_ended_is_told_too_and_once(ledger, deliveries):
    job = ended(ledger, "")
    for _ in range(2):
        deliveries.add(job, URL, "w9")
    assert [one.url for one in deliveries.take(10, 60)] == [URL]
