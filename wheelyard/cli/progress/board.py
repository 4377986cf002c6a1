"""The board: where each job of a request stands, made of its events; it prints nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from wheelyard.answers import ChildAnswer, QueueAnswer
from wheelyard.cli.foreign_text import clean
from wheelyard.cli.progress.step_rate import StepRate
from wheelyard.cli.queue_text import queued_text
from wheelyard.event import Event

_ENDED = frozenset({"succeeded", "failed", "cancelled"})


@dataclass(slots=True, kw_only=True)
class Activity:
    """One job on the board.

    :param started: epoch seconds of its first sign of life; 0 before.
    :param phase_started: of the phase's beginning.
    :param ended: 0 while it runs.
    :param queue: where it stands, as far as the service was asked.
    :param assumed: its end was asked for, not heard of; older events of it may still come.
    """

    id: str
    title: str
    state: str = "queued"
    phase: str = ""
    started: float = 0.0
    phase_started: float = 0.0
    ended: float = 0.0
    last_line: str = ""
    steps: StepRate = field(default_factory=StepRate)
    filename: str = ""
    size: int = 0
    assumed: bool = False
    queue: QueueAnswer | None = None

    @property
    def over(self) -> bool:
        """Whether it ended."""
        return self.state in _ENDED

    @property
    def active(self) -> bool:
        """Whether a worker took it and has not ended it."""
        return not self.over and self.state != "queued"

    @property
    def word(self) -> str:
        """What it does, in one word, or where it stands in its queue."""
        if self.state == "queued":
            return queued_text(self.queue)
        return self.state if self.over or not self.phase else self.phase


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedHit:
    """A wheel that was in the cache before anybody asked."""

    filename: str
    size: int


class Board:
    """Takes events, and answers what a display needs.

    :param root: id of the job that was asked for.
    :param title: its title.
    """

    def __init__(self, root: str, title: str) -> None:
        self.root = Activity(id=root, title=clean(title))
        self._jobs: dict[str, Activity] = {root: self.root}
        self._waits_for: dict[str, set[str]] = {}
        self._hits: dict[str, CachedHit] = {}
        self._skew: float | None = None

    def expect(self, parent: str, children: Sequence[ChildAnswer], at: float) -> None:
        """Take note of jobs that the service says are waited for, before they say anything themselves.

        :param parent: id of the job that waits for them.
        :param at: epoch seconds.
        """
        self._waits_for.setdefault(parent, set()).update(child.id for child in children)
        for child in children:
            activity = self._jobs.get(child.id)
            if activity is None:
                activity = Activity(id=child.id, title=clean(child.title), state=child.state)
                self._jobs[child.id] = activity
                self._enter_phase(activity, child.phase, at)
            if child.ended and not activity.over:
                activity.state, activity.ended = child.state, at
            activity.assumed = activity.over

    def stand(self, job_id: str, queue: QueueAnswer | None) -> Activity | None:
        """Take note of where a job stands; gives the job where it is known and still queued or waiting."""
        job = self._jobs.get(job_id)
        if job is None or job.over:
            return None
        job.queue = queue
        return job if job.state == "queued" or job.phase == "waiting" else None

    def apply(self, event: Event, received: float) -> Activity:
        """Let an event change the board; returns the job that it happened in.

        :param received: epoch seconds on this machine's clock.
        """
        # The quickest event so far tells how far the service's clock is from ours.
        lag = received - event.at
        self._skew = lag if self._skew is None else min(self._skew, lag)
        job = self._jobs.get(event.job)
        if job is None:
            job = self._jobs[event.job] = Activity(id=event.job, title=clean(event.title) or event.job[:8])
        elif event.title and job is not self.root:
            job.title = clean(event.title)
        if job.assumed and event.type in ("phase", "step", "line"):
            # The stream is behind what the service says by now: it is shown as it was.
            job.state, job.ended, job.assumed = "building", 0.0, False
        facts = event.facts
        if event.type in ("state", "done"):
            self._enter_state(job, str(facts.get("state", job.state)), event.at)
        elif event.type == "phase":
            if job.state == "queued":
                self._enter_state(job, "building", event.at)
            self._enter_phase(job, clean(str(facts.get("name", ""))), event.at)
        elif event.type == "step":
            job.steps.add(_number(facts.get("done")), _number(facts.get("total")), event.at)
            job.last_line = clean(str(facts.get("text", ""))) or job.last_line
        elif event.type == "line":
            job.last_line = clean(str(facts.get("text", ""))) or job.last_line
        elif event.type == "wheel":
            self._note_wheel(job, event)
        return job

    def _enter_state(self, job: Activity, state: str, at: float) -> None:
        if state == "queued" and job.state != "queued":
            # The service gave it to another worker: it begins again.
            job.phase, job.steps, job.last_line = "", StepRate(), ""
        job.state = state
        if state not in {"queued", *_ENDED} and not job.started:
            job.started = job.phase_started = at
        if state in _ENDED:
            job.ended = job.ended or at
            job.last_line = ""

    def _enter_phase(self, job: Activity, phase: str, at: float) -> None:
        if phase == job.phase:
            return
        job.phase, job.phase_started = phase, at
        job.started = job.started or at
        job.steps, job.last_line = StepRate(), ""

    def _note_wheel(self, job: Activity, event: Event) -> None:
        filename, size = clean(str(event.facts.get("filename", ""))), _number(event.facts.get("size"))
        if event.facts.get("hit"):
            self._hits[filename] = CachedHit(filename=filename, size=size)
        elif job is not self.root:
            # A request names its wheels once more at its end.
            job.filename, job.size = filename, size

    # -- for displays -------------------------------------------------------------------------------------

    def now(self, local: float) -> float:
        """The time of this machine as the service's clock has it, in epoch seconds."""
        return local - (self._skew or 0.0)

    def waits(self, job: Activity) -> bool:
        """Whether a job only waits for others: it says so, or one of those that it waits for goes on."""
        others = (self._jobs[one] for one in self._waits_for.get(job.id, ()) if one in self._jobs)
        return job.phase == "waiting" or any(not other.over for other in others)

    @property
    def active(self) -> list[Activity]:
        """Jobs in which something happens, in the order in which they started; the request itself first."""
        return sorted(
            (job for job in self._jobs.values() if job.active and not self.waits(job)),
            key=lambda job: (job is not self.root, job.started),
        )

    @property
    def children(self) -> list[Activity]:
        """Every job that makes something by itself: not the request's own, and none that has others do it."""
        return [
            job for job in self._jobs.values() if job is not self.root and not self._waits_for.get(job.id)
        ]

    @property
    def hits(self) -> int:
        """Wheels that came from the cache."""
        return len(self._hits)


def _number(value: object) -> int:
    return int(value) if isinstance(value, int | float) else 0


def clock_text(seconds: float) -> str:
    """A duration as `1:05` or `1:02:05`.

    :param seconds: a negative one counts as none.
    """
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"
