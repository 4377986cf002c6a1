"""Numbers for Prometheus: requests, submissions by outcome, files served, and what SQL knows of jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from builder_service.job_metrics import JobCollector
from builder_service.part_checks import PartChecks
from wheelyard.jobs.database import Database
from wheelyard.outage_metrics import OutageCollector
from wheelyard.upstream.tally import Tally

router = APIRouter(tags=["health"])
_SECONDS = (0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """One application's own numbers; several applications in one process do not mix.

    :param database: asked for the jobs at each scrape.
    :param checks: what asks each other part, by its name.
    :param upstream: what counts the pages and files of the upstream index.
    """

    def __init__(
        self, database: Database, checks: Mapping[str, Callable[[], object]], upstream: Tally | None = None
    ) -> None:
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
            "Requests for jobs by kind and outcome: hit (made before), joined, queued, repeated",
            ("kind", "outcome"),
            registry=self.registry,
        )
        self.files = Counter(
            "wheelyard_index_files_total",
            "Requests for files of the index: hit, upstream (a file of the upstream index), miss",
            ("outcome",),
            registry=self.registry,
        )
        self.registry.register(JobCollector(database))
        self.registry.register(_PartCollector(PartChecks(checks)))
        self.registry.register(OutageCollector())
        self.registry.register(_UpstreamCollector(upstream or Tally()))
        ProcessCollector(registry=self.registry)


class _PartCollector(Collector):
    def __init__(self, checks: PartChecks) -> None:
        self._checks = checks

    def describe(self) -> Iterator[Metric]:
        # Without this the registry would collect, and so ask the parts, when it is made.
        yield GaugeMetricFamily("wheelyard_redis_up", "Whether redis answered the scrape")

    def collect(self) -> Iterator[Metric]:
        for part, up in self._checks.answers().items():
            yield GaugeMetricFamily(f"wheelyard_{part}_up", f"Whether {part} answered the scrape", int(up))


class _UpstreamCollector(Collector):
    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily(
            "wheelyard_upstream",
            "Pages, files and metadata of the upstream index by outcome: kept (it was not asked), fetched, "
            "unchanged, absent, stale (it does not answer, an earlier page was given), failed, refused",
            labels=("what", "outcome"),
        )
        for (what, outcome), count in self._tally.counts().items():
            family.add_metric((what, outcome.value), count)
        yield family


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
