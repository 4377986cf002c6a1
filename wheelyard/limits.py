"""Limits of one build: memory, cores, processes, disk and time, as settings and askers set them."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from wheelyard.errors import InputError
from wheelyard.jobs.states import Job
from wheelyard.settings import Settings

_SIZE = re.compile(r"(?P<number>\d{1,18}(\.\d{1,18})?)\s*(?P<unit>[KMGT]?)(i?B)?", re.IGNORECASE)
_TIME = re.compile(r"(?P<number>\d{1,18}(\.\d{1,18})?)\s*(?P<unit>s|m|min|h)?", re.IGNORECASE)
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600}
_SMALLEST = 1 << 26
_LARGEST = 1 << 50


def parse_size(text: str) -> int:
    """Bytes out of a number with a binary unit: `512M`, `4G`, `1.5GiB`, `1048576`.

    :raises ValueError: it is no size.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError("a size is a number of bytes, or one with K, M, G or T such as 4G")
    return int(float(found["number"]) * _UNITS[found["unit"].upper()])


def parse_seconds(text: str) -> int:
    """Seconds out of a number with a unit: `90`, `90s`, `30m`, `2h`.

    :raises ValueError: it is no time.
    """
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise ValueError("a time is a number of seconds, or one with s, m or h such as 2h")
    return int(float(found["number"]) * _SECONDS[(found["unit"] or "s").lower()])


def _size_of(value: object) -> object:
    return parse_size(value) if isinstance(value, str) else value


def _seconds_of(value: object) -> object:
    return parse_seconds(value) if isinstance(value, str) else value


# What a document may hold, for its JSON schema: the number, or the text that stands for it.
_SizeInput = (
    Annotated[int, Field(ge=_SMALLEST, le=_LARGEST)]
    | Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)? ?[KMGTkmgt]?(i?[Bb])?$")]
)
_TimeInput = (
    Annotated[int, Field(ge=1, le=30 * 86400)]
    | Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)? ?(s|m|min|h)?$")]
)
Size = Annotated[
    int, BeforeValidator(_size_of, json_schema_input_type=_SizeInput), Field(ge=_SMALLEST, le=_LARGEST)
]
Time = Annotated[
    int, BeforeValidator(_seconds_of, json_schema_input_type=_TimeInput), Field(ge=1, le=30 * 86400)
]


class AskedLimits(BaseModel):
    """`[limits]` of a recipe or toolchain, or a request's `limits`; what is left out is not asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    memory: Size | None = Field(None, description="Memory, files in the container included: bytes, or `4G`.")
    cpus: float | None = Field(None, gt=0, le=4096, description="Cores at the most.")
    pids: int | None = Field(None, ge=64, le=1 << 22, description="Processes and threads.")
    disk: Size | None = Field(None, description="Space for sources and objects: bytes, or `20G`.")
    seconds: Time | None = Field(None, description="Time of the compile: seconds, or `2h`.")

    def to_document(self) -> dict[str, Any]:
        """What is asked, as JSON-serialisable fields."""
        return self.model_dump(exclude_none=True)


NOTHING_ASKED = AskedLimits.model_validate({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one build may use. No input of its key: more memory makes no other bytes.

    :param memory: in bytes; files in the container count, since they lie in memory.
    :param cpus: cores at the most; 0 means as many as the worker gives.
    :param pids: processes and threads.
    :param disk: size of the folder that it is built in, in bytes.
    :param seconds: that the compile may take.
    """

    memory: int
    cpus: float
    pids: int
    disk: int
    seconds: int

    @classmethod
    def of(cls, settings: Settings, *asked: AskedLimits) -> Limits:
        """The settings' limits, and over them what was asked; the later one wins, field by field."""
        found: dict[str, Any] = {
            "memory": settings.build_memory,
            "cpus": 0.0,
            "pids": settings.build_pids,
            "disk": settings.build_disk,
            "seconds": settings.build_timeout,
        }
        for one in asked:
            found |= one.to_document()
        return cls(**found)

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Limits:
        """Inverse of `to_document`."""
        return cls(**document)

    def to_document(self) -> dict[str, Any]:
        """The limits as JSON-serialisable fields."""
        return asdict(self)


def limits_of(job: Job, settings: Settings) -> Limits:
    """A wheel job's limits, as its spec carries them."""
    found = job.spec.get("limits")
    return Limits.from_document(found) if found else Limits.of(settings)


def check_ceiling(asked: AskedLimits, settings: Settings) -> AskedLimits:
    """The same limits, where a request may ask for them.

    Recipes and toolchains are the team's own files and may say more.

    :raises InputError: one is above what the settings allow; the message names it and the ceiling.
    """
    for name, default, ceiling, unit in (
        ("memory", settings.build_memory, settings.max_build_memory, "bytes"),
        ("disk", settings.build_disk, settings.max_build_disk, "bytes"),
        ("seconds", settings.build_timeout, settings.max_build_timeout, "seconds"),
    ):
        wanted, highest = getattr(asked, name) or 0, max(default, ceiling)
        if wanted > highest:
            variable = "TIMEOUT" if name == "seconds" else name.upper()
            raise InputError(
                f"the request's limit of {name} is above what this service allows",
                expected=f"at most {highest} {unit}",
                found=f"{wanted} {unit}",
                do=f"ask for less, or raise WHEELYARD_MAX_BUILD_{variable} of the service",
                limit=name,
                ceiling=highest,
            )
    return asked
