"""The outages of a process in Prometheus' terms, the same for the front door and the workers."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from wheelyard.outages import OUTAGES, Outages


class OutageCollector(Collector):
    """Reads the counts at each scrape."""

    def __init__(self, outages: Outages = OUTAGES) -> None:
        self._outages = outages

    def collect(self) -> Iterator[Metric]:
        """`wheelyard_part_errors_total` by part and kind."""
        family = CounterMetricFamily(
            "wheelyard_part_errors",
            "Errors of database, redis, store, engine and index that this process met, by kind",
            labels=("part", "kind"),
        )
        for (part, kind), count in sorted(self._outages.counts().items()):
            family.add_metric((part, kind), count)
        yield family
