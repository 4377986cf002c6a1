"""What the service says of itself, with its servers there and gone."""

from __future__ import annotations

import re
import sqlite3

import pytest
from prometheus_client.parser import text_string_to_metric_families

from wheelyard.jobs.database import Database


def metrics_of(door):
    families = text_string_to_metric_families(door.guest.get("/metrics").text)
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for one in families
        for sample in one.samples
    }


def test_a_service_whose_parts_answer_is_ready(front_door):
    answer = front_door.guest.get("/readyz")
    assert (answer.status_code, answer.json()["parts"]) == (
        200,
        {"database": "ok", "redis": "ok", "store": "ok"},
    )


@pytest.mark.parametrize(
    ("part", "fields"),
    [
        ("redis", {"redis_url": "redis://127.0.0.1:9/0"}),
        ("store", {"s3_endpoint": "http://127.0.0.1:9"}),
        ("database", {"database_url": "sqlite:////nowhere/jobs.db"}),
    ],
)
def test_a_part_that_is_out_is_named(settings_with, redis_url, serve, part, fields):
    door = serve(settings_with(**({"redis_url": redis_url} | fields)))
    answer = door.guest.get("/readyz")
    problem = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert problem["detail"] == f"not ready: {part}"
    assert problem["do"]
    assert {name for name, state in problem["facts"]["parts"].items() if state != "ok"} == {part}
    assert door.guest.get("/healthz").status_code == 200
    page = door.guest.get("/")
    assert page.status_code == 200
    assert 'class="bad"' in page.text
    assert door.guest.get("/metrics").status_code == 200


def test_an_outage_in_the_middle_is_a_problem_that_says_which(settings_with, redis_url, serve):
    door = serve(settings_with(redis_url=redis_url, s3_endpoint="http://127.0.0.1:9"))
    answer = door.guest.get("/v1/blobs/sha256:" + "0" * 64)
    assert (answer.status_code, answer.json()["kind"]) == (503, "store-unavailable")
    assert answer.headers["retry-after"] == "5"
    gone = serve(settings_with(redis_url=redis_url, database_url="sqlite:////nowhere/jobs.db"))
    answer = gone.http.post("/v1/builds", json={"requirements": ["numpy"]})
    assert (answer.status_code, answer.json()["detail"]) == (503, "the database does not answer")


def test_metrics_count_requests_by_route_submissions_by_outcome_and_jobs_by_state(front_door, publish):
    for _ in range(2):
        job = front_door.http.post("/v1/builds", json={"requirements": ["numpy"]}).json()
    front_door.guest.get(f"/v1/jobs/{job['id']}")
    ledger = front_door.services.ledger
    ledger.succeed(ledger.claim(job["id"], "w", 30), {})
    front_door.http.post("/v1/builds", json={"requirements": ["numpy"]})
    record = publish(front_door.services)
    front_door.guest.get(f"/files/{record.digest.hex}/{record.filename}")
    front_door.guest.get(f"/files/{record.digest.hex}/other.whl")
    front_door.guest.get("/nothing/here")
    numbers = metrics_of(front_door)
    for outcome in ("queued", "joined", "hit"):
        assert numbers["wheelyard_submissions_total", *sorted(("build", outcome))] == 1
    assert numbers["wheelyard_jobs", *sorted(("build", "succeeded", "plans"))] == 1
    assert numbers["wheelyard_http_requests_total", *sorted(("GET", "/v1/jobs/{job_id}", "200"))] == 1
    assert numbers["wheelyard_http_requests_total", *sorted(("GET", "none", "404"))] == 1
    assert numbers["wheelyard_index_files_total", "hit"] == 1
    assert numbers["wheelyard_index_files_total", "miss"] == 1
    assert job["id"] not in front_door.guest.get("/metrics").text


def test_a_failure_that_nobody_foresaw_is_a_problem_without_its_inside(front_door, monkeypatch):
    def burst(*_args):
        raise RuntimeError("secret: hunter2")

    monkeypatch.setattr(Database, "reading", burst)
    answer = front_door.guest.get("/v1/jobs", headers={"x-request-id": "trace-7"})
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "hunter2" not in answer.text
    assert answer.json()["facts"] == {"request_id": "trace-7"}
    assert answer.headers["x-request-id"] == "trace-7"


def test_every_answer_has_a_request_id_of_its_own(front_door):
    ids = {front_door.guest.get("/healthz").headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3
    odd = front_door.guest.get("/healthz", headers={"x-request-id": "a b\tc" * 100})
    assert re.fullmatch(r"[0-9a-f]{16}", odd.headers["x-request-id"])


def test_the_front_page_stands_alone_and_escapes_what_others_wrote(front_door):
    front_door.services.ledger.submit(
        "wheel", "a" * 64, spec={}, title="<script>alert(1)</script>", toolchain="debian12-cp311"
    )
    answer = front_door.guest.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "<script" not in answer.text
    assert "&lt;script&gt;" in answer.text
    assert not re.search(r'(src|href)="(https?:)?//', answer.text)
    assert (
        f"pip install --index-url {front_door.services.settings.effective_public_url}/simple/" in answer.text
    )


def test_every_kind_of_problem_has_a_page(front_door):
    kinds = [
        "not-found",
        "input",
        "store-unavailable",
        "too-large",
        "method-not-allowed",
        "range-not-satisfiable",
    ]
    for kind in kinds:
        assert front_door.guest.get(f"/problems/{kind}").status_code == 200, kind
    assert front_door.guest.get("/problems/nothing").status_code == 404


def test_an_address_that_does_not_take_a_method_says_which_it_takes(front_door):
    for path, methods in (
        ("/v1/builds", "GET, POST"),
        ("/v1/jobs/" + "0" * 32, "GET, DELETE"),
        ("/simple/", "GET, HEAD"),
    ):
        answer = front_door.http.patch(path)
        assert (answer.status_code, answer.headers["allow"]) == (405, methods)
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_database_that_is_busy_writing_holds_no_reader_up(front_door, tmp_path):
    writer = sqlite3.connect(tmp_path / "jobs.db", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    try:
        assert front_door.guest.get("/v1/jobs", timeout=5).status_code == 200
        assert front_door.guest.get("/simple/", timeout=5).status_code == 200
    finally:
        writer.execute("ROLLBACK")
        writer.close()
