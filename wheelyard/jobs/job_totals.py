"""What became of all jobs ever, in numbers that only grow: read once, and from then on only what is new."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from sqlalchemy import Row, and_, func, or_, select
from sqlalchemy.orm import Session

from wheelyard.jobs.database import Database
from wheelyard.jobs.models import JobRow, TransitionRow
from wheelyard.jobs.states import ENDED, Cause

BUCKETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200)
"""Upper bounds of the phases' histogram, in seconds."""
_BATCH = 4000
_JOBS_AT_ONCE = 500
_GAP_SECONDS = 60.0
_GAPS = 1000
_ENDS = frozenset(state.value for state in ENDED)


@dataclass(slots=True)
class PhaseTimes:
    """A histogram of seconds."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one more."""
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.seconds += seconds

    @property
    def cumulative(self) -> list[int]:
        """Number of those up to each bound, and of all."""
        return list(accumulate(self.counts))


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedJobs:
    """What jobs that ended alike have in common.

    :param error: kind of their error; empty for those that succeeded.
    """

    kind: str
    queue: str
    toolchain: str
    outcome: str
    error: str


class JobTotals:
    """Totals over the history of all jobs. They come from SQL, so they outlive every process and never fall.

    Each catching up reads only the transitions since the one before. The first one of a process reads all of
    them; it may need several calls, and until then there is nothing to show, for half a count would look like
    a fall and a steep rise.

    :param budget_seconds: time that one catching up takes at the most.
    """

    def __init__(
        self,
        database: Database,
        budget_seconds: float = 0.2,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._budget = budget_seconds
        self._clock = clock
        self._mark = 0
        self._gaps: dict[int, float] = {}
        self.lock = threading.Lock()
        self.moves: Counter[tuple[str, str]] = Counter()
        """Transitions by kind and cause."""
        self.leases_lost: Counter[str] = Counter()
        """By kind; also those whose job had no try left and failed."""
        self.ended: Counter[EndedJobs] = Counter()
        self.phases: dict[tuple[str, str], PhaseTimes] = {}
        """By kind and phase, of jobs that ended."""
        self.nodes: Counter[str] = Counter()
        """Wheels that builds needed: `hit` and `built`."""
        self.wheels: Counter[str] = Counter()
        """Wheels published, by toolchain."""
        self.wheel_bytes: Counter[str] = Counter()

    def catch_up(self) -> bool:
        """Read what is new; whether nothing is left. Call it, and read the totals, under `lock`.

        :raises InfrastructureError: the database did not answer.
        """
        limit = self._clock() + self._budget
        with self._database.reading() as session:
            self._close_gaps(session)
            newest = session.scalar(select(func.max(TransitionRow.id))) or 0
        while self._mark < newest:
            # A range with two ends: PostgreSQL would plan one with a single end for half of the table.
            last = min(self._mark + _BATCH, newest)
            numbers = TransitionRow.id.between(self._mark + 1, last)
            with self._database.reading() as session:
                rows = session.execute(_transitions().where(numbers).order_by(TransitionRow.id)).all()
                self._take(session, rows)
            self._note_gaps({row.id for row in rows}, last)
            # At the end of a part: however short the time is, each call gets further.
            if self._clock() > limit:
                break
        return self._mark >= newest

    def _close_gaps(self, session: Session) -> None:
        if not self._gaps:
            return
        rows = session.execute(_transitions().where(TransitionRow.id.in_(self._gaps))).all()
        self._take(session, rows)
        found = {row.id for row in rows}
        oldest = self._clock() - _GAP_SECONDS
        self._gaps = {gap: seen for gap, seen in self._gaps.items() if gap not in found and seen > oldest}

    def _note_gaps(self, found: set[int], last: int) -> None:
        """Remember numbers that were passed over: on PostgreSQL a lower one may be committed later."""
        now = self._clock()
        for missing in range(max(self._mark + 1, last - _GAPS), last):
            if missing not in found:
                self._gaps[missing] = now
        self._mark = last

    def _take(self, session: Session, rows: Iterable[Row[Any]]) -> None:
        ended = []
        for row in rows:
            self.moves[row.kind, row.cause] += 1
            if row.lost:
                self.leases_lost[row.kind] += 1
            if row.cause in _ENDS:
                ended.append(row.job)
        for start in range(0, len(ended), _JOBS_AT_ONCE):
            for job in session.execute(_ended_jobs(ended[start : start + _JOBS_AT_ONCE])):
                self._take_end(job)

    def _take_end(self, job: Row[Any]) -> None:
        error, result = job.error or {}, job.result or {}
        end = EndedJobs(
            kind=job.kind, queue=job.queue, toolchain=job.toolchain, outcome=job.state,
            error=error.get("kind", ""),
        )  # fmt: skip
        self.ended[end] += 1
        phases: Mapping[str, float] = result.get("phases") or error.get("facts", {}).get("phases") or {}
        for phase, seconds in phases.items():
            self.phases.setdefault((job.kind, phase), PhaseTimes()).add(seconds)
        for wheel in result.get("wheels", ()):
            self.nodes["hit" if wheel["hit"] else "built"] += 1
        # A job that found its wheel made already published nothing.
        if "wheel" in result and "publish" in phases:
            self.wheels[job.toolchain] += 1
            self.wheel_bytes[job.toolchain] += result["wheel"]["size"]


def _transitions() -> Any:
    # A job without a try left fails of the same reason; the reaper's other moves leave a job's children.
    ended_by_it = and_(TransitionRow.actor == "reaper", TransitionRow.reason.startswith("the lease of "))
    lost = or_(TransitionRow.cause == Cause.LEASE_LOST, ended_by_it).label("lost")
    return select(TransitionRow.id, TransitionRow.job, TransitionRow.cause, lost, JobRow.kind).join(
        JobRow, JobRow.id == TransitionRow.job
    )


def _ended_jobs(ids: list[str]) -> Any:
    # Whole documents: to unpack one here is cheaper than to let the database do so for each field of it.
    fields = (JobRow.kind, JobRow.queue, JobRow.toolchain, JobRow.state, JobRow.error, JobRow.result)
    return select(*fields).where(JobRow.id.in_(ids))
