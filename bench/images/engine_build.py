"""The engine's way: a Dockerfile of two stages that installs the same wheels from a folder."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.images.ours import Ours
from wheelyard.answers import BuiltWheel
from wheelyard.settings import read_settings
from wheelyard.toolchains import get_toolchain
from worker.comparison.base_image import ensure_base
from worker.comparison.engine_images import EngineImages
from worker.comparison.workplace import open_workplace
from worker.debian.mirror import find_mirror
from worker.engine.command import CommandEngine
from worker.engine.traits import detect_docker, detect_podman

DOCKERFILE = """\
ARG BASE
FROM ${BASE} AS builder
RUN python3 -m venv /venv
COPY requirements.txt /
COPY wheels /wheels
RUN /venv/bin/pip install --quiet --no-cache-dir --no-index --find-links /wheels -r /requirements.txt

FROM ${BASE}
COPY --from=builder /venv /venv
ENV PATH=/venv/bin:/usr/local/bin:/usr/bin:/bin
USER 1000:1000
CMD ["python3"]
"""


class EngineBuild:
    """Builds that Dockerfile; its layers below stay from one build to the next, as they do for anybody.

    :param base: what both stages begin from.
    :param folder: the build context.
    """

    def __init__(self, images: EngineImages, base: str, folder: Path, run: str) -> None:
        self._images = images
        self._base = base
        self._folder = folder
        self._run = run
        self._dockerfile = folder.parent / "Dockerfile"
        self._dockerfile.write_text(DOCKERFILE, "utf-8")

    def build(self, own: Ours, wheels: Sequence[BuiltWheel]) -> float:
        """Seconds of one build; the wheels are at hand before the clock starts."""
        place = self._folder / "wheels"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        for wheel in wheels:
            own.wheel(wheel, place)
        lines = "".join(f"{wheel.project}=={wheel.version}\n" for wheel in wheels)
        (self._folder / "requirements.txt").write_text(lines, "utf-8")
        began = time.monotonic()
        self._images.build(self._folder, self._dockerfile, "bench", self._run, {"BASE": self._base}, {})
        return time.monotonic() - began


@contextmanager
def engine_build(place: Path, toolchain: str) -> Iterator[EngineBuild]:
    """The engine with the base, and nothing built on it yet; all that is built is gone at the end.

    :param place: folder for the build context.
    :param toolchain: whose release and Python the base has.
    """
    settings = read_settings()
    engine = CommandEngine(detect_docker() if settings.engine == "docker" else detect_podman())
    with open_workplace(place) as work:
        images = EngineImages(engine, work.run, work.folder)
        try:
            found = get_toolchain(toolchain, settings.toolchains_dir)
            base = ensure_base(images, found, find_mirror(settings), work.folder, print)
            context = work.folder / "context"
            context.mkdir()
            yield EngineBuild(images, base, context, work.run)
        finally:
            images.remove_all()
