"""Numbers for Prometheus that only a worker process knows, and the address that gives them."""

from __future__ import annotations

import errno
from dataclasses import dataclass, field

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, start_http_server

from wheelyard.outage_metrics import OutageCollector

_START_SECONDS = (0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0, 30.0, 60.0)
_PORTS = 16
logger = structlog.get_logger("worker")


@dataclass(slots=True)
class WorkerMetrics:
    """One process's own numbers. What SQL knows of jobs is told by the front door, for all workers."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    container_start: Histogram = field(init=False)
    container_failures: Counter = field(init=False)
    lines_left_out: Counter = field(init=False)

    def __post_init__(self) -> None:
        self.container_start = Histogram(
            "wheelyard_container_start_seconds",
            "Time that the engine took to start a container",
            buckets=_START_SECONDS,
            registry=self.registry,
        )
        self.container_failures = Counter(
            "wheelyard_container_start_failures_total",
            "Containers that the engine did not start",
            registry=self.registry,
        )
        self.lines_left_out = Counter(
            "wheelyard_log_lines_left_out_total",
            "Lines of build output that were left out of a log because it was full",
            registry=self.registry,
        )
        self.registry.register(OutageCollector())
        ProcessCollector(registry=self.registry)

    def serve(self, host: str, port: int) -> int:
        """Answer scrapes from a thread; returns the port, 0 where none could be had.

        Several workers of one host share the setting: each takes the first free port from it on, among 16.
        A worker without one works all the same.

        :param port: 0 means that nothing is served.
        """
        for candidate in range(port, port + _PORTS) if port else ():
            try:
                start_http_server(candidate, host, self.registry)
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    continue
                logger.warning("numbers are not served", host=host, port=candidate, error=str(error))
                return 0
            logger.info("numbers are served", host=host, port=candidate)
            return candidate
        if port:
            logger.warning("numbers are not served: every port is in use", host=host, port=port, tried=_PORTS)
        return 0
