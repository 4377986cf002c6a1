"""A job's state and its place in the queue, in the words that tables and displays use."""

from __future__ import annotations

from wheelyard.answers import JobAnswer, QueueAnswer

_MINUTE, _HOUR = 60, 3600


def state_text(job: JobAnswer) -> str:
    """A job's state: `queued, place 3, about 4 min`, `building (compile)`, `succeeded`."""
    if job.state == "queued":
        return queued_text(job.queue)
    if job.ended or not job.phase:
        return job.state
    if job.phase == "waiting" and job.queue is not None and job.queue.wait_seconds:
        return f"{job.state} (waiting, {about_text(job.queue.wait_seconds)})"
    return f"{job.state} ({job.phase})"


def queued_text(queue: QueueAnswer | None) -> str:
    """The state of a queued job, with what is known of its place and of the time until its turn."""
    parts = ["queued"]
    if queue is not None and queue.place:
        parts.append(f"place {queue.place}")
        if queue.wait_seconds:
            parts.append(about_text(queue.wait_seconds))
    return ", ".join(parts)


def about_text(seconds: float) -> str:
    """An estimate, no finer than it can be: `about 40 s`, `about 4 min`, `about 2 h`."""
    if seconds < 90:
        return f"about {max(10, round(seconds, -1)):.0f} s"
    if seconds < 90 * _MINUTE:
        return f"about {seconds / _MINUTE:.0f} min"
    return f"about {seconds / _HOUR:.0f} h"
