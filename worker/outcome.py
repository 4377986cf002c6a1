"""How one claim's work may end: done, or parked until other jobs have ended. Failure is an error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The job is finished.

    :param result: what readers get.
    :param publish: adds the rows that become visible in the same transaction.
    """

    result: dict[str, Any]
    publish: Callable[[Session], None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """The job goes on when all of these have ended.

    :param children: ids of jobs that were submitted for it.
    :param spec: its spec from then on.
    """

    children: tuple[str, ...]
    spec: dict[str, Any]


Outcome = Done | Parked
