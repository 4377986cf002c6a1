"""An engine whose containers are all one job's: labelled for it and its owner, and ended with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

from worker.engine.contract import Container, ContainerHandle, ContainerSpec, Engine


def labelled(engine: Engine, *, job: str, owner: str, watch: Callable[[Container], None]) -> Engine:
    """The same engine in all but whose its containers are, so that a sweep and a cancel find them.

    :param job: id of the job.
    :param owner: id of the worker process.
    :param watch: is given each container that has started.
    """
    return cast("Engine", _LabelledEngine(engine, job, owner, watch))


class _LabelledEngine:
    def __init__(self, inner: Engine, job: str, owner: str, watch: Callable[[Container], None]) -> None:
        self._inner = inner
        self._job = job
        self._owner = owner
        self._watch = watch

    def __getattr__(self, name: str) -> Any:
        # Everything else is the engine's own, whatever its contract comes to have.
        return getattr(self._inner, name)

    def start(self, spec: ContainerSpec) -> ContainerHandle:
        handle = self._inner.start(replace(spec, job=self._job, owner=self._owner))
        return _WatchedHandle(handle, self._watch)


class _WatchedHandle:
    def __init__(self, inner: ContainerHandle, watch: Callable[[Container], None]) -> None:
        self._inner = inner
        self._watch = watch

    def __enter__(self) -> Container:
        container = self._inner.__enter__()
        try:
            self._watch(container)
        except BaseException:
            self._inner.__exit__(None, None, None)
            raise
        return container

    def __exit__(self, *exc: object) -> None:
        self._inner.__exit__(*exc)
