"""What the smoke test said of an image: passed, left out, or not possible here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from wheelyard.digests import Digest
from wheelyard.store.contract import Store

PLACE = "records/smoke/"
"""Verdicts in the store, `IMAGE/ORDER.json`."""


class SmokeState(StrEnum):
    """How it ended; an image that failed is published nowhere, and has no verdict."""

    PASSED = "passed"
    SKIPPED = "skipped"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True, kw_only=True)
class SmokeVerdict:
    """The verdict on one image. It holds no time and no host: equal images have equal ones.

    :param reason: why it was not run; empty where it was.
    :param passed: what was tried, in order: `import numpy`, `the image's own check`.
    :param notes: what would not work, and is not counted: a script of a wheel without an interpreter.
    """

    state: SmokeState
    reason: str = ""
    passed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.state is SmokeState.PASSED:
            return f"passed: {len(self.passed)} things tried"
        return f"{self.state}: {self.reason}"

    def to_document(self) -> dict[str, Any]:
        """The verdict as JSON-serialisable fields."""
        return {
            "state": self.state.value,
            "reason": self.reason,
            "passed": list(self.passed),
            "notes": list(self.notes),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> SmokeVerdict:
        """Inverse of `to_document`."""
        return cls(
            state=SmokeState(document["state"]),
            reason=document["reason"],
            passed=tuple(document["passed"]),
            notes=tuple(document["notes"]),
        )


SKIPPED = SmokeVerdict(state=SmokeState.SKIPPED, reason="the image was asked for without one")

UNTRIED = SmokeVerdict(state=SmokeState.NOT_RUN, reason="nobody has tried it here")


def verdict_document(image: Digest, order: str) -> str:
    """Name of the verdict on an image in the store.

    :param image: image id.
    :param order: key of what was tried; by another order it is another verdict.
    """
    return f"{PLACE}{image.hex}/{order[:32]}.json"


def find_verdict(store: Store, image: Digest) -> SmokeVerdict:
    """The verdict on an image that tried the most of it.

    :param image: image id.
    :returns: `UNTRIED` where there is none: its test was left out, or could not be run.
    """
    found = []
    for name in store.list_documents(f"{PLACE}{image.hex}/"):
        body = store.get_document(name)
        if body is not None:
            found.append(SmokeVerdict.from_document(json.loads(body)))
    return max(found, key=lambda verdict: len(verdict.passed), default=UNTRIED)
