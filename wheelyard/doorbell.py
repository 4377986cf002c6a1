"""The doorbell: a Celery message that says "look at this job", and may be lost."""

from __future__ import annotations

from typing import Protocol

from celery import Celery
from kombu.exceptions import OperationalError

from wheelyard.errors import QueueUnavailable

TASK = "wheelyard.run"


class Doorbell(Protocol):
    """Rings for a job. A lost ring is rung again by the relay."""

    def ring(self, job_id: str, queue: str) -> None:
        """Tell some worker of the queue to look at the job; raises `QueueUnavailable`."""


def celery_application(redis_url: str) -> Celery:
    """The Celery application, the same for who rings and who answers.

    Results are off, and the visibility timeout plays no part: SQL is the truth about jobs.
    """
    app = Celery("wheelyard", broker=redis_url, set_as_current=False)
    app.conf.update(
        task_ignore_result=True,
        task_acks_late=False,
        worker_prefetch_multiplier=1,
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            "socket_connect_timeout": 5,
            "socket_timeout": 30,
            "global_keyprefix": "wheelyard:",
        },
        task_default_queue="plans",
        worker_hijack_root_logger=False,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
    )
    return app


class CeleryDoorbell:
    """Rings through Celery on Redis."""

    def __init__(self, redis_url: str) -> None:
        self._app = celery_application(redis_url)

    def ring(self, job_id: str, queue: str) -> None:
        """See `Doorbell.ring`."""
        try:
            self._app.send_task(
                TASK,
                args=[job_id],
                queue=queue,
                retry=True,
                retry_policy={"max_retries": 1, "interval_start": 0.1},
            )
        except (OperationalError, OSError) as error:
            raise QueueUnavailable(
                "Redis does not take the job's message",
                found=str(error),
                do="the job stays queued and the relay rings again; see that Redis runs",
            ) from error
