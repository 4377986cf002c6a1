"""A plan for people: the picture, the table, and how long the rest takes; it looks again while it runs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from builder_service.human_pages import human_page
from builder_service.jobs import job_finder
from builder_service.plans import picture_of, planned_job
from builder_service.services import Opened
from wheelyard.errors import from_document
from wheelyard.job_place import place_of
from wheelyard.jobs.states import Job
from wheelyard.plan_outlook import count_standings
from wheelyard.plan_picture import seconds_words

router = APIRouter(include_in_schema=False)


@router.get("/plans/{job_id}")
def plan_page(services: Opened, job: Annotated[Job, Depends(job_finder(None))]) -> HTMLResponse:
    """The plan of a plan, a build or an image."""
    planned = planned_job(services, job)
    own, plan = planned.job, planned.plan
    view = planned.outlook(services)
    return human_page(
        "plan.html",
        job=own,
        place=place_of(own),
        error=from_document(own.error) if own.error else None,
        plan=plan,
        counts=count_standings(plan) if plan is not None else {},
        view=view,
        places={one.id: place_of(one) for one in planned.nodes.values()},
        # Drawn by our own module, which escapes every word of others.
        picture=Markup(picture_of(planned, view)) if plan is not None else "",  # noqa: S704 - see above
        about=seconds_words,
    )
