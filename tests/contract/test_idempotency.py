"""Requests with a key: one answer for all repeats, on SQLite and on PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from wheelyard.errors import InputError
from wheelyard.jobs.idempotency import AnsweredBefore, IdempotencyKeys, KeyedRequest
from wheelyard.jobs.states import Kind, State


@pytest.fixture
def keys(database, clock):
    return IdempotencyKeys(database, clock)


def asked(key="k", *, scope=("token", "ada"), address="POST /v1/builds", **body):
    return KeyedRequest.of(key, scope=scope, address=address, body=body or {"requirements": ["numpy"]})


def submit(ledger, keys, request, job_key="job"):
    try:
        job, _joined = ledger.submit(
            Kind.BUILD, job_key, spec={}, title="numpy", toolchain="debian12-cp311", waiter=request.waiter,
            beside=keys.beside(request),
        )  # fmt: skip
    except AnsweredBefore as before:
        return before.answer.job, before.answer.waiter
    return job.id, request.waiter


def test_the_answer_is_kept_with_the_job(ledger, keys):
    job, waiter = submit(ledger, keys, asked())
    kept = keys.find(asked())
    assert (kept.job, kept.waiter, kept.outcome) == (job, waiter, "queued")
    assert keys.find(asked("another")) is None
    assert keys.find(asked(scope=("token", "bob"))) is None


def test_a_repeat_has_the_same_answer_and_waits_once(ledger, keys):
    first = submit(ledger, keys, asked())
    assert submit(ledger, keys, asked()) == first
    assert ledger.get(first[0]).waiters == 1


def test_a_repeat_after_the_end_queues_nothing(ledger, keys):
    job, waiter = submit(ledger, keys, asked())
    ledger.succeed(ledger.claim(job, "w", 30), {})
    assert submit(ledger, keys, asked()) == (job, waiter)
    assert [one.id for one in ledger.latest()] == [job]


def test_two_keys_are_two_waiters_of_one_job(ledger, keys):
    (job, one), (same, other) = (submit(ledger, keys, asked(key)) for key in ("a", "b"))
    assert (job == same, one == other, ledger.get(job).waiters) == (True, False, 2)
    assert keys.find(asked("b")).outcome == "joined"


@pytest.mark.parametrize(
    ("other", "words", "fields"),
    [
        (
            {"address": "POST /v1/images"},
            "it was sent to POST /v1/builds then, and to POST /v1/images now",
            [],
        ),
        ({"requirements": ["scipy"]}, "other than then: requirements", ["requirements"]),
        ({"requirements": ["numpy"], "channel": "x"}, "other than then: channel", ["channel"]),
    ],
)
def test_the_same_key_with_another_request_is_refused_and_says_what_differs(
    ledger, keys, other, words, fields
):
    job, _waiter = submit(ledger, keys, asked())
    for refused in (lambda: keys.find(asked(**other)), lambda: submit(ledger, keys, asked(**other), "b")):
        with pytest.raises(InputError, match="was used for another request") as caught:
            refused()
        assert (caught.value.found, caught.value.facts["fields"]) == (words, fields)
    assert [one.id for one in ledger.latest()] == [job]


def test_fifty_equal_requests_at_once_have_one_answer(ledger, keys):
    with ThreadPoolExecutor(16) as pool:
        answers = set(pool.map(lambda _number: submit(ledger, keys, asked()), range(50)))
    assert len(answers) == 1
    assert [one.waiters for one in ledger.latest()] == [1]


def test_of_two_requests_with_one_key_at_once_only_one_is_taken(ledger, keys):
    def ask(number):
        try:
            return submit(ledger, keys, asked(requirements=[f"p{number % 2}"]), f"job {number % 2}")
        except InputError:
            return None

    with ThreadPoolExecutor(8) as pool:
        answers = {answer for answer in pool.map(ask, range(16)) if answer}
    assert len(answers) == 1
    assert len(ledger.latest()) == 1


def test_what_fails_in_between_leaves_neither_job_nor_answer(ledger, keys, monkeypatch):
    request = asked()

    def dies(session, job, joined):
        keys.beside(request)(session, job, joined)
        raise RuntimeError("the process ends here")

    with pytest.raises(RuntimeError):
        ledger.submit(
            Kind.BUILD, "job", spec={}, title="numpy", toolchain="t", waiter=request.waiter, beside=dies
        )
    assert (ledger.latest(), keys.find(request)) == ([], None)


def test_a_hit_is_kept_and_its_repeat_is_answered_alike(ledger, keys):
    job, _waiter = submit(ledger, keys, asked("first"))
    ledger.succeed(ledger.claim(job, "w", 30), {})
    keys.keep_hit(asked(), job)
    assert keys.find(asked()).outcome == "hit"
    with pytest.raises(AnsweredBefore):
        keys.keep_hit(asked(), job)


def test_old_answers_are_forgotten(ledger, keys, clock):
    first = submit(ledger, keys, asked("old"))
    clock.now += 50_000
    submit(ledger, keys, asked("young"))
    clock.now += 40_000
    assert (keys.purge(86_400), keys.purge(86_400)) == (1, 0)
    assert (keys.find(asked("old")), keys.find(asked("young")).job) == (None, first[0])
    # Used anew, the key is the same waiter of the same job still.
    assert submit(ledger, keys, asked("old")) == first
    assert ledger.get(first[0]).state is State.QUEUED
