"""The engines that the contracts are held against, as far as they work on this machine."""

from __future__ import annotations

import pytest

from wheelyard.errors import EngineFailed
from worker.engine.command import CommandEngine
from worker.engine.traits import detect_docker, detect_podman

KINDS = ("podman", "docker")


def open_engine(kind: str) -> CommandEngine:
    """The engine of a kind; the test is skipped where it does not work."""
    detect = {"podman": detect_podman, "docker": detect_docker}[kind]
    try:
        return CommandEngine(detect())
    except EngineFailed as error:
        pytest.skip(f"{kind} does not work here: {error.failed}")
