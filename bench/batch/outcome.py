"""What became of one project of the batch: built or not, after how long, and why not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from wheelyard.errors import (
    BuildFailed,
    ForeignOutputRefused,
    InfrastructureError,
    InputError,
    OutOfMemory,
    TimedOut,
    WheelyardError,
)

_RUST = re.compile(r"\b(cargo|rustc|rust|maturin|setuptools[-_]rust)\b", re.IGNORECASE)
_AFTER_THE_COMPILE = frozenset({"repair", "check", "test"})


class Reason(StrEnum):
    """Why a project was not built, in the words of the table."""

    NONE = ""
    PACKAGE = "a Debian package is missing"
    PART = "something is missing that no Debian package was named for"
    RUST = "it needs Rust"
    LIMIT = "more time or memory than a build has"
    REQUIREMENT = "a requirement can't be had"
    METADATA = "it does not say what it needs to be built"
    WHEEL = "the wheel does not pass its checks"
    COMPILE = "the compile fails for another reason"
    SERVICE = "the service failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One project, asked for by itself with all that it needs.

    :param requirement: its pin.
    :param failed: the wheel that could not be made, such as `cffi 2.1.1`; empty where none failed.
    :param missing: Debian packages that would bring what was missing, the likeliest first.
    :param error: the first error, as the service names it.
    :param seconds: from the request to the end; what an earlier project had needed, too, was a hit.
    :param made: how many wheels were made.
    :param pure: its wheel has no machine code in it, though its project ships such wheels.
    :param day: of the measurement, ISO 8601.
    """

    requirement: str
    reason: Reason = Reason.NONE
    failed: str = ""
    missing: tuple[str, ...] = ()
    error: str = ""
    seconds: float
    made: int = 0
    pure: bool = False
    day: str

    @property
    def project(self) -> str:
        """Its name."""
        return self.requirement.partition("==")[0]

    @property
    def built(self) -> bool:
        """Whether it was built."""
        return self.reason is Reason.NONE

    @property
    def whole(self) -> bool:
        """Whether it was built with its compiled part."""
        return self.built and not self.pure

    def to_document(self) -> dict[str, Any]:
        """The outcome as JSON-serialisable fields."""
        return {**asdict(self), "missing": list(self.missing)}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Outcome:
        """Inverse of `to_document`."""
        fields = {**document, "reason": Reason(document["reason"]), "missing": tuple(document["missing"])}
        return cls(**fields)


def reason_of(error: WheelyardError) -> Reason:
    """The class of an error, by what the service says of it."""
    facts = error.facts
    phase = str(facts.get("phase", "")).partition(" ")[0]
    text = f"{facts.get('first_error', '')} {error.found} {error.failed}"
    signs = (
        (Reason.LIMIT, isinstance(error, TimedOut | OutOfMemory)),
        (Reason.SERVICE, isinstance(error, InfrastructureError)),
        (Reason.RUST, bool(_RUST.search(text))),
        (Reason.PACKAGE, bool(facts.get("packages"))),
        (Reason.PART, bool(facts.get("missing_kind"))),
        (Reason.REQUIREMENT, isinstance(error, InputError)),
        (Reason.METADATA, phase == "resolve"),
        (Reason.WHEEL, isinstance(error, ForeignOutputRefused) or phase in _AFTER_THE_COMPILE),
        (Reason.COMPILE, isinstance(error, BuildFailed)),
    )
    return next((reason for reason, shown in signs if shown), Reason.SERVICE)
