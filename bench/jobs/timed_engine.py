"""An engine that notes how long each of its own calls took, so that the rest of a build's time is ours."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any, cast

from worker.engine.contract import Container, ContainerHandle, ContainerSpec, Ended, Engine


@dataclass
class Spent:
    """What the engine was asked for one job.

    :param asked_at: epoch seconds at which its first container was asked for.
    :param seconds: in the engine, in all its calls.
    :param starts: seconds of each start of a container.
    """

    asked_at: float = 0.0
    seconds: float = 0.0
    starts: list[float] = field(default_factory=list)


class TimedEngine:
    """Times another engine, job by job."""

    def __init__(self, inner: Engine) -> None:
        self._inner = inner
        self.spent: dict[str, Spent] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def start(self, spec: ContainerSpec) -> ContainerHandle:
        """As `worker.engine.contract.Engine.start`."""
        spent = self.spent.setdefault(spec.job, Spent())
        spent.asked_at = spent.asked_at or time.time()
        return cast("ContainerHandle", _TimedHandle(self._inner.start(spec), spent))


class _TimedHandle:
    def __init__(self, inner: ContainerHandle, spent: Spent) -> None:
        self._inner = inner
        self._spent = spent

    def __enter__(self) -> Container:
        before = self._spent.seconds
        with _timing(self._spent):
            container = self._inner.__enter__()
        self._spent.starts.append(self._spent.seconds - before)
        return cast("Container", _TimedContainer(container, self._spent))

    def __exit__(self, *exc: object) -> None:
        with _timing(self._spent):
            self._inner.__exit__(*exc)


class _TimedContainer:
    def __init__(self, inner: Container, spent: Spent) -> None:
        self._inner = inner
        self._spent = spent
        self.id = inner.id
        self.kill = inner.kill

    def run(
        self,
        argv: Sequence[str],
        *,
        on_line: Callable[[str], None],
        timeout: float,
        environment: Mapping[str, str] | None = None,
        workdir: str = "/",
    ) -> Ended:
        with _timing(self._spent):
            return self._inner.run(
                argv, on_line=on_line, timeout=timeout, environment=environment, workdir=workdir
            )

    def read_file(self, path: str, target: IO[bytes], limit: int) -> int:
        with _timing(self._spent):
            return self._inner.read_file(path, target, limit)


@contextmanager
def _timing(spent: Spent) -> Iterator[None]:
    began = time.perf_counter()
    try:
        yield
    finally:
        spent.seconds += time.perf_counter() - began
