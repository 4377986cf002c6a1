"""Why a wheel was built: which build went before it, and what changed since."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from packaging.version import InvalidVersion, Version

from wheelyard.key_difference import Change, in_words, key_difference
from wheelyard.wheel_record import WheelRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildReason:
    """One build beside the build before it.

    :param record: of the build that is asked about.
    :param before: of the one that it is compared with; None where there is none.
    :param changes: what differs; empty where there is nothing to compare with.
    """

    record: WheelRecord
    before: WheelRecord | None
    changes: tuple[Change, ...]

    @classmethod
    def of(cls, record: WheelRecord, before: WheelRecord | None) -> BuildReason:
        """Compare two builds."""
        changes = () if before is None else key_difference(before.inputs, record.inputs)
        return cls(record=record, before=before, changes=changes)

    @property
    def text(self) -> str:
        """The reason as one sentence, without a full stop at its end."""
        inputs, before = self.record.inputs, self.before
        this = f"{inputs.project} {inputs.version}"
        if before is None:
            return f"{this} was built because there was no build of {inputs.project} before it"
        if before.key == self.record.key:
            return f"{this} was built once with these inputs: both keys are the same"
        if before.inputs.version == inputs.version:
            return f"{this} was built again because {in_words(self.changes)}"
        return (
            f"{this} differs from {inputs.project} {before.inputs.version} in this: {in_words(self.changes)}"
        )


def newest_build(records: Iterable[WheelRecord], version: str, toolchain: str = "") -> WheelRecord | None:
    """The build of a version that was published last, or None.

    :param version: in any spelling that PEP 440 takes for the same.
    :param toolchain: name of the only one that counts; empty for any.
    """
    try:
        wanted = Version(version)
    except InvalidVersion:
        return None
    fitting = [
        record
        for record in records
        if _order(record.inputs.version) == wanted and toolchain in ("", record.toolchain)
    ]
    return max(fitting, key=lambda record: (record.published_at, record.key), default=None)


def build_before(record: WheelRecord, records: Iterable[WheelRecord]) -> WheelRecord | None:
    """The earlier build that tells most about this one, or None.

    One of the same toolchain and variant goes before others, then one of the same version, then the version
    before it; of equal ones it is the one that was published last.

    :param records: builds of the same project, in any order.
    """
    earlier = [
        other
        for other in records
        if other.key != record.key
        and other.published_at <= record.published_at
        and _order(other.inputs.version) <= _order(record.inputs.version)
    ]
    return max(earlier, key=lambda other: _nearness(record, other), default=None)


def _nearness(record: WheelRecord, other: WheelRecord) -> tuple[Any, ...]:
    return (
        other.toolchain == record.toolchain,
        other.inputs.variant == record.inputs.variant,
        _order(other.inputs.version),
        other.published_at,
        other.key,
    )


def _order(version: str) -> Version:
    try:
        return Version(version)
    except InvalidVersion:
        return Version("0")
