"""One event of a job: what happened, where and when; it knows nothing of the stream that carries it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

EventType = Literal["state", "phase", "step", "line", "wheel", "plan", "node", "done"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened in a job.

    :param type: `state` {state}, `phase` {name}, `step` {done, total, text}, `line` {text}, or
        {text, skipped} for lines that are only in the kept log, `wheel` {filename, digest, size, hit},
        `plan` {nodes, standings} when it is made, `node` {id, standing, reason} of it when that changed,
        `done` {state, result or error}.
    :param job: id of the job that it happened in; a parent's stream carries its children's events, too.
    :param title: that job's title, for instance `numpy 2.4.6`.
    :param at: epoch seconds.
    :param seq: its number within the job, which grows over all attempts; who saw one saw all below it.
        0 for what no worker said, such as what the service tells of a job while Redis is out.
    :param facts: the type's own fields, as named above.
    """

    type: EventType
    job: str
    title: str = ""
    at: float
    seq: int = 0
    facts: dict[str, Any] = field(default_factory=dict)

    def to_document(self) -> dict[str, Any]:
        """The event as JSON-serialisable fields."""
        numbered = {"seq": self.seq} if self.seq else {}
        return {
            "type": self.type, "job": self.job, "title": self.title, "at": self.at, **numbered, **self.facts,
        }  # fmt: skip

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Event:
        """Inverse of `to_document`."""
        known = {name: document[name] for name in ("type", "job", "title", "at")}
        facts = {name: value for name, value in document.items() if name not in known and name != "seq"}
        return cls(**known, seq=int(document.get("seq", 0)), facts=facts)


class Seen:
    """What a listener saw already, told by the numbers of each job's events.

    A stream that was lost and said again brings events twice, and a listener that connects again may, too.
    """

    def __init__(self, last: Mapping[str, int] | None = None) -> None:
        self._last = dict(last or {})

    def is_new(self, event: Event) -> bool:
        """Whether an event was not seen before; from now on it was. One without a number is always new."""
        if event.seq and event.seq <= self._last.get(event.job, 0):
            return False
        if event.seq:
            self._last[event.job] = event.seq
        return True
