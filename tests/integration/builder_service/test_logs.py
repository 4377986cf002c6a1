"""Where a log opens: at its first error, at a line, at that of the job that is to blame."""

from __future__ import annotations

import secrets

import pytest

from wheelyard.errors import BuildFailed
from wheelyard.jobs.states import Kind
from worker.job_log import JobLog


class Jobs:
    """Jobs whose logs a worker's own `JobLog` writes."""

    def __init__(self, door, folder):
        self.door, self.folder = door, folder

    def submit(self, title, kind=Kind.WHEEL):
        ledger = self.door.services.ledger
        return ledger.submit(kind, secrets.token_hex(32), spec={}, title=title, toolchain="t")[0].id

    def fail(self, job, lines, error):
        services = self.door.services
        claim = services.ledger.claim(job, "w", 30)
        log = JobLog(
            services.events, job=job, title="", streams=lambda: services.ledger.parents(job),
            path=self.folder / f"{job}.gz", limit=1 << 20, attempt=claim.fence,
        )  # fmt: skip
        for line in lines:
            log.line(line)
        digest, told = log.close_failed(services.store, error)
        services.ledger.fail(claim, told, digest)
        log.event("done", state="failed", error=told.to_document())
        return told

    def log(self, job, **query):
        answer = self.door.guest.get(f"/v1/jobs/{job}/log", params=query)
        assert answer.status_code == 200
        return answer.text.splitlines()


@pytest.fixture
def jobs(front_door, tmp_path):
    return Jobs(front_door, tmp_path)


LINES = [*(f"line {number}" for number in range(1, 100)), "a.c:1:1: error: no", "and more"]
ERROR = BuildFailed("numpy: compile failed", found="a.c:1:1: error: no", first_error="a.c:1:1: error: no")


def test_a_failed_jobs_log_opens_a_little_above_its_first_error(jobs):
    job = jobs.submit("numpy 2.4.6")
    assert jobs.fail(job, LINES, ERROR).facts["log_line"] == 100
    first, *lines = jobs.log(job, **{"from": "error"})
    assert first == f"(from line 95 of the log of numpy 2.4.6; all of it: /v1/jobs/{job}/log)"
    assert lines[:7] == [*LINES[94:100], "and more"]
    assert lines[7] == "failed: numpy: compile failed"
    assert jobs.log(job)[:101] == LINES


def test_a_parents_log_opens_at_the_error_of_the_job_that_is_to_blame(jobs, front_door):
    image, build = jobs.submit("an image", Kind.IMAGE), jobs.submit("numpy", Kind.BUILD)
    wheel = jobs.submit("numpy 2.4.6")
    ledger = front_door.services.ledger
    ledger.park(ledger.claim(image, "w", 30), [build], {})
    ledger.park(ledger.claim(build, "w", 30), [wheel], {})
    told = jobs.fail(wheel, LINES, ERROR)
    told = jobs.fail(build, ["plan"], BuildFailed(told.failed, **{**told.facts, "failed_job": wheel}))
    jobs.fail(image, ["image"], BuildFailed(told.failed, **{**told.facts, "failed_job": build}))
    assert jobs.log(image, **{"from": "error"}) == jobs.log(wheel, **{"from": "error"})
    assert jobs.log(image, **{"from": "error"})[6] == "a.c:1:1: error: no"


def test_a_log_opens_at_any_line(jobs):
    job = jobs.submit("numpy 2.4.6")
    jobs.fail(job, LINES, ERROR)
    for line in (1, 2, 57, 101):
        assert jobs.log(job, line=line)[1] == LINES[line - 1]
    assert len(jobs.log(job, line=100_000)) == 1


def test_a_long_log_opens_at_a_line_in_any_of_its_pieces(jobs):
    job = jobs.submit("numpy 2.4.6")
    lines = [f"{number} {'x' * 50}" for number in range(1, 5001)]
    jobs.fail(job, lines, ERROR)
    for line in (1000, 1191, 1192, 1193, 3000, 5000):
        assert jobs.log(job, line=line)[1] == lines[line - 1]


def test_a_log_without_an_error_is_whole(jobs):
    job = jobs.submit("numpy 2.4.6")
    assert jobs.log(job, **{"from": "error"}) == jobs.log(job)


def test_a_log_opens_nowhere_else(jobs, front_door):
    job = jobs.submit("numpy 2.4.6")
    for query in ({"from": "nowhere"}, {"line": 0}, {"line": "x"}):
        assert front_door.guest.get(f"/v1/jobs/{job}/log", params=query).status_code == 422


def test_the_front_page_leads_to_the_error(jobs, front_door):
    job = jobs.submit("numpy 2.4.6")
    jobs.fail(job, LINES, ERROR)
    assert f'href="/v1/jobs/{job}/log?from=error"' in front_door.guest.get("/").text
