"""The doorbell: a Celery message that says "look at your queues", and may be lost."""

from __future__ import annotations

import contextlib
import threading
import time
from queue import Full, Queue
from typing import Any, Protocol

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from wheelyard.errors import QueueUnavailable
from wheelyard.outages import OUTAGES

TASK = "wheelyard.run"
_LISTEN_SECONDS = 30.0
# A ring is a favour: whoever asks for a build must not wait for a Redis that hangs.
_RING_SECONDS = 2.0
_DEAF_SECONDS = 5.0
_CONNECTIONS = 100
_MOST_WAITING = 10_000


class Doorbell(Protocol):
    """Rings for a job. A lost ring is rung again by the relay."""

    def ring(self, job_id: str, queue: str) -> None:
        """Tell some worker of the queue to look at it; raises `QueueUnavailable`."""

    def unheard(self, queue: str) -> int:
        """How many rings of a queue no worker has heard yet; raises `QueueUnavailable`."""


def celery_application(redis_url: str, socket_seconds: float = _LISTEN_SECONDS) -> Celery:
    """The Celery application, the same for who rings and who answers.

    Results are off, and the visibility timeout plays no part: SQL is the truth about jobs.

    :param socket_seconds: that it waits for an answer of Redis.
    """
    app = Celery("wheelyard", broker=redis_url, set_as_current=False)
    app.conf.update(
        task_ignore_result=True,
        task_acks_late=False,
        worker_prefetch_multiplier=1,
        broker_connection_retry_on_startup=True,
        # A worker outlasts a Redis that is away for a day.
        broker_connection_max_retries=None,
        broker_transport_options={
            "socket_connect_timeout": min(5.0, socket_seconds),
            "socket_timeout": socket_seconds,
            "global_keyprefix": "wheelyard:",
        },
        task_default_queue="plans",
        worker_hijack_root_logger=False,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
    )
    return app


class CeleryDoorbell:
    """Rings through Celery on Redis. Safe to share between threads.

    A Redis that does not answer is left alone for some seconds, so that a service under load does not wait
    for it with every request.

    :param redis_url: of a Redis-protocol server.
    """

    def __init__(self, redis_url: str) -> None:
        self._app = celery_application(redis_url, _RING_SECONDS)
        # Enough for every thread of a service: a ring must not wait for another one's time-out.
        self._app.conf.broker_pool_limit = _CONNECTIONS
        # kombu would connect again and again, up to some time-out of its own.
        self._app.conf.broker_transport_options["max_retries"] = 0
        self._deaf_until = 0.0
        self._found = ""

    def ring(self, job_id: str, queue: str) -> None:
        """See `Doorbell.ring`."""
        self._asked(lambda: self._app.send_task(TASK, args=[job_id], queue=queue, retry=False))

    def unheard(self, queue: str) -> int:
        """See `Doorbell.unheard`."""

        def ask() -> int:
            with self._app.pool.acquire(block=True) as connection:
                return int(connection.default_channel.queue_declare(queue).message_count)

        return int(self._asked(ask))

    def _asked(self, question: Any) -> Any:
        if time.monotonic() < self._deaf_until:
            raise _unavailable(self._found)
        try:
            return question()
        except (OperationalError, RedisError, OSError) as error:
            # kombu translates most of what redis-py raises, but not a time-out in a question of a channel's.
            self._found = str(error)
            self._deaf_until = time.monotonic() + _DEAF_SECONDS
            raise OUTAGES.noted("redis", _unavailable(self._found)) from error


class DoorbellBehind:
    """Rings from a thread of its own: who asks for a build does not wait for Redis.

    What can't be rung, or is cut off by the process's end, is left to the relay. Safe to share between
    threads.

    :param doorbell: does the ringing.
    """

    def __init__(self, doorbell: Doorbell) -> None:
        self._doorbell = doorbell
        self._waiting: Queue[tuple[str, str]] = Queue(_MOST_WAITING)
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def ring(self, job_id: str, queue: str) -> None:
        """Ring soon; it never raises."""
        with contextlib.suppress(Full):
            self._waiting.put_nowait((job_id, queue))
        if self._thread is None:
            self._start()

    def unheard(self, queue: str) -> int:
        """See `Doorbell.unheard`."""
        return self._doorbell.unheard(queue)

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._ring_on, name="doorbell", daemon=True)
                self._thread.start()

    def _ring_on(self) -> None:
        while True:
            with contextlib.suppress(QueueUnavailable):
                self._doorbell.ring(*self._waiting.get())


def _unavailable(found: str) -> QueueUnavailable:
    return QueueUnavailable(
        "Redis does not take the job's message",
        found=found,
        do="the job stays queued and the relay rings again; see that Redis runs",
    )
