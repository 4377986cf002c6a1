"""A program that the stack runs: its command line, its surroundings, and when it ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path


class Stage(IntEnum):
    """Who ends before whom; the number is the order."""

    WORKERS = 0
    FRONT = 1
    SERVERS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One program under the supervisor.

    :param name: what lines and log files call it.
    :param argv: no shell reads it.
    :param environment: what is added to this process's own environment.
    :param cwd: the folder that it runs in.
    :param stage: when it ends.
    :param end_seconds: that it may take to end, where that is longer than its stage allows.
    """

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    cwd: Path
    stage: Stage = Stage.FRONT
    end_seconds: float = 0.0
