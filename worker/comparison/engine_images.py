"""The images that a comparison makes in the container engine, and all of them gone afterwards."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

from wheelyard.errors import EngineFailed
from wheelyard.process import run_command
from worker.comparison.marked_stages import mark_stages
from worker.engine.command import CommandEngine
from worker.engine.options import USER

LABEL = "wheelyard.comparison"
REPOSITORY = "localhost/wheelyard-compare"
"""Below which every image of a comparison is named; no registry is asked for it."""

_ASK_SECONDS = 60.0
_BUILD_SECONDS = 3 * 3600.0
_MOVE_SECONDS = 1800.0
_RUN_SECONDS = 600.0


class EngineImages:
    """One comparison's images: each stage of them carries its id, so that all of them are found.

    :param engine: the docker or podman command.
    :param run: id of the comparison.
    :param folder: for files that are needed for a moment.
    """

    def __init__(self, engine: CommandEngine, run: str, folder: Path) -> None:
        self.engine = engine
        self._run = run
        self._folder = folder

    def has(self, name: str) -> bool:
        """Whether the engine has an image of that name."""
        return bool(self._ask("images", "--quiet", name).split())

    def pull(self, name: str) -> None:
        """Pull an image by name, from wherever the engine looks for it."""
        self._ask("pull", "--quiet", name, seconds=_MOVE_SECONDS)

    def load_tree(self, tar: Path, name: str, changes: Sequence[str]) -> None:
        """Make an image of one layer of a root file system.

        :param changes: Dockerfile instructions of its config.
        """
        options = [word for change in changes for word in ("--change", change)]
        self._ask("import", *options, str(tar.absolute()), name, seconds=_MOVE_SECONDS)

    def build(
        self,
        folder: Path,
        dockerfile: Path,
        contestant: str,
        tag: str,
        arguments: Mapping[str, str],
        secrets: Mapping[str, Path],
    ) -> str:
        """Build a Dockerfile; returns the image's name. Only what was built for this contestant fits on it.

        :param folder: the build context.
        :param arguments: of the build.
        :param secrets: id to file; they are in no layer.
        :raises EngineFailed: the build failed; its last words are in it.
        """
        traits, name = self.engine.traits, f"{REPOSITORY}/{contestant}:{tag}"
        marked = self._folder / f"{contestant}.Dockerfile"
        labels = {LABEL: self._run, f"{LABEL}.image": contestant}
        marked.write_text(mark_stages(dockerfile.read_text("utf-8"), labels), "utf-8")
        ignored = dockerfile.with_name(f"{dockerfile.name}.dockerignore")
        if ignored.is_file():
            shutil.copyfile(ignored, marked.with_name(f"{marked.name}.dockerignore"))
        # What is served on loopback, an index for instance, is reached from the machine's own network only.
        words = ["build", "--network", "host", "--file", str(marked.absolute()), "--tag", name]
        words += [word for key, value in arguments.items() for word in ("--build-arg", f"{key}={value}")]
        words += [
            word
            for key, place in secrets.items()
            for word in ("--secret", f"id={key},src={place.absolute()}")
        ]
        words += _ulimits(traits.run_options)
        if traits.name == "podman":
            # Podman's own default is a format in which a health check has no place.
            words += ["--format", "docker"]
        self._ask(*words, str(folder.absolute()), seconds=_BUILD_SECONDS)
        return name

    def save(self, name: str, archive: Path) -> None:
        """Write an image as a docker archive."""
        options = self.engine.traits.save_options
        self._ask("save", *options, "--output", str(archive.absolute()), name, seconds=_MOVE_SECONDS)

    def run(self, name: str, mounts: Mapping[Path, str], *, writable: bool) -> str:
        """Run an image's own entry point, as closed as can be; returns its standard output.

        :param mounts: folder of this machine to path in the container.
        :param writable: whether it may write to them.
        """
        words = [
            *("run", "--rm", "--pull", "never", "--network", "none", "--read-only", "--cap-drop", "all"),
            *("--security-opt", "no-new-privileges", "--pids-limit", "512", "--memory", "2g"),
            *("--user", USER, "--tmpfs", "/tmp:size=256m,mode=1777"),  # noqa: S108 - a path inside the container
            *self.engine.traits.run_options,
        ]
        access = "" if writable else ",readonly"
        for source, target in mounts.items():
            words += ["--mount", f"type=bind,source={source.absolute()},target={target}{access}"]
        return self._ask(*words, name, seconds=_RUN_SECONDS)

    def remove(self, contestant: str, tags: Iterable[str]) -> None:
        """Remove a contestant's images by name; one that is not there is fine."""
        for tag in tags:
            self._remove(f"{REPOSITORY}/{contestant}:{tag}")

    def remove_all(self) -> bool:
        """Remove every image of this comparison, also those without a name; says whether none is left."""
        label = f"label={LABEL}={self._run}"
        # What has children can't go before them.
        before: list[str] = []
        while found := self._ask("images", "--all", "--quiet", "--no-trunc", "--filter", label).split():
            if found == before:
                return False
            for image in dict.fromkeys(found):
                self._remove(image)
            before = found
        return True

    def _remove(self, name: str) -> None:
        with suppress(EngineFailed):
            self._ask("rmi", "--force", name, seconds=_MOVE_SECONDS)

    def _ask(self, *words: str, seconds: float = _ASK_SECONDS) -> str:
        command = [*self.engine.traits.command, *words]
        return run_command(command, timeout=seconds, failure=EngineFailed)


def _ulimits(options: Sequence[str]) -> list[str]:
    """Of the options that every container needs here, those that a build takes, too."""
    pairs = pairwise(options)
    return [word for option, value in pairs if option == "--ulimit" for word in (option, value)]
