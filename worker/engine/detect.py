"""Which container engine is there: the one that the settings name, or the first that works."""

from __future__ import annotations

from typing import assert_never

from wheelyard.errors import EngineFailed
from wheelyard.settings import Settings
from worker.engine.command import CommandEngine
from worker.engine.contract import Engine
from worker.engine.traits import detect_docker, detect_podman


def detect_engine(settings: Settings) -> Engine:
    """The engine that the settings ask for; `auto` takes podman, or else docker.

    :raises EngineFailed: there is none that works; the text says of each why.
    """
    match settings.engine:
        case "podman":
            return CommandEngine(detect_podman())
        case "docker":
            return CommandEngine(detect_docker())
        case "auto":
            refusals = []
            for detect in (detect_podman, detect_docker):
                try:
                    return CommandEngine(detect())
                except EngineFailed as error:
                    refusals.append(f"{error.failed}{': ' + error.found if error.found else ''}")
            raise EngineFailed(
                "no container engine works on this machine",
                expected="podman, or docker with a running daemon",
                found="; ".join(refusals),
                do="install podman and runc (`apt-get install podman runc`), then see `wheelyard doctor`",
            )
        case _:  # pragma: no cover
            assert_never(settings.engine)
