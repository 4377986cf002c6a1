"""Requests with an `Idempotency-Key`: what each was answered with, so that its repeat is answered alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from wheelyard.digests import key_of
from wheelyard.errors import InputError
from wheelyard.jobs.database import Database
from wheelyard.jobs.ledger import Beside
from wheelyard.jobs.models import IdempotencyRow
from wheelyard.jobs.rows import new_row
from wheelyard.jobs.states import Job

_PURGE_AT_ONCE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedRequest:
    """A request that its sender named, so that it may send it again.

    :param key: SHA-256 over the sender and the name that he gave.
    :param parts: digest of each part of the request: its address, and each field of its body.
    """

    key: str
    parts: Mapping[str, str]

    @classmethod
    def of(cls, name: str, *, scope: tuple[str, ...], address: str, body: Mapping[str, Any]) -> KeyedRequest:
        """The request of that name.

        :param name: the header's value.
        :param scope: who sends it; another sender's key of the same name is another key.
        :param address: method and path.
        :param body: its fields, as they were understood.
        """
        parts = {field: key_of({"value": value})[:16] for field, value in body.items()}
        return cls(key=key_of({"scope": scope, "key": name}), parts={**parts, "address": address})

    @property
    def waiter(self) -> str:
        """Id of the waiter that the request is, however often it is sent."""
        return key_of({"waiter": self.key})[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswer:
    """What the first of several equal requests was answered with.

    :param job: id of the job.
    :param waiter: id by which the request leaves the job.
    :param outcome: hit, joined or queued.
    """

    job: str
    waiter: str
    outcome: str


class AnsweredBefore(Exception):
    """An equal request was answered in the meantime; what was about to be written is taken back."""

    def __init__(self, answer: KeptAnswer) -> None:
        super().__init__(answer.job)
        self.answer = answer


class IdempotencyKeys:
    """The kept answers. Safe at the same time from any number of processes and threads.

    The answer's row is written in the transaction that accepts the job, so that there is either both or
    neither, whenever the process dies (draft-ietf-httpapi-idempotency-key-header, section 2.6). Of two equal
    requests at once the second waits for the first one's transaction and gets its answer.

    :param clock: epoch seconds.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def find(self, asked: KeyedRequest) -> KeptAnswer | None:
        """What the request was answered with, or None where it is new.

        :raises InputError: the key was used for another request.
        """
        with self._database.reading() as session:
            row = session.get(IdempotencyRow, asked.key)
            return None if row is None else _answer(row, asked)

    def beside(self, asked: KeyedRequest) -> Beside:
        """Keeps the answer in the transaction that accepts the job; see `Ledger.submit`."""

        def keep(session: Session, job: Job, joined: bool) -> None:
            kept = self._keep(session, asked, job.id, "joined" if joined else "queued")
            if kept is not None:
                raise AnsweredBefore(kept)

        return keep

    def keep_hit(self, asked: KeyedRequest, job_id: str) -> None:
        """Keep the answer of a request for which nothing had to be queued.

        :raises AnsweredBefore: an equal request came first.
        """
        with self._database.transaction() as session:
            kept = self._keep(session, asked, job_id, "hit")
            if kept is not None:
                raise AnsweredBefore(kept)

    def purge(self, max_age: float) -> int:
        """Forget the answers that are older than that many seconds, some at once; returns how many."""
        with self._database.transaction() as session:
            old = (
                select(IdempotencyRow.key)
                .where(IdempotencyRow.made_at < self._clock() - max_age)
                .limit(_PURGE_AT_ONCE)
            )
            keys = list(session.scalars(old))
            session.execute(delete(IdempotencyRow).where(IdempotencyRow.key.in_(keys)))
            return len(keys)

    def _keep(self, session: Session, asked: KeyedRequest, job_id: str, outcome: str) -> KeptAnswer | None:
        """Insert the row, or give the answer that was there first."""
        # On PostgreSQL this waits for a transaction that inserts the same key at this moment.
        added = session.scalar(
            new_row(session, IdempotencyRow)
            .values(
                key=asked.key, request=dict(asked.parts), job=job_id, waiter=asked.waiter, outcome=outcome,
                made_at=self._clock(),
            )
            .on_conflict_do_nothing()
            .returning(IdempotencyRow.key)
        )  # fmt: skip
        return None if added is not None else _answer(session.get_one(IdempotencyRow, asked.key), asked)


def _answer(row: IdempotencyRow, asked: KeyedRequest) -> KeptAnswer:
    if row.request != dict(asked.parts):
        raise _other_request(row.request, asked.parts)
    return KeptAnswer(job=row.job, waiter=row.waiter, outcome=row.outcome)


def _other_request(before: Mapping[str, str], now: Mapping[str, str]) -> InputError:
    found = []
    if before["address"] != now["address"]:
        found.append(f"it was sent to {before['address']} then, and to {now['address']} now")
    fields = sorted(name for name in {*before, *now} - {"address"} if before.get(name) != now.get(name))
    # Of another address the body has other fields by nature.
    if fields and not found:
        found.append(f"other than then: {', '.join(fields)}")
    return InputError(
        "this Idempotency-Key was used for another request",
        expected="the same address and body as the first time, or a key that was not used yet",
        found="; ".join(found),
        do="send the same request again, or draw a new key",
        fields=fields,
    )
