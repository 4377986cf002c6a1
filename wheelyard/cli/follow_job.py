"""Following a job in a command: the display, Ctrl-C, and the exit code that the end means."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from wheelyard.answers import JobAnswer
from wheelyard.cli.error_text import write_error
from wheelyard.cli.exits import DONE, exit_code_of_job
from wheelyard.cli.progress.display import Display, ProgressStyle, make_display, resolve_style
from wheelyard.cli.progress.json_lines import write_json_line
from wheelyard.cli.results import write_result
from wheelyard.client import Client
from wheelyard.errors import Cancelled, Conflict, InfrastructureError, TimedOut, WheelyardError
from wheelyard.event import Event
from wheelyard.following import Following

_GRACE_SECONDS = 20.0
_FIRST_LOOK_SECONDS = 2.0
_LONGEST_LOOK_SECONDS = 30.0
_MOVES = frozenset({"state", "phase", "done"})


class _Interrupts:
    """Ctrl-C and a polite kill, counted; the second one raises KeyboardInterrupt wherever the program is."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1
        if self.count > 1:
            raise KeyboardInterrupt


@contextmanager
def _counted_interrupts() -> Iterator[_Interrupts]:
    interrupts = _Interrupts()
    before = {number: signal.signal(number, interrupts) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupts
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def follow_job(client: Client, job: JobAnswer, style: ProgressStyle, *, detach: bool = False) -> int:
    """Show a job until its end, then its result or its error; returns the exit code.

    :param detach: print the id and leave at once.
    """
    if detach:
        sys.stdout.write(f"{job.id}\n")
        return DONE
    ended = follow_to_end(client, job, style)
    return report_end(ended, style, client.url)


def report_end(job: JobAnswer, style: ProgressStyle, url: str) -> int:
    """Say how an ended job ended, and return its exit code.

    :param url: the service's address, for the line that installs the wheels.
    """
    as_json = style is ProgressStyle.JSON
    if not job.succeeded:
        write_error(job.failure(), as_json=as_json, log_of=log_owner(job))
    elif as_json:
        write_json_line({"type": "result", "job": job.id, "state": job.state, "result": job.result})
    else:
        write_result(job, url)
    return exit_code_of_job(job)


def log_owner(job: JobAnswer) -> str:
    """Id of the job whose log says why this one failed: the one that it waited for, where that failed."""
    named = job.error.facts.get("job") if job.error is not None else None
    failed = [child.id for child in job.children if child.state == "failed"]
    return str(named or (failed[0] if failed else job.id))


def follow_to_end(
    client: Client, job: JobAnswer, style: ProgressStyle, *, limit: float | None = None
) -> JobAnswer:
    """Show a job until its end, and return it as it ended. The first Ctrl-C cancels it.

    :param limit: moment of `time.monotonic` at which following ends, while the job goes on; None for never.
    :raises TimedOut: that moment came.
    :raises Cancelled: it was cancelled by Ctrl-C, whatever the service made of that.
    :raises ServiceUnreachable: the service stayed away for too long.
    """
    if job.ended:
        return client.job(job.id)
    display = make_display(resolve_style(style), job.id, job.title)
    trouble: list[str] = []

    def on_trouble(text: str) -> None:
        trouble.append(text)

    following = Following(client, job.id, on_trouble=on_trouble)
    with _counted_interrupts() as interrupts, display:
        display.expect(job.id, job.children)
        display.stand(job.id, job.queue)
        _show(client, job, display, following, interrupts, trouble, limit)
    return client.job(job.id)


def _show(
    client: Client,
    job: JobAnswer,
    display: Display,
    following: Following,
    interrupts: _Interrupts,
    trouble: list[str],
    limit: float | None,
) -> None:
    leave_at, lost, known = 0.0, False, {job.id}
    looks = _Looks(client, job.id, display, known)
    for event in following.events():
        looks.hear(event)
        if event is not None:
            display.event(event)
            if event.job not in known:
                known.add(event.job)
                _expect_all(client, job.id, display, known)
        else:
            display.tick()
        lost = _say_trouble(display, trouble, lost=lost)
        if interrupts.count and not leave_at:
            leave_at = time.monotonic() + _GRACE_SECONDS
            display.note("cancelling; Ctrl-C again leaves at once")
            _cancel(client, job)
        if leave_at and time.monotonic() > leave_at:
            break
        if limit is not None and not leave_at and time.monotonic() > limit:
            raise _not_in_time(job)
    if leave_at:
        _end_of_cancelled(client, job.id)


def _say_trouble(display: Display, trouble: list[str], *, lost: bool) -> bool:
    """Say what was heard of the connection; gives whether it is lost now."""
    while trouble:
        text = trouble.pop(0)
        if text and not lost:
            display.note(f"the connection was lost ({text}); trying again")
        elif not text and lost:
            display.note("the connection is back")
        lost = bool(text)
    return lost


class _Looks:
    """Asks now and then where the jobs stand in their queues: who waits there says nothing himself."""

    def __init__(self, client: Client, job_id: str, display: Display, known: set[str]) -> None:
        self._client = client
        self._job_id = job_id
        self._display = display
        self._known = known
        self._pause = _FIRST_LOOK_SECONDS
        self._due = time.monotonic() + self._pause

    def hear(self, event: Event | None) -> None:
        """Take note of an event: after a move the next look is soon, and those after it ever further apart.

        :param event: None where nothing happened for a moment; then is the time to look, where one is due.
        """
        if event is not None:
            if event.type in _MOVES:
                self._pause = _FIRST_LOOK_SECONDS
                self._due = time.monotonic() + self._pause
        elif time.monotonic() >= self._due:
            self._pause = min(self._pause * 1.5, _LONGEST_LOOK_SECONDS)
            self._due = time.monotonic() + self._pause
            # It is a matter of the display only; `Following` says what is wrong.
            with suppress(InfrastructureError):
                self._look(self._job_id)

    def _look(self, job_id: str) -> None:
        job = self._client.job(job_id)
        new = [child for child in job.children if child.id not in self._known]
        if new:
            self._known.update(child.id for child in new)
            self._display.expect(job_id, new)
        self._display.stand(job_id, job.queue)
        for child in job.children:
            if child.phase == "waiting":
                self._look(child.id)
            else:
                self._display.stand(child.id, child.queue)


def _expect_all(client: Client, job_id: str, display: Display, known: set[str]) -> None:
    """Tell the display what a job waits for, and what that waits for in turn; events name only who speaks.

    :param known: ids that were heard of; those that are found are added.
    """
    try:
        children = client.job(job_id).children
    except InfrastructureError:
        return  # It is a matter of the display only, and the next job that speaks asks again.
    display.expect(job_id, children)
    for child in children:
        known.add(child.id)
        if not child.ended:
            _expect_all(client, child.id, display, known)


def _cancel(client: Client, job: JobAnswer) -> None:
    try:
        left = client.cancel(job.id, job.waiter)
    except Conflict:
        return  # It ended meanwhile.
    if not left.ended and left.waiters > 0 and not left.cancel_requested:
        raise Cancelled(
            f"this request of {left.title} was taken back",
            found="other requests wait for the same job; it goes on without this one",
            do=f"see `wheelyard job {job.id}`",
            job=job.id,
        )


def _not_in_time(job: JobAnswer) -> TimedOut:
    return TimedOut(
        f"{job.title or job.id} did not end in the time that it was given",
        found="the job goes on without this command",
        do=f"run the same command again, which joins the job; or end it: `wheelyard cancel {job.id}`",
        job=job.id,
    )


def _end_of_cancelled(client: Client, job_id: str) -> None:
    try:
        job = client.job(job_id)
    except WheelyardError as error:
        raise Cancelled(f"job {job_id} was asked to end", found=error.failed, job=job_id) from error
    if job.succeeded:
        # It was done before the word reached it: then there is a result to tell.
        return
    raise Cancelled(
        f"{job.title or job_id} was cancelled"
        if job.ended
        else f"{job.title or job_id} is still being cancelled",
        do="" if job.ended else f"see `wheelyard job {job_id}`",
        job=job_id,
    )
