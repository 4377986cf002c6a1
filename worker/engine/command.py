"""The adapter for the docker and podman commands."""

from __future__ import annotations

import ipaddress
import json
import re
import secrets
import tarfile
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from wheelyard.digests import Digest
from wheelyard.errors import EngineFailed, InputError
from wheelyard.process import run_command
from worker.engine.cgroup import MemoryCounters
from worker.engine.container import CommandContainer
from worker.engine.contract import LABEL_JOB, LABEL_OWNER, ContainerSpec, LabelledContainer, ProgramSpec
from worker.engine.options import run_arguments
from worker.engine.program import CommandProgram
from worker.engine.traits import EngineTraits

ASK_TIMEOUT = 60.0
START_TIMEOUT = 180.0
LOAD_TIMEOUT = 1800.0
PULL_TIMEOUT = 3600.0
_SEEN_SECONDS = 60.0
_ID = re.compile(r"(sha256:)?[0-9a-f]{64}")
# Words of an engine for an image that is gone, or that is in use.
_STAYS = ("no such image", "image not known", "in use", "is being used", "is using")


class CommandEngine:
    """The docker or podman command as an `Engine`. Safe to use from any number of threads and processes.

    :param traits: what it needs on this machine.
    """

    def __init__(self, traits: EngineTraits) -> None:
        self.name: str = traits.name
        self.traits = traits
        self._seen: dict[str, float] = {}

    def has_image(self, image: str) -> bool:
        """As `worker.engine.contract.Engine.has_image`."""
        now = time.monotonic()
        if now - self._seen.get(image, float("-inf")) < _SEEN_SECONDS:
            return True
        # A list instead of a question for one image: a miss and an outage can't be confused.
        here = self._ask("images", "--all", "--quiet", "--no-trunc").split()
        self._seen = dict.fromkeys(here, now)
        return image in here

    def forget_images(self) -> None:
        """Look again at the next question for an image: somebody may have removed one."""
        self._seen = {}

    def load(self, archive: Path) -> str:
        """As `worker.engine.contract.Engine.load`.

        :raises InputError: the file is not a docker archive with one image.
        """
        image = str(config_digest(archive))
        self.forget_images()
        self._ask("load", "--quiet", "--input", str(archive.absolute()), timeout=LOAD_TIMEOUT)
        if not self.has_image(image):
            raise EngineFailed(
                f"{self.name} loaded an image under another id",
                expected=image,
                do="docker needs its classic image store here, not the containerd one",
            )
        return image

    def save(self, image: str, archive: Path) -> None:
        """As `worker.engine.contract.Engine.save`."""
        place = str(archive.absolute())
        self._ask("save", *self.traits.save_options, "--output", place, image, timeout=LOAD_TIMEOUT)

    def pull(self, reference: str) -> str:
        """As `worker.engine.contract.Engine.pull`."""
        if "@sha256:" not in reference or "/" not in reference:
            raise InputError("an image can't be pulled", expected="HOST/NAME@sha256:…", found=repr(reference))
        options = self.traits.loopback_pull_options if _on_loopback(reference) else ()
        said = self._ask("pull", "--quiet", *options, reference, timeout=PULL_TIMEOUT).split()
        if said and _ID.fullmatch(said[-1]):
            # Podman says the image's id, docker the reference.
            return str(Digest.parse(said[-1]))
        found = self._ask("image", "inspect", "--format", "{{.Id}}", reference).strip()
        return str(Digest.parse(found))

    def drop(self, reference: str) -> None:
        """As `worker.engine.contract.Engine.drop`."""
        try:
            self._ask("rmi", reference, timeout=START_TIMEOUT)
        except EngineFailed as error:
            found = error.found.lower()
            if not any(reason in found for reason in _STAYS):
                raise
        finally:
            self.forget_images()

    def program(self, spec: ProgramSpec) -> ProgramCommand:
        """As `worker.engine.contract.Engine.program`."""
        return ProgramCommand(self, spec)

    def start(self, spec: ContainerSpec) -> CommandHandle:
        """As `worker.engine.contract.Engine.start`."""
        return CommandHandle(self, spec)

    def containers(self) -> Sequence[LabelledContainer]:
        """As `worker.engine.contract.Engine.containers`."""
        job, owner = (self.traits.label_template % label for label in (LABEL_JOB, LABEL_OWNER))
        lines = self._ask(
            "ps", "--all", "--no-trunc", "--filter", f"label={LABEL_JOB}", "--format",
            f"{{{{.ID}}}}\t{job}\t{owner}",
        )  # fmt: skip
        fields = (line.split("\t") for line in lines.splitlines())
        return [LabelledContainer(id=one, job=job, owner=owner) for one, job, owner in fields]

    def version(self) -> str:
        """As `worker.engine.contract.Engine.version`."""
        return f"{self.name} {self.traits.release} ({self.traits.runtime})"

    def remove(self, container: str) -> None:
        """As `worker.engine.contract.Engine.remove`; a name will do, too."""
        try:
            self._ask("rm", "--force", "--volumes", container, timeout=START_TIMEOUT)
        except EngineFailed as error:
            found = error.found.lower()
            if "no such container" not in found and "no container with" not in found:
                raise

    def _ask(self, *arguments: str, timeout: float = ASK_TIMEOUT) -> str:
        return run_command([*self.traits.command, *arguments], timeout=timeout, failure=EngineFailed)


class CommandHandle:
    """Starts one container on entry, and removes it on exit, whatever happened between."""

    def __init__(self, engine: CommandEngine, spec: ContainerSpec) -> None:
        self._engine = engine
        self._spec = spec
        self._name = f"wheelyard-{secrets.token_hex(8)}"

    def __enter__(self) -> CommandContainer:
        """Start it.

        :raises EngineFailed: the image is not there, or the engine can't start it.
        """
        engine, traits = self._engine, self._engine.traits
        command = [*traits.command, *run_arguments(self._spec, self._name, traits)]
        # Podman's monitor writes a file named `oom` where it was started, once memory ran out on cgroup v1.
        neutral = Path(tempfile.gettempdir())
        try:
            started = run_command(command, timeout=START_TIMEOUT, failure=EngineFailed, cwd=neutral)
            container = started.split()[-1]
            pid = run_command(
                [*traits.command, "container", "inspect", "--format", "{{.State.Pid}}", container],
                timeout=ASK_TIMEOUT,
                failure=EngineFailed,
            )
        except BaseException:
            engine.forget_images()
            engine.remove(self._name)
            raise
        return CommandContainer(container, traits, MemoryCounters.of_process(int(pid)))

    def __exit__(self, *exc: object) -> None:
        """Remove it."""
        self._engine.remove(self._name)


class ProgramCommand:
    """Gives a program its container's name on entry, and removes that container on exit."""

    def __init__(self, engine: CommandEngine, spec: ProgramSpec) -> None:
        self._engine = engine
        self._spec = spec
        self._program: CommandProgram | None = None

    def __enter__(self) -> CommandProgram:
        """Nothing is started yet."""
        self._program = CommandProgram(self._spec, f"wheelyard-{secrets.token_hex(8)}", self._engine.traits)
        return self._program

    def __exit__(self, *exc: object) -> None:
        """Remove its container, if there may still be one."""
        if self._program is not None and self._program.may_be_left:
            self._engine.remove(self._program.name)


def config_digest(archive: Path) -> Digest:
    """The image id of a docker archive: the digest of its config.

    :raises InputError: the file is not a docker archive with one image.
    """
    try:
        with tarfile.open(archive, mode="r:") as tar:
            (entry,) = json.loads(_member(tar, "manifest.json"))
            return Digest.of(_member(tar, entry["Config"]))
    except (OSError, tarfile.TarError, KeyError, ValueError) as error:
        raise InputError(
            f"{archive} can't be loaded",
            expected="a docker archive with one image",
            found=str(error),
            do="make it again, for instance with `wheelyard image --output FILE`",
        ) from error


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    stream = tar.extractfile(name)
    if stream is None:
        raise ValueError(f"{name} is not a file")
    return stream.read()


def _on_loopback(reference: str) -> bool:
    name = reference.partition("/")[0].rsplit(":", 1)[0].strip("[]")
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
