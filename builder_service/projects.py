"""Addresses of projects: whether the team owns a name, and a project's status (PEP 792)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from builder_service.index_bodies import ProjectChange, ProjectDocument, ProjectList, project_document
from builder_service.problems import responses
from builder_service.services import Opened
from builder_service.tokens import CurrentIdentity, allowed
from wheelyard.access_token import Scope

router = APIRouter(prefix="/v1/projects", tags=["index"])
Name = Annotated[
    str,
    Path(
        max_length=200,
        pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$",
        description="A project's name in any spelling.",
    ),
]


@router.get("", operation_id="list_projects_said", summary="Projects of which something was said")
def listing(services: Opened) -> ProjectList:
    """All others are active, and owned where the team has uploaded a file of them."""
    return ProjectList(projects=[project_document(project) for project in services.projects.list()])


@router.get(
    "/{project}", operation_id="get_project", summary="What is said of a project", responses=responses(422)
)
def one(project: Name, services: Opened) -> ProjectDocument:
    """Every name has an answer, in whatever channel it has files, or none."""
    return project_document(services.projects.get(project))


@router.patch(
    "/{project}",
    operation_id="change_project",
    summary="Say that a name is the team's, or give it a status",
    dependencies=[Depends(allowed(Scope.ADMIN))],
    responses=responses(400, 401, 403, 413, 422),
)
def change(
    project: Name, body: ProjectChange, services: Opened, identity: CurrentIdentity
) -> ProjectDocument:
    """It holds in every channel. Nothing is offered of a quarantined project."""
    changed = services.projects.get(project)
    if body.owned is not None:
        changed = services.projects.set_owned(project, body.owned, identity.name)
    if body.status is not None:
        changed = services.projects.set_status(project, body.status, body.reason, identity.name)
    return project_document(changed)
