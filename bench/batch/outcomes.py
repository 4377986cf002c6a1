"""The outcomes of all runs of the batch, in one JSON file: at the first try, and with shipped recipes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.batch.outcome import Outcome

ROUNDS = ("first", "recipes")
"""At the first try, when only numpy and OpenCV had recipes; and with the recipes that the batch led to."""


@dataclass(slots=True, kw_only=True)
class Outcomes:
    """What is known so far, by round and requirement.

    :param path: of the file; each outcome is kept as soon as it is known.
    """

    path: Path
    toolchain: str
    rounds: dict[str, dict[str, Outcome]] = field(default_factory=lambda: {name: {} for name in ROUNDS})

    @classmethod
    def read(cls, path: Path, toolchain: str) -> Outcomes:
        """What a file holds; of another toolchain it holds nothing that counts."""
        found = cls(path=path, toolchain=toolchain)
        if path.exists():
            document: dict[str, Any] = json.loads(path.read_text("utf-8"))
            if document["toolchain"] == toolchain:
                for name in ROUNDS:
                    for entry in document["rounds"].get(name, ()):
                        outcome = Outcome.from_document(entry)
                        found.rounds[name][outcome.requirement] = outcome
        return found

    def keep(self, round_name: str, outcome: Outcome) -> None:
        """Note an outcome, in the place of an older one of the same pin; what others noted stays."""
        self.rounds = Outcomes.read(self.path, self.toolchain).rounds
        self.rounds[round_name][outcome.requirement] = outcome
        self.path.write_text(json.dumps(self.to_document(), indent=1) + "\n", "utf-8")

    def to_document(self) -> dict[str, Any]:
        """All outcomes as JSON-serialisable fields."""
        rounds = {
            name: [outcome.to_document() for _, outcome in sorted(outcomes.items())]
            for name, outcomes in self.rounds.items()
        }
        return {"toolchain": self.toolchain, "rounds": rounds}

    def last(self, requirement: str) -> Outcome | None:
        """The outcome that holds now: with recipes where it was tried again, else the first one."""
        first = self.rounds["first"].get(requirement)
        again = self.rounds["recipes"].get(requirement)
        return again or first
