"""A worker process's signs of life in the register, and its own round over the queues."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

import structlog

from wheelyard import __version__
from wheelyard.errors import WheelyardError
from wheelyard.jobs.workers import BEAT_SECONDS, WorkerIdentity, WorkerRegistry

_LEAVE_SECONDS = 2.0
logger = structlog.get_logger("worker.presence")


def identity_of_process(
    owner: str, queues: tuple[str, ...], *, slots: int = 0, cores: float = 0.0, memory: int = 0
) -> WorkerIdentity:
    """The identity of this process; the parameters are those of `WorkerIdentity`."""
    return WorkerIdentity(
        owner=owner, host=socket.gethostname(), pid=os.getpid(), version=__version__,
        queues=queues, slots=slots, cores=cores, memory=memory,
    )  # fmt: skip


class Presence:
    """Gives a sign of life every few seconds for as long as its block runs, then takes leave.

    :param draining: whether the process takes nothing more.
    :param also: done at each beat, for instance a look at the queues: a ring may have been lost, or Redis
        be away altogether.
    """

    def __init__(
        self,
        registry: WorkerRegistry,
        worker: WorkerIdentity,
        draining: Callable[[], bool],
        also: Callable[[], None] = lambda: None,
        pause: float = BEAT_SECONDS,
    ) -> None:
        self._registry = registry
        self._worker = worker
        self._draining = draining
        self._also = also
        self._pause = pause
        self._wake = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._beat, name="presence", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True
        self._wake.set()
        # A database that hangs must not keep the process: the row then goes silent.
        self._thread.join(_LEAVE_SECONDS)

    def now(self) -> None:
        """Beat at once, for instance because the process begins to drain."""
        self._wake.set()

    def _beat(self) -> None:
        while not self._ended:
            try:
                self._registry.beat(self._worker, draining=self._draining())
                self._also()
            except WheelyardError as error:
                logger.warning("no sign of life could be written", error=str(error))
            self._wake.wait(self._pause)
            self._wake.clear()
        try:
            self._registry.leave(self._worker.owner)
        except WheelyardError as error:
            logger.warning("could not take leave", error=str(error))
