"""One event of a job: what happened, where and when; it knows nothing of the stream that carries it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

EventType = Literal["state", "phase", "step", "line", "wheel", "done"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened in a job.

    :param type: `state` {state}, `phase` {name}, `step` {done, total, text}, `line` {text},
        `wheel` {filename, digest, size, hit}, `done` {state, result or error}.
    :param job: id of the job that it happened in; a parent's stream carries its children's events, too.
    :param title: that job's title, for instance `numpy 2.4.6`.
    :param at: epoch seconds.
    :param facts: the type's own fields, as named above.
    """

    type: EventType
    job: str
    title: str = ""
    at: float
    facts: dict[str, Any] = field(default_factory=dict)

    def to_document(self) -> dict[str, Any]:
        """The event as JSON-serialisable fields."""
        return {"type": self.type, "job": self.job, "title": self.title, "at": self.at, **self.facts}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Event:
        """Inverse of `to_document`."""
        known = {name: document[name] for name in ("type", "job", "title", "at")}
        facts = {name: value for name, value in document.items() if name not in known}
        return cls(**known, facts=facts)
