"""The health check of an image: a command that an engine runs in the container again and again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """What is run, and how often; no shell reads the words.

    :param test: program and arguments; status 0 means healthy.
    :param interval: seconds between two runs.
    :param timeout: seconds that one may take.
    :param start_period: seconds after the start in which failures do not count.
    :param retries: failures in a row that make the container unhealthy.
    """

    test: tuple[str, ...]
    interval: float = 30.0
    timeout: float = 30.0
    start_period: float = 0.0
    retries: int = 3

    def to_document(self) -> dict[str, Any]:
        """The check as JSON-serialisable fields."""
        return {
            "test": list(self.test),
            "interval": self.interval,
            "timeout": self.timeout,
            "start_period": self.start_period,
            "retries": self.retries,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> HealthCheck:
        """Inverse of `to_document`."""
        return cls(**{**document, "test": tuple(document["test"])})

    def to_config(self) -> dict[str, Any]:
        """The field `Healthcheck` of docker's image config: times are in nanoseconds."""
        return {
            "Test": ["CMD", *self.test],
            "Interval": round(self.interval * _NANOSECONDS),
            "Timeout": round(self.timeout * _NANOSECONDS),
            "StartPeriod": round(self.start_period * _NANOSECONDS),
            "Retries": self.retries,
        }
