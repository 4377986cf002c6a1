"""An engine whose starts of containers are timed, and are spans of the jobs that they are for."""

from __future__ import annotations

import time
from typing import Any, cast

from wheelyard.errors import EngineFailed
from wheelyard.outages import OUTAGES
from wheelyard.tracing import below
from worker.engine.contract import Container, ContainerHandle, ContainerSpec, Engine
from worker.metrics import WorkerMetrics


def watched(engine: Engine, metrics: WorkerMetrics) -> Engine:
    """The same engine in all but `start`, which counts and traces what it does."""
    return cast("Engine", _WatchedEngine(engine, metrics))


class _WatchedEngine:
    def __init__(self, inner: Engine, metrics: WorkerMetrics) -> None:
        self._inner = inner
        self._metrics = metrics

    def __getattr__(self, name: str) -> Any:
        # Everything else is the engine's own, whatever its contract comes to have.
        return getattr(self._inner, name)

    def start(self, spec: ContainerSpec) -> ContainerHandle:
        return _WatchedHandle(self._inner.start(spec), spec, self._metrics)


class _WatchedHandle:
    def __init__(self, inner: ContainerHandle, spec: ContainerSpec, metrics: WorkerMetrics) -> None:
        self._inner = inner
        self._spec = spec
        self._metrics = metrics

    def __enter__(self) -> Container:
        begun = time.monotonic()
        with below("container start", {"container.image.id": self._spec.image}) as span:
            try:
                container = self._inner.__enter__()
            except EngineFailed as error:
                self._metrics.container_failures.inc()
                OUTAGES.noted("engine", error)
                raise
            span.note({"container.id": container.id})
        self._metrics.container_start.observe(time.monotonic() - begun)
        return container

    def __exit__(self, *exc: object) -> None:
        self._inner.__exit__(*exc)
