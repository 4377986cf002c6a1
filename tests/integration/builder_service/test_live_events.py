"""Following a job over HTTP: live, again, and with the servers behind it gone."""

from __future__ import annotations

import json
import os
import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builder_service import live
from tests.conftest import running
from wheelyard.errors import BuildFailed
from wheelyard.event import Event
from wheelyard.jobs.migrate import migrate
from wheelyard.jobs.states import Kind
from wheelyard.settings import Settings
from wheelyard.stack.servers import Ports, redis_address, redis_program


@pytest.fixture
def job(front_door):
    job, _joined = front_door.services.ledger.submit(
        Kind.BUILD, secrets.token_hex(32), spec={}, title="numpy", toolchain="debian12-cp311"
    )
    return job


def say(door, job, kind="line", streams=None, **facts):
    door.services.events.add(
        streams or [job.id], Event(type=kind, job=job.id, title="numpy", at=1.0, facts=facts)
    )


def follow(door, job, seconds=20, heard=None, **options):
    """Every message until the stream ends: (id, event).

    :param heard: gets each message as it comes.
    """
    heard = [] if heard is None else heard
    with door.guest.stream("GET", f"/v1/jobs/{job.id}/events", timeout=seconds, **options) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        for message in httpx2.EventSource(answer):
            heard.append((message.id, json.loads(message.data)))
    return heard


@pytest.fixture
def rarely_looking(monkeypatch):
    """Who follows looks into the database so rarely that it can't be what told him."""
    monkeypatch.setattr(live, "_LOOK_SECONDS", 100.0)


def finish(door, job, result=None, tell=True):
    door.services.ledger.succeed(door.services.ledger.claim(job.id, "w", 30), result or {})
    if tell:
        say(door, job, "done", state="succeeded", result=result or {})


def test_a_listener_hears_what_happens_until_the_jobs_own_done(front_door, job):
    say(front_door, job, text="before")

    def play():
        time.sleep(0.3)
        say(front_door, job, "phase", name="resolve")
        child = Event(type="done", job="c" * 32, at=2.0, facts={"state": "succeeded"})
        front_door.services.events.add([job.id], child)
        time.sleep(0.3)
        finish(front_door, job, {"wheels": []})

    player = threading.Thread(target=play)
    player.start()
    heard = [event for _id, event in follow(front_door, job)]
    player.join()
    assert [event["type"] for event in heard] == ["line", "phase", "done", "done"]
    assert heard[-1] == {
        "type": "done", "job": job.id, "title": "numpy", "at": 1.0, "state": "succeeded",
        "result": {"wheels": []},
    }  # fmt: skip


@pytest.mark.parametrize("way", ["header", "query"])
def test_a_listener_goes_on_where_it_was(front_door, job, way):
    for number in range(5):
        say(front_door, job, text=str(number))
    finish(front_door, job)
    whole = follow(front_door, job)
    after = whole[2][0]
    options = {"headers": {"last-event-id": after}} if way == "header" else {"params": {"after": after}}
    assert follow(front_door, job, **options) == whole[3:]


@pytest.mark.parametrize("after", ["nonsense", "99999999999999999999", "-1", "1-2-3"])
def test_an_id_that_is_none_starts_from_the_beginning(front_door, job, after):
    say(front_door, job, text="first")
    finish(front_door, job)
    heard = follow(front_door, job, headers={"last-event-id": after})
    assert [event["type"] for _id, event in heard] == ["line", "done"]


def test_a_listener_that_saw_the_end_already_is_told_it_again(front_door, job):
    finish(front_door, job, {"n": 1})
    last = follow(front_door, job)[-1][0]
    again = follow(front_door, job, headers={"last-event-id": last})
    assert [(event["type"], event["result"]) for _id, event in again] == [("done", {"n": 1})]


def test_a_job_whose_stream_is_gone_ends_from_sql(front_door, job, rarely_looking):
    error = BuildFailed("it does not compile", found="zlib.h")
    front_door.services.ledger.fail(front_door.services.ledger.claim(job.id, "w", 30), error)
    begun = time.monotonic()
    heard = follow(front_door, job)
    assert time.monotonic() - begun < 50
    assert [(event["type"], event["state"], event["error"]["failed"]) for _id, event in heard] == [
        ("done", "failed", "it does not compile")
    ]


def test_a_done_that_was_never_said_is_learnt_from_sql_while_listening(front_door, job):
    ender = threading.Timer(0.5, finish, (front_door, job, {"n": 1}), {"tell": False})
    ender.start()
    heard = follow(front_door, job)
    ender.join()
    assert [event["type"] for _id, event in heard] == ["done"]


def test_whoever_follows_learns_of_a_cancel_at_once(front_door, job, rarely_looking):
    canceller = threading.Timer(0.3, front_door.http.delete, (f"/v1/jobs/{job.id}",))
    canceller.start()
    begun = time.monotonic()
    heard = follow(front_door, job)
    canceller.join()
    assert time.monotonic() - begun < 50
    assert heard[-1][1]["state"] == "cancelled"
    assert heard[-1][1]["error"]["kind"] == "cancelled"


def test_a_hundred_listeners_hear_the_end_and_hold_no_thread(front_door, job):
    with ThreadPoolExecutor(100) as pool, httpx2.Client(base_url=front_door.url, trust_env=False) as busy:
        listeners = [pool.submit(follow, front_door, job, 60) for _ in range(100)]
        time.sleep(2)
        # Far more listeners than the service has threads, and it answers all the same.
        assert busy.get("/v1/jobs", timeout=30).status_code == 200
        finish(front_door, job)
        assert all(listener.result()[-1][1]["type"] == "done" for listener in listeners)


@pytest.fixture
def own_redis(tmp_path):
    """A Redis that the test starts and ends: its address, and what runs it for a while."""
    ports, password = Ports.draw(), secrets.token_urlsafe(8)
    program = redis_program(tmp_path / "redis", tmp_path / "run", ports, password)
    return redis_address(ports, password), lambda: running(program, ports.redis, tmp_path)


@pytest.mark.parametrize("comes_back", [False, True])
def test_while_redis_is_out_a_listener_is_told_the_state_from_sql(
    settings_with, serve, own_redis, comes_back, until
):
    address, redis_runs = own_redis
    door = serve(settings_with(redis_url=address))
    ledger = door.services.ledger
    job, _joined = ledger.submit(Kind.BUILD, "a" * 64, spec={}, title="numpy", toolchain="debian12-cp311")
    heard = []
    with ThreadPoolExecutor(1) as pool:
        with redis_runs():
            say(door, job, text="heard by Redis")
            listener = pool.submit(follow, door, job, 60, heard)
            until(lambda: heard)
        claim = ledger.claim(job.id, "w", 30)
        ledger.advance(claim, "compile")
        until(lambda: len(heard) == 3, seconds=30)
        if comes_back:
            with redis_runs():
                ledger.succeed(claim, {"n": 1})
                say(door, job, "done", state="succeeded", result={"n": 1})
                listener.result()
        else:
            ledger.succeed(claim, {"n": 1})
            listener.result()
    told = [(event["type"], event.get("name") or event.get("state")) for _entry, event in heard]
    assert told == [("line", None), ("state", "building"), ("phase", "compile"), ("done", "succeeded")]
    # What SQL said moved nobody's place in the stream; only what Redis said did.
    assert len({entry for entry, _event in heard}) == (2 if comes_back else 1)
    assert heard[-1][1]["result"] == {"n": 1}


def test_following_works_where_redis_never_answered(settings_with, serve):
    door = serve(settings_with(redis_url="redis://127.0.0.1:9/0"))
    ledger = door.services.ledger
    job, _joined = ledger.submit(Kind.BUILD, "a" * 64, spec={}, title="numpy", toolchain="debian12-cp311")
    ender = threading.Timer(0.5, finish, (door, job, {"n": 1}), {"tell": False})
    ender.start()
    heard = follow(door, job)
    ender.join()
    assert heard[-1][1]["result"] == {"n": 1}


def test_a_silent_stream_is_kept_alive(front_door, job, monkeypatch):
    monkeypatch.setattr("fastapi.routing._PING_INTERVAL", 0.3)
    with front_door.guest.stream("GET", f"/v1/jobs/{job.id}/events") as answer:
        lines = answer.iter_lines()
        assert next(lines).startswith(": following")
        assert any(line == ": ping" for line, _number in zip(lines, range(10), strict=False))


def test_the_service_stops_while_somebody_listens(front_door, job):
    with ThreadPoolExecutor(1) as pool:
        listener = pool.submit(follow, front_door, job, 30)
        time.sleep(0.5)
        begun = time.monotonic()
        front_door.stop()
        assert time.monotonic() - begun < 8
        with pytest.raises(httpx2.HTTPError):
            listener.result()


@pytest.fixture(scope="module")
def told(tmp_path_factory, redis_url, s3_server):
    """A service, and a job that said what a worker says of a build and two wheels; its events in order."""
    from builder_service.services import open_services
    from tests.integration.builder_service.conftest import serving
    from worker.job_log import JobLog

    folder = tmp_path_factory.mktemp("told")
    own = {"data_dir": folder, "database_url": f"sqlite:///{folder}/jobs.db", "redis_url": redis_url}
    chosen = Settings(**(s3_server.settings().model_dump() | own))
    migrate(chosen.effective_database_url)
    with serving(open_services(chosen)) as door:
        ledger = door.services.ledger
        parent = ledger.submit(Kind.BUILD, "a" * 64, spec={}, title="numpy", toolchain="t")[0]
        logs = [
            JobLog(
                door.services.events, job=job, title=job[:4], streams=lambda: [parent.id],
                path=folder / job, limit=1 << 20, attempt=1,
            )
            for job in ("c" * 32, "d" * 32)
        ]  # fmt: skip
        own_log = JobLog(
            door.services.events, job=parent.id, title="numpy", streams=list, path=folder / "own",
            limit=1 << 20, attempt=1,
        )  # fmt: skip
        own_log.event("phase", name="resolve")
        own_log.flush()
        for number in range(12):
            for log in logs:
                log.line(f"line {number}")
            if number % 3 == 0:
                assert all(log.flush() for log in logs)
        assert all(log.flush() for log in logs)
        ledger.succeed(ledger.claim(parent.id, "w", 30), {})
        own_log.event("done", state="succeeded", result={})
        yield door, parent, follow(door, parent)


@given(cuts=st.lists(st.integers(1, 12), max_size=6))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whoever_is_cut_off_anywhere_hears_each_event_once_and_in_order(told, cuts):
    door, job, whole = told
    assert len(whole) == 26
    heard = []
    for cut in [*cuts, 1000]:
        after = heard[-1][0] if heard else ""
        headers = {"last-event-id": after} if after else {}
        with door.guest.stream("GET", f"/v1/jobs/{job.id}/events", headers=headers) as answer:
            for message, _number in zip(httpx2.EventSource(answer), range(cut), strict=False):
                heard.append((message.id, json.loads(message.data)))
        if heard[-1][1]["type"] == "done":
            break
    assert heard == whole


def test_a_stream_that_is_lost_and_said_again_brings_no_repeats(front_door, job, until):
    from worker.job_log import JobLog

    services, child = front_door.services, secrets.token_hex(16)
    log = JobLog(
        services.events, job=child, title="", streams=lambda: [job.id], path=Path(os.devnull), limit=1000,
        attempt=1,
    )  # fmt: skip
    for number in range(10):
        log.line(f"line {number}")
    assert log.flush()
    with ThreadPoolExecutor(1) as pool:
        listener = pool.submit(follow, front_door, job, 30)
        server = services.events._redis
        # It has heard all that there is, and waits for more.
        until(lambda: any("b" in client["flags"] for client in server.client_list()))
        server.delete(*(f"wheelyard:events:{job.id}{tail}" for tail in ("", ":last")))
        # Another job of the same parent speaks first, so that the old ids can't be had again.
        say(front_door, job, text="between")
        log.line("line 10")
        assert log.flush()
        finish(front_door, job)
        heard = [event.get("text") for _id, event in listener.result()]
    assert heard == [*(f"line {number}" for number in range(10)), "between", "line 10", None]


def test_a_listener_from_a_time_to_come_waits_for_nothing(front_door, job):
    """A Redis whose clock went back gives smaller ids than the listener knows."""
    say(front_door, job, text="now")
    finisher = threading.Timer(1, finish, (front_door, job))
    finisher.start()
    heard = follow(front_door, job, headers={"last-event-id": "99999999999999-0"})
    finisher.join()
    assert [event["type"] for _id, event in heard] == ["line", "done"]
