"""Ours: a stack of its own in a folder that is kept, and images asked of it as a client asks."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.builds.ours import BenchStack
from bench.images.stored import Bucket
from examples.demo.commands import show
from examples.demo.failure import DemoFailed
from examples.demo.stack import WHEELYARD
from wheelyard.answers import BuildResult, BuiltWheel, ImageAnswer, JobAnswer
from wheelyard.client import Client
from wheelyard.requirements import normalise_requirements

_LOOK_SECONDS = 0.02
_JOB_SECONDS = 3 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One image that was asked for.

    :param seconds: from the request to the answer that it is there.
    :param image: what was made.
    :param wheels: that are in it.
    """

    seconds: float
    image: ImageAnswer
    wheels: tuple[BuiltWheel, ...]


class Ours:
    """A running stack.

    :param toolchain: of every request.
    :param bucket: the stack's store.
    """

    def __init__(self, stack: BenchStack, client: Client, toolchain: str) -> None:
        self._stack = stack
        self._client = client
        self._toolchain = toolchain
        self.bucket = Bucket(stack.folder)
        # Two requests that are equal are one; another label is another image.
        self._drawn = f"{time.time():.0f}"
        self._count = 0

    @property
    def registry(self) -> str:
        """Host and port of its registry."""
        return self._stack.url.partition("://")[2]

    def build(self, requirements: Sequence[str]) -> tuple[BuiltWheel, ...]:
        """Build what is missing of a set, with the command; gives the wheels."""
        show(
            [WHEELYARD, "build", *requirements, "--toolchain", self._toolchain, "--progress", "plain"],
            self._stack.environment,
        )
        ended = self._end(self._client.build(self._request(requirements)))
        return BuildResult.from_document(ended.result or {}).wheels

    def upload(self, sdists: Sequence[Path]) -> None:
        """Put sdists into the channel, where builds find them."""
        for sdist in sdists:
            self._client.upload_sdist(sdist)

    def wheel(self, wheel: BuiltWheel, folder: Path) -> None:
        """Write a wheel's file into a folder."""
        with (folder / wheel.filename).open("wb") as target, self._client.blob(wheel.digest) as chunks:
            target.writelines(chunks)

    def image(self, requirements: Sequence[str], **more: Any) -> Asked:
        """Ask for an image that nobody asked for before, and wait until it is there.

        :param more: further fields of the request.
        """
        self._count += 1
        label = {"bench": f"{self._drawn}-{self._count}"}
        request = {**self._request(requirements), "labels": label, "smoke_test": False, **more}
        began = time.monotonic()
        ended = self._end(self._client.image(request))
        seconds = time.monotonic() - began
        result: Mapping[str, Any] = ended.result or {}
        return Asked(
            seconds=seconds,
            image=ImageAnswer.from_document(result["image"]),
            wheels=BuildResult.from_document(result["build"]).wheels,
        )

    def command(self, requirements: Sequence[str], *options: str) -> float:
        """Seconds of `wheelyard image`, until the image is in the engine."""
        self._count += 1
        words = ["--toolchain", self._toolchain, "--label", f"bench={self._drawn}-{self._count}", *options]
        began = time.monotonic()
        show([WHEELYARD, "image", *requirements, *words, "--progress", "plain"], self._stack.environment)
        return time.monotonic() - began

    def _request(self, requirements: Sequence[str]) -> dict[str, Any]:
        return {"requirements": list(normalise_requirements(requirements)), "toolchain": self._toolchain}

    def _end(self, job: JobAnswer) -> JobAnswer:
        limit = time.monotonic() + _JOB_SECONDS
        while not job.ended:
            if time.monotonic() > limit:
                raise DemoFailed(f"{job.title} did not end")
            time.sleep(_LOOK_SECONDS)
            job = self._client.job(job.id)
        if not job.succeeded:
            raise DemoFailed(f"{job.title} ended as {job.state}", str(job.failure()))
        return job


@contextmanager
def ours(folder: Path, toolchain: str) -> Iterator[Ours]:
    """A stack over a folder, with its toolchain; what an earlier run left there is found again."""
    folder.mkdir(parents=True, exist_ok=True)
    stack = BenchStack(folder, {})
    try:
        stack.start()
        with stack.client() as client:
            if not client.toolchain(toolchain)["image"]:
                show([WHEELYARD, "toolchain", "build", toolchain], stack.environment)
            yield Ours(stack, client, toolchain)
    finally:
        stack.end()
