"""Numbers for Prometheus: requests, submissions by outcome, jobs by state, and files that were served."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from wheelyard.errors import InfrastructureError
from wheelyard.jobs.ledger import Ledger

router = APIRouter(tags=["health"])
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """One application's own numbers; several applications in one process do not mix.

    :param ledger: counted at each scrape.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "wheelyard_http_requests_total",
            "Requests by method, route and status",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "wheelyard_http_request_seconds",
            "Time until the answer was sent, streams left out",
            ("method", "route"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.submissions = Counter(
            "wheelyard_submissions_total",
            "Requests for jobs by kind and outcome: hit (made before), joined, queued, repeated (same key)",
            ("kind", "outcome"),
            registry=self.registry,
        )
        self.files = Counter(
            "wheelyard_index_files_total",
            "Requests for files of the index: hit or miss",
            ("outcome",),
            registry=self.registry,
        )
        self.registry.register(_JobCollector(ledger))


class _JobCollector(Collector):
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def describe(self) -> Iterator[Metric]:
        # Without this the registry would collect, and so ask the database, when it is made.
        yield GaugeMetricFamily("wheelyard_jobs", "Jobs by kind, state and queue")

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("wheelyard_database_up", "Whether the database answered the scrape")
        jobs = GaugeMetricFamily(
            "wheelyard_jobs", "Jobs by kind, state and queue", labels=("kind", "state", "queue")
        )
        try:
            counts = self._ledger.counts()
        except InfrastructureError:
            up.add_metric((), 0)
            yield up
            return
        for labels, count in sorted(counts.items()):
            jobs.add_metric(labels, count)
        up.add_metric((), 1)
        yield up
        yield jobs


def metrics_of(request: Request) -> Metrics:
    """The numbers of the application that answers."""
    numbers: Metrics = request.app.state.metrics
    return numbers


@router.get(
    "/metrics",
    operation_id="metrics",
    summary="Numbers in Prometheus' text format",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def metrics(request: Request) -> Response:
    """Answers while the database is out, too; `wheelyard_database_up` says so."""
    return Response(generate_latest(metrics_of(request).registry), media_type=CONTENT_TYPE_LATEST)
