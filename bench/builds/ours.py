"""Ours: `wheelyard build` on a stack of its own with one worker."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.builds.figures import AGAIN, CHANGED, COLD, PLANNED, WARM, Figure
from bench.builds.mirror import Pin
from examples.demo.commands import show
from examples.demo.stack import WHEELYARD, Stack
from wheelyard.client import Client

_MOST_JOBS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """One run of the command.

    :param seconds: from its start to its end.
    :param made: wheels that were made in it, those for builds, too.
    :param wheels: the set's own, as the job's result has them.
    """

    seconds: float
    made: int
    wheels: tuple[Mapping[str, Any], ...]

    def figure(self, course: str, situation: str) -> Figure:
        """The same as a figure."""
        return Figure(
            who="wheelyard",
            course=course,
            situation=situation,
            seconds=round(self.seconds, 2),
            made=self.made,
        )

    def key_of(self, project: str) -> str:
        """The build key of one of the wheels."""
        return next(str(wheel["build_key"]) for wheel in self.wheels if wheel["project"] == project)


class BenchStack(Stack):
    """A stack with more settings.

    :param settings: variables without their `WHEELYARD_`.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        super().__init__(folder)
        self._settings = {f"WHEELYARD_{name}": value for name, value in settings.items()}

    @property
    def environment(self) -> dict[str, str]:
        """As the stack's own, with the settings."""
        return {**super().environment, **self._settings}


class Ours:
    """A running stack, and the recipes that change what it builds.

    :param recipes: the team's folder, which the stack reads.
    """

    def __init__(self, stack: Stack, client: Client, toolchain: str, recipes: Path) -> None:
        self._stack = stack
        self._client = client
        self._toolchain = toolchain
        self._recipes = recipes

    def build(self, pins: Sequence[Pin], course: str, *options: str) -> Built:
        """Build a set with the command.

        :param course: `wheels` or `source`: how the build requirements are come by.
        """
        words = [f"{pin.project}=={pin.version}" if pin.version else pin.project for pin in pins]
        words += ["--toolchain", self._toolchain, "--build-deps", course, "--progress", "plain", *options]
        began, moment = time.monotonic(), time.time()
        show([WHEELYARD, "build", *words], self._stack.environment)
        seconds = time.monotonic() - began
        jobs = self._client.jobs(_MOST_JOBS)
        # The newest build: nobody else asks this stack.
        result = next(job for job in jobs if job.kind == "build").result or {}
        made = [job for job in jobs if job.kind == "wheel" and job.succeeded and job.ended_at > moment]
        return Built(seconds=seconds, made=len(made), wheels=tuple(result["wheels"]))

    def measure(self, pins: Sequence[Pin], course: str, changed: Path) -> list[Figure]:
        """The set in all situations, from a store that has nothing of it.

        :param changed: constraints that put a build requirement in another version.
        """
        found = [
            self.build(pins, course).figure(course, COLD),
            # Answered from the request before: nothing is planned.
            self.build(pins, course).figure(course, AGAIN),
            self.build(pins, course, "--refresh").figure(course, PLANNED),
            self.build(pins, course, "--build-constraint", str(changed)).figure(course, CHANGED),
        ]
        self.change_keys([pin.project for pin in pins])
        found.append(self.build(pins, course, "--refresh").figure(course, WARM))
        return found

    def measure_alone(self, project: str) -> dict[str, dict[str, float]]:
        """Phases of one project's wheel in seconds, cold and with the compiler cache of that compile."""
        pin = Pin(project=project, version="")
        self.write_recipes([], "")
        cold = self._phases(self.build([pin], "wheels").key_of(project))
        self.change_keys([project])
        warm = self._phases(self.build([pin], "wheels", "--refresh").key_of(project))
        return {COLD: cold, WARM: warm}

    def change_keys(self, projects: Sequence[str]) -> None:
        """Let an input differ that changes no compile: a variable that nobody reads."""
        self.write_recipes(projects, '[environment]\nWHEELYARD_BENCH = "another key"\n')

    def write_recipes(self, projects: Sequence[str], text: str) -> None:
        """Let exactly these projects have a recipe of the team's."""
        shutil.rmtree(self._recipes, ignore_errors=True)
        self._recipes.mkdir(parents=True)
        for project in projects:
            (self._recipes / f"{project}.toml").write_text(text, "utf-8")

    def image(self) -> str:
        """Id of the image that the toolchain is in the engine."""
        found = {one["name"]: str(one["image"]) for one in self._client.toolchains()}
        return found[self._toolchain].removeprefix("sha256:")

    def _phases(self, build_key: str) -> dict[str, float]:
        record = self._client.record(build_key)
        if record is None:
            raise LookupError(f"the service has no record of {build_key}")
        return {phase: round(float(seconds), 2) for phase, seconds in record["seconds"].items()}


@contextmanager
def ours(
    folder: Path, toolchain: str, index: str = "", *, ready: Path | None = None, slots: int = 0
) -> Iterator[Ours]:
    """A stack in a folder, its toolchain ready.

    :param index: address of the upstream index; empty means pip's.
    :param ready: folder of a stack that has ended, with the toolchain and nothing else: a copy is begun with.
    :param slots: compiles at the same time; 0 leaves it to the worker.
    """
    if ready is not None:
        sockets = shutil.ignore_patterns("*.sock")
        shutil.copytree(ready / "data", folder / "data", symlinks=True, ignore=sockets)
    recipes = folder / "recipes"
    recipes.mkdir(parents=True, exist_ok=True)
    settings = {"COMPILE_SLOTS": str(slots), "RECIPES_DIR": str(recipes)}
    settings |= {"INDEX_URL": index} if index else {}
    stack = BenchStack(folder / "data", settings)
    try:
        stack.start()
        if ready is None:
            show([WHEELYARD, "toolchain", "build", toolchain], stack.environment)
        with stack.client() as client:
            yield Ours(stack, client, toolchain, recipes)
    finally:
        stack.end()
