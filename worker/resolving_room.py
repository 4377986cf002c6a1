"""The resolving room: a container whose only door leads to our own index, and what goes in and out."""

from __future__ import annotations

import io
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from wheelyard.errors import BuildFailed, InfrastructureError, TimedOut
from wheelyard.store.landing import disk_errors
from worker.engine.contract import Container
from worker.pull_through import PullThrough
from worker.socket_server import SOCKET_NAME, serve_on_socket

TOOLS_PYTHON = "/opt/wheelyard/bin/python"
INPUTS = "/in/job"
DOOR = "/in/door"
TMP_BYTES = 4 << 30
KEPT_LINES = 400

LOCK_SCRIPT = "lock_requirements.py"
SDIST_SCRIPT = "build_requires.py"
_DOOR_SCRIPT = "socket_door.py"
_PATCHES_SCRIPT = "source_patches.py"

# What a host's or an image's own configuration of pip says must not count in there.
_ENVIRONMENT = {
    "PIP_CONFIG_FILE": "/dev/null",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_INPUT": "1",
    "PIP_NO_COLOR": "1",
    "PIP_PROGRESS_BAR": "off",
    "PIP_RETRIES": "0",  # the pull-through index tries again itself
    "PIP_DEFAULT_TIMEOUT": "600",
    # For hooks that call pip themselves; pip-compile is told its view as an argument.
    "PIP_INDEX_URL": "@DOOR@/build/simple/",
    "PYTHONUNBUFFERED": "1",
    "NO_COLOR": "1",
    "LC_ALL": "C.UTF-8",
}

# pip-tools prints the whole lock at the end, and the address of the door, which only exists in there.
_NOISE = re.compile(
    r"^\s*$|--hash=sha256:|^\s*#|^\S+==\S.* \\$|^\s*(?:Using|Looking in) indexes|^\s*http://127\.0\.0\.1"
    r"|^\s*ROUND \d+\s*$"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """Two folders of the host that rooms see, read-only: our inputs, and the door."""

    inputs: Path
    door: Path

    @property
    def mounts(self) -> Mapping[Path, str]:
        """Where a container sees them."""
        return {self.inputs: INPUTS, self.door: DOOR}

    def put(self, name: str, body: bytes) -> str:
        """Hand a file in, readable in there whatever our own umask is; gives its path there.

        :param name: of the file; a folder may stand before it.
        """
        with disk_errors(f"{name} could not be written", InfrastructureError):
            path = self.inputs / name
            if path.parent != self.inputs:
                path.parent.mkdir(exist_ok=True)
                path.parent.chmod(0o755)
            path.write_bytes(body)
            path.chmod(0o644)
        return f"{INPUTS}/{name}"


@contextmanager
def open_handover(index: PullThrough, scratch: Path | None) -> Iterator[Handover]:
    """Serve an index on a socket and lay our scripts ready, for as long as the block runs.

    :param scratch: where the private folders are made; `None` means the operating system's place.
    """
    with (
        serve_on_socket(index.application(), scratch) as door,
        TemporaryDirectory(prefix="wheelyard-resolve-", dir=scratch) as private,
    ):
        inputs = Path(private) / "job"
        inputs.mkdir()
        inputs.chmod(0o755)
        handover = Handover(inputs=inputs, door=door)
        for script in (_DOOR_SCRIPT, LOCK_SCRIPT, SDIST_SCRIPT, _PATCHES_SCRIPT):
            handover.put(script, files("worker").joinpath("inside", script).read_bytes())
        yield handover


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A running container with the handover's folders in it.

    :param seconds: time that one command may take.
    :param memory: what the container may have, in bytes; for messages.
    :param report: gets each line of a command's output as it comes.
    """

    container: Container
    seconds: float
    memory: int
    report: Callable[[str], None]

    def run(
        self,
        argv: Sequence[str],
        subject: str,
        environment: Mapping[str, str] | None = None,
        *,
        hide_tracebacks: bool = False,
    ) -> tuple[int, list[str]]:
        """Run a Python program behind the door; gives its status and the end of its output.

        :param argv: arguments of the tools' Python; `@DOOR@` stands for the index's address.
        :param subject: what is resolved, for messages.
        :param environment: variables beside our own, which win.
        :param hide_tracebacks: pip-tools ends an ordinary refusal with one; a backend's is worth reading.
        :raises TimedOut: it took too long.
        :raises BuildFailed: it needs too much memory.
        :raises InfrastructureError: the image has not the tools in it that it should have.
        """
        lines: deque[str] = deque(maxlen=KEPT_LINES)
        hidden = False

        def hear(line: str) -> None:
            nonlocal hidden
            hidden = hidden or (hide_tracebacks and line.startswith("Traceback "))
            if not _NOISE.search(line):
                lines.append(line)
                if not hidden:
                    self.report(line)

        door = [TOOLS_PYTHON, f"{INPUTS}/{_DOOR_SCRIPT}", f"{DOOR}/{SOCKET_NAME}", TOOLS_PYTHON]
        try:
            ended = self.container.run(
                [*door, *argv],
                on_line=hear,
                timeout=self.seconds,
                environment={**(environment or {}), **_ENVIRONMENT},
                workdir=INPUTS,
            )
        except TimedOut as error:
            raise TimedOut(
                f"resolving {subject} took too long",
                expected=f"an end within {self.seconds:g} s",
                found=f"last line: {lines[-1][:200]}" if lines else "no output",
                do="ask for fewer or more exact requirements, or raise WHEELYARD_RESOLVE_TIMEOUT",
                phase="resolve",
            ) from error
        if ended.out_of_memory:
            raise BuildFailed(
                f"resolving {subject} needs more memory than it may have",
                expected=f"at most {self.memory} bytes",
                do="raise WHEELYARD_BUILD_MEMORY",
                phase="resolve",
            )
        if ended.code in {126, 127}:
            raise InfrastructureError(
                f"the toolchain's image can't run {TOOLS_PYTHON}",
                found="\n".join(list(lines)[-3:]),
                do="make the toolchain again with `wheelyard toolchain build NAME`",
            )
        return ended.code, list(lines)

    def read(self, path: str, limit: int) -> str:
        """A file of the container, as text.

        :param limit: bytes at the most.
        :raises ForeignOutputRefused: there is none, or it is too long.
        """
        target = io.BytesIO()
        self.container.read_file(path, target, limit)
        return target.getvalue().decode("utf-8", errors="replace")
