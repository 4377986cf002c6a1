"""What the team says of a project, in every channel: whether it owns the name, and its status (PEP 792)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from packaging.utils import canonicalize_name
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from wheelyard.channels import lock_channels
from wheelyard.errors import InputError
from wheelyard.index_changes import Change, note_change
from wheelyard.index_file import Origin
from wheelyard.jobs.database import Database, repeated
from wheelyard.jobs.models import ChannelRow, FileRow, ProjectRow
from wheelyard.jobs.rows import new_row
from wheelyard.store.contract import Store


class Status(StrEnum):
    """A project's status (PEP 792)."""

    ACTIVE = "active"
    ARCHIVED = "archived"
    QUARANTINED = "quarantined"
    DEPRECATED = "deprecated"

    @property
    def takes_files(self) -> bool:
        """Whether the project may get another file."""
        return self in (Status.ACTIVE, Status.DEPRECATED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """One project.

    :param name: canonical.
    :param owned: whether the name is the team's: then nothing of it is ever taken from upstream.
    :param decided: whether somebody said so; else it is owned where the team has uploaded a file of it.
    :param reason: of the status, for people.
    """

    name: str
    owned: bool = False
    decided: bool = False
    status: Status = Status.ACTIVE
    reason: str = ""


class Quarantined(InputError):
    """The project is quarantined: nothing of it is offered (PEP 792)."""

    kind = "quarantined"
    title = "It is quarantined"
    status = 403


class Projects:
    """Reads and writes of what the team says of projects. Safe at the same time from any number of processes.

    :param store: keeps each change, before the database shows it.
    """

    def __init__(self, database: Database, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._store = store
        self._clock = clock

    def get(self, name: str) -> Project:
        """A project, by its name in any spelling; one that nobody spoke of is active."""
        with self._database.reading() as session:
            return read_project(session, canonicalize_name(name))

    def check_offered(self, name: str) -> None:
        """Let a file of a project out only where it is not quarantined.

        :param name: canonical.
        :raises Quarantined: it is.
        """
        with self._database.reading() as session:
            row = session.get(ProjectRow, name)
        if row is not None and row.status == Status.QUARANTINED.value:
            raise Quarantined(
                f"the project {name} is quarantined: its files are not offered",
                found=row.reason,
                do=f"see `wheelyard project show {name}`",
                project=name,
            )

    def list(self) -> list[Project]:
        """Every project of which something was said, by name."""
        with self._database.reading() as session:
            names = session.scalars(select(ProjectRow.project).order_by(ProjectRow.project)).all()
            return [read_project(session, name) for name in names]

    def set_owned(self, name: str, owned: bool, actor: str) -> Project:
        """Say that a name is the team's, or that it is not. Idempotent."""
        return self._change(name, actor, lambda project: replace(project, owned=owned, decided=True))

    def claim(self, name: str, actor: str) -> Project:
        """Say that a name is the team's, unless somebody has said whose it is. Idempotent.

        Every upload does: the name stays the team's when the last of its files is gone, or else upstream's
        files would take their place.
        """
        known = self.get(name)
        if known.decided:
            return known
        return self._change(
            name, actor, lambda one: one if one.decided else replace(one, owned=True, decided=True)
        )

    def set_status(self, name: str, status: Status, reason: str, actor: str) -> Project:
        """Give a project a status, with the reason for it. Idempotent."""
        return self._change(name, actor, lambda project: replace(project, status=status, reason=reason))

    @repeated
    def _change(self, name: str, actor: str, change: Callable[[Project], Project]) -> Project:
        canonical = canonicalize_name(name)
        with self._database.transaction() as session:
            lock_channels(session)
            before = read_project(session, canonical)
            after = change(before)
            if after != before:
                fields = _fields(after)
                note_change(self._store, Change.PROJECT, actor, fields, self._clock)
                set_project(session, fields)
        return after


def set_project(session: Session, fields: dict[str, Any]) -> None:
    """Set a project's row to the fields of a change, inside the caller's transaction."""
    others = {name: value for name, value in fields.items() if name != "project"}
    session.execute(
        new_row(session, ProjectRow)
        .values(**fields)
        .on_conflict_do_update(index_elements=["project"], set_=others)
    )


def _fields(project: Project) -> dict[str, Any]:
    return {
        "project": project.name,
        "owned": project.owned if project.decided else None,
        "status": project.status.value,
        "reason": project.reason,
    }


def read_project(session: Session, name: str) -> Project:
    """A project, inside the caller's transaction.

    :param name: canonical.
    """
    row = session.get(ProjectRow, name)
    if row is not None and row.owned is not None:
        owned, decided = row.owned, True
    else:
        owned, decided = _has_uploads(session, name), False
    if row is None:
        return Project(name=name, owned=owned)
    return Project(name=name, owned=owned, decided=decided, status=Status(row.status), reason=row.reason)


def _has_uploads(session: Session, name: str) -> bool:
    # The index of files begins with the channel; of those there are few.
    uploaded = exists().where(
        FileRow.channel.in_(select(ChannelRow.name)),
        FileRow.project == name,
        FileRow.origin == Origin.UPLOADED.value,
    )
    return bool(session.scalar(select(uploaded)))
