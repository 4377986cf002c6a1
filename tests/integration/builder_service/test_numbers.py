"""What a scrape of the front door tells, with its parts there, out and hanging."""

from __future__ import annotations

import threading
import time

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import insert

from builder_service.job_metrics import JobCollector
from builder_service.part_checks import PartChecks
from wheelyard.digests import key_of
from wheelyard.errors import QueueUnavailable
from wheelyard.jobs.models import TransitionRow
from wheelyard.jobs.states import Kind

LANE = {"queue": "toolchain.t", "toolchain": "t", "priority": "interactive"}


def samples(text):
    return {
        (one.name, *sorted(one.labels.items())): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def scrape(door):
    answer = door.guest.get("/metrics")
    assert answer.status_code == 200
    return samples(answer.text)


def key(name, **labels):
    return (name, *sorted(labels.items()))


def submit(door, name):
    return door.services.ledger.submit(Kind.WHEEL, key_of(name), spec={}, title=name, toolchain="t")[0]


def test_a_queue_that_was_emptied_is_0_and_not_nothing(front_door):
    job = submit(front_door, "a")
    assert scrape(front_door)[key("wheelyard_queue_jobs", **LANE)] == 1
    front_door.services.ledger.claim(job.id, "w", 30)
    numbers = scrape(front_door)
    assert numbers[key("wheelyard_queue_jobs", **LANE)] == 0
    assert numbers[key("wheelyard_queue_oldest_seconds", **LANE)] == 0
    assert numbers[key("wheelyard_running_jobs", queue="toolchain.t", kind="wheel")] == 1


def test_phases_are_a_histogram_from_a_tenth_of_a_second_to_two_hours(front_door):
    ledger = front_door.services.ledger
    result = {"wheel": {"size": 10}, "phases": {"compile": 45.0, "publish": 0.01}}
    ledger.succeed(ledger.claim(submit(front_door, "a").id, "w", 30), result)
    numbers = scrape(front_door)

    def bucket(phase, le):
        return numbers[key("wheelyard_phase_seconds_bucket", kind="wheel", phase=phase, le=le)]

    assert [bucket("compile", le) for le in ("30.0", "60.0", "7200.0", "+Inf")] == [0, 1, 1, 1]
    assert bucket("publish", "0.1") == 1
    assert numbers[key("wheelyard_phase_seconds_sum", kind="wheel", phase="compile")] == 45
    assert numbers[key("wheelyard_wheel_bytes_published_total", toolchain="t")] == 10


def test_counters_outlive_a_process_and_are_the_same_in_each(front_door):
    ledger = front_door.services.ledger
    ledger.succeed(ledger.claim(submit(front_door, "a").id, "w", 30), {})
    registry = CollectorRegistry()
    registry.register(JobCollector(ledger.database))
    later = samples(generate_latest(registry).decode())
    numbers = scrape(front_door)
    name = key("wheelyard_transitions_total", kind="wheel", cause="claimed")
    assert later[name] == numbers[name] == 1
    counters = {one for one in later if one[0].endswith("_total")}
    assert {one: later[one] for one in counters} == {one: numbers[one] for one in counters}


def test_a_scrape_while_the_database_is_out_says_so(settings_with, redis_url, serve):
    door = serve(settings_with(redis_url=redis_url, database_url="sqlite:////nowhere/jobs.db"))
    numbers = scrape(door)
    assert numbers[("wheelyard_database_up",)] == 0
    assert numbers[("wheelyard_redis_up",)] == 1
    assert not [name for name in numbers if name[0].startswith(("wheelyard_queue", "wheelyard_jobs"))]
    assert scrape(door)[key("wheelyard_part_errors_total", part="database", kind="infrastructure")] >= 1


def test_a_scrape_while_redis_or_the_store_is_out_says_so(settings_with, redis_url, serve):
    door = serve(settings_with(redis_url="redis://127.0.0.1:9/0", s3_endpoint="http://127.0.0.1:9"))
    begun = time.monotonic()
    numbers = scrape(door)
    assert time.monotonic() - begun < 5
    assert (numbers[("wheelyard_redis_up",)], numbers[("wheelyard_store_up",)]) == (0, 0)
    assert numbers[("wheelyard_database_up",)] == 1


def test_a_part_that_hangs_is_waited_for_only_once():
    released, asked = threading.Event(), []

    def hang():
        asked.append(1)
        released.wait(30)

    def refuse():
        raise QueueUnavailable("out")

    checks = PartChecks({"a": hang, "b": lambda: None, "c": refuse}, patience=2)
    assert checks.answers() == {"a": False, "b": True, "c": False}
    begun = time.monotonic()
    assert checks.answers()["a"] is False
    assert time.monotonic() - begun < 1.5
    assert asked == [1]
    released.set()
    checks._asking["a"].join(5)
    assert checks.answers()["a"] is True


def test_a_long_history_is_read_beside_the_scrapes_and_absent_until_it_is_whole(front_door, until):
    job = submit(front_door, "a")
    with front_door.services.ledger.database.transaction() as session:
        rows = [
            {"job": job.id, "at": 1.0, "actor": "t", "before": "", "after": "", "fence": 0, "cause": "phase",
             "reason": ""}
            for _ in range(20_000)
        ]  # fmt: skip
        session.execute(insert(TransitionRow), rows)
    collector = JobCollector(front_door.services.ledger.database)
    collector._totals._budget = 0.0
    registry = CollectorRegistry()
    registry.register(collector)
    name = key("wheelyard_transitions_total", kind="wheel", cause="phase")

    def seen():
        return samples(generate_latest(registry).decode()).get(name)

    first = seen()
    assert first is None
    # No scrape in between: it reads on by itself.
    collector._reader.join(30)
    assert seen() == 20_000
