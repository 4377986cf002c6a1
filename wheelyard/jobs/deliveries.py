"""Messages about the ends of jobs: which are due, who sends one now, and what became of each try."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import select, update

from wheelyard.digests import key_of
from wheelyard.jobs.database import Database
from wheelyard.jobs.models import WebhookRow
from wheelyard.jobs.rows import new_row

_LONGEST_FOUND = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message to one address.

    :param id: of the message, the same for all its tries.
    :param attempts: tries so far.
    :param due_at: epoch seconds of the next try; 0 once nothing is left to do.
    :param delivered_at: epoch seconds; 0 where no try was taken.
    :param found: what the last try came to.
    """

    id: str
    job: str
    url: str
    attempts: int
    due_at: float
    delivered_at: float
    found: str

    @property
    def outcome(self) -> Literal["due", "delivered", "given-up"]:
        """Whether it was delivered, or will be tried again, or not."""
        if self.delivered_at:
            return "delivered"
        return "due" if self.due_at else "given-up"


class Deliveries:
    """The messages' rows. Safe at the same time from any number of processes and threads.

    :param clock: epoch seconds.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def add(self, job_id: str, url: str, waiter: str) -> None:
        """Let an address be told of a job that had ended before it was asked for. Idempotent per waiter."""
        with self._database.transaction() as session:
            row_id = key_of({"waiter": waiter, "url": url})[:32]
            session.execute(
                new_row(session, WebhookRow)
                .values(
                    id=row_id, job=job_id, url=url, attempts=0, due_at=self._clock(), delivered_at=0.0,
                    found="",
                )
                .on_conflict_do_nothing()
            )  # fmt: skip

    def of_job(self, job_id: str) -> list[Delivery]:
        """A job's messages, oldest first."""
        with self._database.reading() as session:
            rows = session.scalars(select(WebhookRow).where(WebhookRow.job == job_id).order_by(WebhookRow.id))
            return [_delivery(row) for row in rows]

    def take(self, limit: int, lease_seconds: float) -> list[Delivery]:
        """Messages that are due, each given to one sender at a time, with their count of tries raised.

        :param lease_seconds: after which a message is due again whose sender never said what it came to.
        """
        now = self._clock()
        with self._database.reading() as session:
            due = [
                (row.id, row.attempts)
                for row in session.execute(
                    select(WebhookRow.id, WebhookRow.attempts)
                    .where(WebhookRow.due_at > 0, WebhookRow.due_at <= now)
                    .order_by(WebhookRow.due_at)
                    .limit(limit)
                )
            ]
        taken = []
        for row_id, attempts in due:
            with self._database.transaction() as session:
                row = session.scalar(
                    update(WebhookRow)
                    .where(
                        WebhookRow.id == row_id, WebhookRow.attempts == attempts, WebhookRow.due_at > 0,
                        WebhookRow.due_at <= now,
                    )
                    .values(attempts=attempts + 1, due_at=now + lease_seconds)
                    .returning(WebhookRow)
                )  # fmt: skip
                if row is not None:
                    taken.append(_delivery(row))
        return taken

    def settle(
        self, delivery: Delivery, found: str, *, delivered: bool = False, again_in: float | None = None
    ) -> None:
        """Note what a try came to; passed over where another sender took the message meanwhile.

        :param delivery: as `take` gave it.
        :param delivered: the address took it.
        :param again_in: seconds until the next try; None means that there is none.
        """
        now = self._clock()
        with self._database.transaction() as session:
            session.execute(
                update(WebhookRow)
                .where(
                    WebhookRow.id == delivery.id,
                    WebhookRow.attempts == delivery.attempts,
                    WebhookRow.delivered_at == 0,
                )
                .values(
                    found=found[:_LONGEST_FOUND],
                    delivered_at=now if delivered else 0.0,
                    due_at=0.0 if delivered or again_in is None else now + again_in,
                )
            )


def _delivery(row: WebhookRow) -> Delivery:
    return Delivery(
        id=row.id,
        job=row.job,
        url=row.url,
        attempts=row.attempts,
        due_at=row.due_at,
        delivered_at=row.delivered_at,
        found=row.found,
    )
