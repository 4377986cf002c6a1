"""One image of a comparison: how it is made, now and after a requirement changed."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from wheelyard.comparison.order import OURS
from wheelyard.errors import InfrastructureError
from wheelyard.process import run_command
from worker.comparison.engine_images import REPOSITORY, EngineImages

_OURS_SECONDS = 6 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """An image that is in the engine.

    :param image: its name there.
    :param remark: what has to be said of how it was made.
    """

    image: str
    remark: str = ""


class Contestant(Protocol):
    """Makes one kind of image of an application."""

    name: str

    def make(self, app: Path, tag: str) -> Made:
        """Make the image and bring it into the engine, as its user would.

        :param app: folder of the application.
        :param tag: of the image.
        """


class DockerfileImage:
    """An image that the engine builds by a Dockerfile.

    :param dockerfile: its path below the application's folder, or a whole path elsewhere.
    :param base: image that `${BASE}` stands for.
    :param secrets: id to file, for the build only.
    """

    def __init__(
        self, name: str, dockerfile: Path, images: EngineImages, base: str, secrets: Mapping[str, Path]
    ) -> None:
        self.name = name
        self._dockerfile = dockerfile
        self._images = images
        self._base = base
        self._secrets = secrets

    def make(self, app: Path, tag: str) -> Made:
        """See `Contestant.make`."""
        dockerfile, arguments = app / self._dockerfile, {"BASE": self._base}
        image = self._images.build(app, dockerfile, self.name, tag, arguments, self._secrets)
        return Made(image=image)


class OurImage:
    """Our image: `wheelyard image`, as anybody would call it.

    :param spec: its path below the application's folder.
    :param engine: into which it is loaded.
    """

    name = OURS

    def __init__(self, spec: Path, engine: str, toolchain: str, channel: str) -> None:
        self._spec = spec
        self._engine = engine
        self._options = ("--toolchain", toolchain, "--channel", channel)

    def make(self, app: Path, tag: str) -> Made:
        """See `Contestant.make`."""
        name = f"{REPOSITORY}/{self.name}:{tag}"
        said = run_command(
            [
                *(
                    sys.executable,
                    "-m",
                    "wheelyard",
                    "image",
                    "--spec",
                    str(app / self._spec),
                    *self._options,
                ),
                *("--load", "--engine", self._engine, "--tag", name, "--progress", "json"),
            ],
            timeout=_OURS_SECONDS,
            failure=InfrastructureError,
        )
        return Made(image=name, remark=_remark(said))


def _remark(said: str) -> str:
    """How many wheels came from the cache, of what the command said."""
    for line in reversed(said.splitlines()):
        try:
            event: Any = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and event.get("type") == "result":
            wheels = ((event.get("result") or {}).get("build") or {}).get("wheels") or []
            hits = sum(bool(wheel.get("hit")) for wheel in wheels)
            return f"{hits} of {len(wheels)} wheels from the cache" if wheels else ""
    return ""
