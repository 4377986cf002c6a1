"""Where a job stands in its queue, and how long it waits there, by what the like of it took before."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from wheelyard.jobs.reader import JobReader
from wheelyard.jobs.states import Job, Kind, State

_USUAL_KEPT_SECONDS = 30.0
_SLOTS_KEPT_SECONDS = 5.0
_MOST_KEPT = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePlace:
    """Where an active job stands. Each field is None where nobody knows.

    :param place: 1 for the next one; 0 for a job that does not wait for its turn.
    :param ahead: jobs that run or go before it.
    :param wait_seconds: until its turn; of a job that waits for others, until the slowest of them ends.
    :param usual_seconds: that the like of it took.
    """

    place: int | None
    ahead: int | None
    wait_seconds: float | None
    usual_seconds: float | None


class QueuePlaces:
    """Places and estimates. What took how long, and who works, is remembered for some seconds.

    :param clock: epoch seconds.
    """

    def __init__(self, ledger: JobReader, clock: Callable[[], float] = time.time) -> None:
        self._ledger = ledger
        self._clock = clock
        self._usual: dict[tuple[Kind, str, str], tuple[float, float | None]] = {}
        self._slots: dict[str, tuple[float, int]] = {}

    def of(self, job: Job, limit: int | None = None) -> QueuePlace | None:
        """The place of one job, by itself; None for one that ended.

        :param limit: jobs that are counted at the most; the place behind so many is not known.
        """
        if job.state is not State.QUEUED:
            return None if job.state.ended else self._running(job)
        ahead = self._ledger.ahead(job, None if limit is None else limit + 1)
        count = sum(ahead.values())
        if limit is not None and count > limit:
            return QueuePlace(place=None, ahead=None, wait_seconds=None, usual_seconds=self._usual_of(job))
        return self._waiting(job, count, ahead)

    def of_all(self, jobs: Sequence[Job]) -> dict[str, QueuePlace]:
        """The places of those jobs that are active, by id: each queue is read once."""
        found = {
            job.id: self._running(job)
            for job in jobs
            if not job.state.ended and job.state is not State.QUEUED
        }
        waiting: dict[str, list[Job]] = {}
        for job in jobs:
            if job.state is State.QUEUED:
                waiting.setdefault(job.queue, []).append(job)
        for queue, queued in waiting.items():
            places = self._ledger.places(queue, [job.id for job in queued])
            last = max(queued, key=lambda job: places.get(job.id, 0))
            mixed = self._ledger.ahead(last)
            for job in queued:
                # One that was claimed between the two looks is about to run.
                count = places.get(job.id, 1) - 1
                # What is ahead of the last one is, in proportion, ahead of the others.
                share = count / max(1, sum(mixed.values()))
                ahead = {what: number * share for what, number in mixed.items()}
                found[job.id] = self._waiting(job, count, ahead)
        return found

    def family(self, job: Job, children: Sequence[Job]) -> dict[str, QueuePlace]:
        """The places of a job and of those that it waits for; its wait is for the slowest of them."""
        own = self.of(job)
        if own is None:
            return {}
        going = [child for child in children if not child.state.ended]
        found = {job.id: own, **self.of_all(going)}
        if job.id in found and not job.owner and job.state is not State.QUEUED and going:
            ends = [self._end_of(child, found[child.id]) for child in going]
            known = [seconds for seconds in ends if seconds is not None]
            found[job.id] = QueuePlace(
                place=0, ahead=0, wait_seconds=max(known) if len(known) == len(ends) else None,
                usual_seconds=found[job.id].usual_seconds,
            )  # fmt: skip
        return found

    def usual(self, kind: Kind, subject: str, toolchain: str) -> float | None:
        """Seconds that such a job usually takes: the like of it, or else any wheel of its toolchain."""
        key, now = (kind, subject, toolchain), self._clock()
        kept = self._usual.get(key)
        if kept is not None and kept[0] > now:
            return kept[1]
        seconds = self._ledger.usual_seconds(kind, subject, toolchain)
        if seconds is None and kind is Kind.WHEEL:
            seconds = self._ledger.usual_seconds(kind, None, toolchain)
        if len(self._usual) >= _MOST_KEPT:
            self._usual.clear()
        self._usual[key] = (now + _USUAL_KEPT_SECONDS, seconds)
        return seconds

    def _usual_of(self, job: Job) -> float | None:
        return self.usual(job.kind, job.subject, job.toolchain)

    def _running(self, job: Job) -> QueuePlace:
        # One that nobody holds waits for others; `family` knows how long.
        wait = 0.0 if job.owner else None
        return QueuePlace(place=0, ahead=0, wait_seconds=wait, usual_seconds=self._usual_of(job))

    def _waiting(self, job: Job, count: int, ahead: Mapping[tuple[Kind, str], float]) -> QueuePlace:
        return QueuePlace(
            place=count + 1,
            ahead=count,
            wait_seconds=self._wait(job, count, ahead.items()),
            usual_seconds=self._usual_of(job),
        )

    def _wait(self, job: Job, count: int, ahead: Iterable[tuple[tuple[Kind, str], float]]) -> float | None:
        slots = self._slots_of(job.queue)
        if not slots:
            return None
        if count < slots:
            # One of them is free, or is about to be.
            return 0.0
        total = 0.0
        for (kind, subject), number in ahead:
            seconds = self.usual(kind, subject, job.toolchain)
            if seconds is None:
                return None
            total += seconds * number
        return round(total / slots, 1)

    def _slots_of(self, queue: str) -> int:
        now = self._clock()
        kept = self._slots.get(queue)
        if kept is None or kept[0] <= now:
            kept = self._slots[queue] = (
                now + _SLOTS_KEPT_SECONDS, self._ledger.live_slots(queue, now)
            )  # fmt: skip
        return kept[1]

    def _end_of(self, job: Job, place: QueuePlace) -> float | None:
        """Seconds until a job is likely to end."""
        if place.wait_seconds is None or place.usual_seconds is None:
            return None
        spent = self._clock() - job.started_at if job.started_at else 0.0
        return round(place.wait_seconds + max(0.0, place.usual_seconds - spent), 1)
