"""Two API processes on one PostgreSQL: whoever is asked, and whenever one dies, the answer is one."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.distributions import wheel
from wheelyard.jobs.database import Database
from wheelyard.jobs.ledger import Ledger

ROOT = Path(__file__).parents[3]
TOKEN = "a-token-of-the-tests"
pytestmark = pytest.mark.postgres


class Gate:
    """A door in front of Redis that lets bytes pass until it is shut; then it is silent, as a hang is."""

    def __init__(self, host, port):
        self.target, self.open = (host, port), threading.Event()
        self.open.set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.create_connection(self.target)
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=(one, other), daemon=True).start()

    def _pass(self, one, other):
        with one, other:
            try:
                while piece := one.recv(65536):
                    self.open.wait()
                    other.sendall(piece)
            except OSError:
                return


class Api:
    """One process of the front door."""

    def __init__(self, settings, folder):
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
        variables = {
            f"WHEELYARD_{name.upper()}": getattr(value, "get_secret_value", lambda value=value: str(value))()
            for name, value in settings.model_copy(update={"port": port})
            if value is not None
        }
        self.http = httpx2.Client(
            base_url=f"http://127.0.0.1:{port}",
            headers={"authorization": f"Bearer {TOKEN}"},
            timeout=60,
            trust_env=False,
            limits=httpx2.Limits(max_connections=50, max_keepalive_connections=50),
        )
        with (folder / f"api-{port}.log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "builder_service"],
                env={"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT), **variables},
                stdout=log,
                stderr=log,
                cwd=folder,
            )

    def listens(self):
        assert self.process.poll() is None
        try:
            return self.http.get("/healthz").is_success
        except httpx2.TransportError:
            return False

    def leave(self, job, waiter):
        return self.http.delete(f"/v1/builds/{job}", params={"waiter": waiter})

    def post(self, key="", **body):
        headers = {"idempotency-key": key} if key else {}
        body = {"requirements": ["numpy"], "client": "ada", **body}
        return self.http.post("/v1/builds", json=body, headers=headers)


@pytest.fixture
def database_url(postgres_database):
    return postgres_database()


@pytest.fixture
def ledger(database_url):
    database = Database(database_url)
    yield Ledger(database)
    database.close()


@pytest.fixture
def start(settings_with, database_url, tmp_path, until):
    """Starts API processes on one database."""
    started = []

    def run(count, redis_url):
        settings = settings_with(redis_url=redis_url, database_url=database_url)
        apis = [Api(settings, tmp_path) for _ in range(count)]
        started.extend(apis)
        for api in apis:
            until(api.listens, 60)
        return apis

    yield run
    for api in started:
        api.http.close()
        if api.process.poll() is None:
            api.process.kill()
        api.process.wait(timeout=10)


def at_once(apis, number, ask):
    """The answers of that many calls, begun together and spread over the processes."""
    threads = 40
    gate = threading.Barrier(threads)

    def several(thread):
        gate.wait()
        return [ask(apis[one % len(apis)], one) for one in range(thread, number, threads)]

    with ThreadPoolExecutor(threads) as pool:
        return [answer for answers in pool.map(several, range(threads)) for answer in answers]


def test_two_hundred_equal_requests_are_one_job_that_the_last_leave_ends(start, redis_url, ledger):
    apis = start(2, redis_url)
    answers = at_once(apis, 200, lambda api, _number: api.post())
    assert {answer.status_code for answer in answers} == {202}
    documents = [answer.json() for answer in answers]
    (job,) = {document["id"] for document in documents}
    waiters = {document["waiter"] for document in documents}
    assert Counter(document["joined"] for document in documents) == {True: 199, False: 1}
    assert (len(waiters), ledger.get(job).waiters, len(ledger.latest())) == (200, 200, 1)

    last = waiters.pop()
    leaving = list(waiters)

    # Some leave twice, as one does whose first answer was lost.
    left = at_once(apis, 240, lambda api, number: api.leave(job, leaving[number % 199]))
    assert {answer.status_code for answer in left} == {200}
    assert (ledger.get(job).waiters, ledger.get(job).state) == (1, "queued")
    ended = [api.leave(job, last).json() for api in apis]
    assert [document["state"] for document in ended] == ["cancelled", "cancelled"]


def test_fifty_equal_requests_with_one_key_have_one_answer(start, redis_url, ledger):
    apis = start(2, redis_url)
    answers = at_once(apis, 50, lambda api, _number: api.post('"a-key"'))
    assert {answer.status_code for answer in answers} == {202}
    kept = {(answer.json()["id"], answer.json()["waiter"], answer.json()["joined"]) for answer in answers}
    assert len(kept) == 1
    assert [job.waiters for job in ledger.latest()] == [1]
    # Others that ask for the same with keys of their own are waiters of their own.
    others = at_once(apis, 50, lambda api, number: api.post(f"key-{number % 10}"))
    assert len({answer.json()["waiter"] for answer in others}) == 10
    assert [job.waiters for job in ledger.latest()] == [11]


def test_what_was_accepted_before_a_kill_is_answered_by_the_next_process(start, redis_url, ledger, until):
    """The first process dies after its transaction and before its answer: it rings at a Redis that hangs."""
    redis = urlsplit(redis_url)
    gate = Gate(redis.hostname, redis.port)
    behind = redis_url.replace(f":{redis.port}", f":{gate.port}")
    for attempt in range(5):
        key = f"key-{attempt}"
        gate.open.set()
        (first,) = start(1, behind)
        gate.open.clear()
        with ThreadPoolExecutor(1) as pool:
            lost = pool.submit(first.post, key)
            until(lambda attempt=attempt: len(ledger.latest()) > attempt, 20, 0.01)
            first.process.send_signal(signal.SIGKILL)
            failure = lost.exception(timeout=20)
        job = ledger.latest()[0]
        if failure is not None:
            break
        # On a busy machine it may give up ringing, and answer, before it is killed: then nothing was lost.
        ledger.cancel(job.id, "test")
    assert isinstance(failure, httpx2.TransportError)
    gate.open.set()
    (second,) = start(1, redis_url)
    answer = second.post(key)
    assert (answer.status_code, answer.json()["id"], answer.json()["joined"]) == (202, job.id, False)
    assert (ledger.get(job.id).waiters, len(ledger.latest())) == (1, attempt + 1)
    refused = second.post(key, channel="nightly")
    assert (refused.status_code, refused.json()["found"]) == (422, "other than then: channel")

    ledger.succeed(ledger.claim(job.id, "worker", 30), {"wheels": []})
    repeat = second.post(key)
    assert (repeat.status_code, repeat.json()["id"], repeat.json()["state"]) == (200, job.id, "succeeded")
    assert repeat.json()["waiter"] == answer.json()["waiter"]
    gate.listener.close()


def test_whenever_a_process_is_killed_a_repeat_finds_or_makes_one_job_for_each_key(start, redis_url, ledger):
    first, second = start(2, redis_url)
    sent = [f"key-{number}" for number in range(60)]

    def ask(key):
        try:
            return first.post(key, requirements=[f"p{key[4:]}"])
        except httpx2.TransportError:
            return None

    with ThreadPoolExecutor(12) as pool:
        asking = [pool.submit(ask, key) for key in sent]
        limit = time.monotonic() + 30
        while sum(one.done() for one in asking) < 15 and time.monotonic() < limit:
            time.sleep(0.001)
        first.process.send_signal(signal.SIGKILL)
        answers = [one.result() for one in asking]
    heard = {key: answer.json() for key, answer in zip(sent, answers, strict=True) if answer is not None}
    assert 0 < len(heard) < 60
    repeats = {key: second.post(key, requirements=[f"p{key[4:]}"]).json() for key in sent}
    for key, answer in heard.items():
        assert (repeats[key]["id"], repeats[key]["waiter"]) == (answer["id"], answer["waiter"])
    jobs = ledger.latest(200)
    assert (len(jobs), {job.waiters for job in jobs}) == (60, {1})


def test_uploads_of_one_name_to_two_processes_at_once_have_one_winner(start, redis_url, database_url):
    apis = start(2, redis_url)
    contents = [wheel(members={"demo/number.py": b"%d" % number}) for number in range(3)]

    def upload(api, number):
        return api.http.post(
            "/legacy/",
            data={":action": "file_upload", "protocol_version": "1"},
            files={"content": ("demo-1.0-py3-none-any.whl", contents[number % 3])},
        )

    answers = at_once(apis, 40, upload)
    (shown,) = apis[0].http.get("/v1/wheels", params={"project": "demo"}).json()["wheels"]
    won = [answer.json() for answer in answers if answer.status_code == 200]
    assert {answer.status_code for answer in answers} == {200, 409}
    assert {document["digest"] for document in won} == {shown["digest"]}
    # One brought it; whoever brought the same bytes was told that they were there.
    assert sum(document["added"] for document in won) == 1
