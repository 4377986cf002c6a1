"""The dashboard and the alerts ask for nothing that the front door and the workers do not export."""

from __future__ import annotations

import json
import re
import socket
import time
from pathlib import Path

import httpx2
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from wheelyard.digests import key_of
from wheelyard.errors import BuildFailed, StoreUnavailable
from wheelyard.jobs.models import WorkerRow
from wheelyard.jobs.states import Kind
from wheelyard.outages import OUTAGES
from worker.metrics import WorkerMetrics

FOLDER = Path(__file__).parents[3] / "infra" / "dashboards"
WORDS = {"and", "or", "unless", "bool", "offset", "by", "without", "on", "ignoring", "group_left"}
# Prometheus adds these; `le` is a histogram's bound.
ADDED = {"le", "instance", "job"}


def expressions_of(dashboard):
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]


def rules():
    document = yaml.safe_load((FOLDER / "alerts.yaml").read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


@pytest.fixture(scope="session")
def dashboard():
    return json.loads((FOLDER / "wheelyard.json").read_text())


def names_in(expression):
    """Names of metrics in PromQL, roughly: every word that is no label, function, keyword or duration."""
    bare = re.sub(r'"[^"]*"', "", expression)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", bare)
    bare = re.sub(r"\b(by|without|on|ignoring|group_left)\s*\([^)]*\)", "", bare)
    words = re.findall(r"\b([a-zA-Z_:][\w:]*)\b(?!\s*\()", bare)
    return {word for word in words if word not in WORDS}


def selectors_in(expression):
    """Each metric that is selected by labels, with the names of the labels."""
    for name, inside in re.findall(r"([a-zA-Z_:][\w:]*)\{([^}]*)\}", expression):
        yield name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", inside))


def exported(text):
    """Every name that a scrape can give, with its labels."""
    found: dict[str, set[str]] = {}
    suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
    for family in text_string_to_metric_families(text):
        for suffix in suffixes.get(family.type, ("",)):
            found.setdefault(family.name + suffix, set())
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def live_through_everything(door):
    """Let one of each happen, so that each family has a sample with its labels."""
    ledger = door.services.ledger

    def claimed(name, kind=Kind.WHEEL, **fields):
        job = ledger.submit(kind, key_of(name), spec={}, title=name, toolchain="t", **fields)[0]
        return ledger.claim(job.id, "w", 60)

    phases = {"compile": 3.0, "publish": 0.1}
    ledger.succeed(claimed("good", webhook="https://ci.example/"), {"wheel": {"size": 9}, "phases": phases})
    ledger.succeed(claimed("build", Kind.BUILD), {"wheels": [{"hit": True}, {"hit": False}]})
    ledger.fail(claimed("bad"), BuildFailed("bad failed"))
    ledger.fail(claimed("rests"), StoreUnavailable("out"), max_attempts=3)
    lost = claimed("lost")
    with ledger.database.transaction() as session:
        session.add(
            WorkerRow(
                owner="w", host="h", pid=1, version="0", queues=["plans", "toolchain.t"], slots=2, cores=2,
                memory=1, started_at=1.0, seen_at=time.time(),
            )
        )  # fmt: skip
    ledger._clock = lambda: time.time() + 3600
    ledger.take_back(3)
    ledger._clock = time.time
    assert ledger.get(lost.id).owner == ""
    claimed("runs")
    OUTAGES.noted("store", StoreUnavailable("out"))
    door.http.post("/v1/builds", json={"requirements": ["numpy"]})
    door.guest.get(f"/files/{'0' * 64}/none.whl")


@pytest.fixture
def numbers(front_door):
    """What a scrape of the front door and one of a worker give."""
    live_through_everything(front_door)
    worker = WorkerMetrics()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    port = worker.serve("127.0.0.1", port)
    api = exported(front_door.guest.get("/metrics").text)
    with httpx2.Client(trust_env=False) as client:
        return api | exported(client.get(f"http://127.0.0.1:{port}/metrics").text)


def test_every_panel_has_a_title_a_unit_and_a_question(dashboard):
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    assert len(panels) > 20
    for panel in panels:
        assert panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert [target["expr"] for target in panel["targets"]], panel["title"]
        assert all(target["expr"].strip() for target in panel["targets"])
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24


def test_the_dashboard_names_no_data_source_of_somebody(dashboard):
    variables = {one["name"]: one for one in dashboard["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert variables["datasource"]["query"] == "prometheus"
    assert not dashboard.get("uid")
    assert not dashboard.get("id")
    uids = re.findall(r'"uid": "([^"]*)"', json.dumps(dashboard))
    assert set(uids) == {"${datasource}"}
    used = set(re.findall(r"\$\{?(\w+)", " ".join(expr for _, expr in expressions_of(dashboard))))
    assert used <= {*variables, "__rate_interval"}


def test_the_dashboard_asks_only_for_numbers_that_are_exported(dashboard, numbers):
    asked = 0
    for title, expression in expressions_of(dashboard):
        for name in names_in(expression):
            assert name in numbers, f"{title} asks for {name}"
            asked += 1
        for name, labels in selectors_in(expression):
            assert labels <= numbers[name] | ADDED, f"{title} selects {name} by {labels}"
        for grouped in re.findall(r"by \(([^)]*)\)", expression):
            known = set().union(*(numbers[name] for name in names_in(expression))) | ADDED
            assert {one.strip() for one in grouped.split(",")} <= known, title
    assert asked > 35
    for one in dashboard["templating"]["list"]:
        for name, label in re.findall(r"label_values\((\w+), (\w+)\)", str(one.get("definition"))):
            assert label in numbers[name]


def test_the_alerts_ask_only_for_numbers_that_are_exported(numbers):
    for rule in rules():
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"]
        assert names_in(rule["expr"])
        for name in names_in(rule["expr"]):
            assert name in numbers, f"{rule['alert']} asks for {name}"
        for name, labels in selectors_in(rule["expr"]):
            assert labels <= numbers[name] | ADDED, f"{rule['alert']} selects {name} by {labels}"


def test_there_are_alerts_for_what_stops_everything():
    asked = " ".join(rule["expr"] for rule in rules())
    for name in (
        "wheelyard_queue_oldest_seconds", "wheelyard_leases_lost_total", "wheelyard_database_up",
        "wheelyard_workers",
    ):  # fmt: skip
        assert name in asked


def test_what_the_panels_of_the_issue_show_is_there(dashboard):
    asked = " ".join(expr for _, expr in expressions_of(dashboard))
    for name in (
        "wheelyard_queue_jobs", "wheelyard_queue_oldest_seconds", "wheelyard_submissions_total",
        "wheelyard_plan_nodes_total", "wheelyard_jobs_ended_total", "wheelyard_phase_seconds_bucket",
        "wheelyard_leases_lost_total", "wheelyard_transitions_total", "wheelyard_http_request_seconds_bucket",
        "wheelyard_worker_jobs", "wheelyard_store_up", "wheelyard_redis_up", "wheelyard_database_up",
        "wheelyard_upstream_total",
    ):  # fmt: skip
        assert name in asked


def test_names_are_found_in_an_expression_and_nothing_else():
    text = 'sum by (a) (max without (c) (rate(x_total{d="y", e=~"$z"}[5m]))) > 3 unless on (f) w'
    assert names_in(text) == {"x_total", "w"}
    assert list(selectors_in(text)) == [("x_total", {"d", "e"})]
