"""Where the service shows a job: one path for answers, links and messages."""

from __future__ import annotations

from wheelyard.jobs.states import Job, Kind

_PLACES = {Kind.BUILD: "builds", Kind.IMAGE: "images", Kind.PLAN: "plans", Kind.VERIFY: "verifications"}


def place_of(job: Job) -> str:
    """Path of a job below the service's address."""
    return f"/v1/{_PLACES.get(job.kind, 'jobs')}/{job.id}"
