"""The container engine's contract: images go in, containers run, nothing stays behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

LABEL_JOB = "wheelyard.job"
LABEL_OWNER = "wheelyard.owner"
HOSTNAME = "wheelyard"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    """One sandboxed container. There is no field that would loosen the sandbox.

    Every container has no network, no capabilities, no new privileges, the default seccomp profile, a
    read-only root and user 1000:1000. It is made idle, and commands are run in it.

    :param image: image id in the engine, `sha256:…`.
    :param job: id of the job that it belongs to; becomes the label `wheelyard.job`.
    :param owner: id of the worker; becomes the label `wheelyard.owner`.
    :param mounts: host path to absolute container path, read-only all of them.
    :param tmpfs: absolute container path to size in bytes; writable for the user; exec, nosuid and nodev.
    :param memory: in bytes, tmpfs pages included.
    :param cpus: cores; 0 means all.
    :param pids: processes and threads.
    :param hostname: what it takes itself for.
    """

    image: str
    job: str
    owner: str
    mounts: Mapping[Path, str] = field(default_factory=dict)
    tmpfs: Mapping[str, int] = field(default_factory=dict)
    memory: int
    cpus: float = 0
    pids: int = 4096
    hostname: str = HOSTNAME


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramSpec:
    """One program of a finished image in a container of its own, as closed as `ContainerSpec` has them.

    Nothing of the image but that program is started: it may have no shell. It runs with the image's own
    user, variables and working folder.

    :param image: image id in the engine, `sha256:…`.
    :param job: id of the job that it belongs to; becomes the label `wheelyard.job`.
    :param owner: id of the worker; becomes the label `wheelyard.owner`.
    :param argv: the program and its arguments, found on the image's PATH; its entry point is passed over.
    :param mounts: host path to absolute container path, read-only all of them.
    :param tmpfs: absolute container path to size in bytes; writable for everybody; exec, nosuid and nodev.
    :param memory: in bytes, tmpfs pages included.
    :param cpus: cores; 0 means all.
    :param pids: processes and threads.
    :param hostname: what it takes itself for.
    """

    image: str
    job: str
    owner: str
    argv: Sequence[str]
    mounts: Mapping[Path, str] = field(default_factory=dict)
    tmpfs: Mapping[str, int] = field(default_factory=dict)
    memory: int
    cpus: float = 0
    pids: int = 4096
    hostname: str = HOSTNAME


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command in a container ended.

    :param code: exit status; 137 where it was killed.
    :param out_of_memory: whether the cgroup's own counters say that the memory limit killed something in it.
    """

    code: int
    out_of_memory: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledContainer:
    """A container of ours as the engine lists it.

    :param id: the engine's own, whole.
    :param job: id of the job that it was made for.
    :param owner: id of the worker process that made it; it is another one after a takeover of the job.
    """

    id: str
    job: str
    owner: str


class Killable(Protocol):
    """Something that runs, and can be ended from any thread."""

    def kill(self) -> None:
        """End everything in it; whoever waits for it then gets `Cancelled`."""


class Container(Protocol):
    """A container that runs; commands are run in it one after the other."""

    id: str

    def run(
        self,
        argv: Sequence[str],
        *,
        on_line: Callable[[str], None],
        timeout: float,
        environment: Mapping[str, str] | None = None,
        workdir: str = "/",
    ) -> Ended:
        """Run a command and hand over each line of its output, stdout and stderr in one order.

        Undecodable bytes are replaced.

        :param on_line: called with each line without its end; a line longer than 64 KiB comes in parts.
        :param timeout: in seconds; the container is killed at its end.
        :raises TimedOut: the time was over.
        :raises Cancelled: `kill` was called meanwhile.
        :raises EngineFailed: the engine itself failed.
        """

    def read_file(self, path: str, target: IO[bytes], limit: int) -> int:
        """Copy one regular file's bytes out of the container.

        :param limit: bytes at the most; a longer one is refused.
        :returns: number of bytes.
        :raises ForeignOutputRefused: no such file, not a regular one, or too long.
        """

    def limit_cpus(self, cpus: float) -> None:
        """Let it use so many cores from now on, whatever runs in it; from any thread.

        :param cpus: more than 0; a fraction may be.
        :raises EngineFailed: the engine can't, or the container is gone.
        """

    def kill(self) -> None:
        """End everything in it, from any thread; a running `run` then raises `Cancelled`."""


class Program(Protocol):
    """A program of an image that was not started yet; it can be started once."""

    def run(self, *, on_line: Callable[[str], None], timeout: float) -> Ended:
        """Run it to its end in a container of its own, and hand over each line of its standard output.

        What it writes to its standard error comes among the lines, or is dropped: a program that has
        something to say there redirects it. Undecodable bytes are replaced.

        :param on_line: called with each line without its end; a line longer than 64 KiB comes in parts.
        :param timeout: in seconds; the container is killed at its end.
        :raises TimedOut: the time was over.
        :raises Cancelled: `kill` was called, now or before.
        :returns: code 126 or 127 where the image has no such program; the engine's words are among the lines.
        :raises EngineFailed: the engine itself failed.
        """

    def kill(self) -> None:
        """End it, from any thread; a running `run` then raises `Cancelled`."""


class Engine(Protocol):
    """The docker or podman command. Every adapter passes `tests/contract/test_engine.py`."""

    name: str

    def has_image(self, image: str) -> bool:
        """Whether an image id (`sha256:…`) is there."""

    def load(self, archive: Path) -> str:
        """Load a docker archive; returns the image id, which is the digest of its config."""

    def save(self, image: str, archive: Path) -> None:
        """Write an image as a docker archive, whatever it was pulled as."""

    def pull(self, reference: str) -> str:
        """Pull `HOST/NAME@sha256:…`; returns the image id. A reference without a digest is an InputError."""

    def drop(self, reference: str) -> None:
        """Take a name that `pull` was given from its image, and the image too where that was its only one.

        What is gone already is fine, and an image that a container still runs stays.
        """

    def program(self, spec: ProgramSpec) -> ProgramHandle:
        """A context manager around a program; its container is removed, whatever happens inside."""

    def start(self, spec: ContainerSpec) -> ContainerHandle:
        """A context manager that starts a container and always removes it, whatever happens inside."""

    def containers(self) -> Sequence[LabelledContainer]:
        """Every container that carries our labels, running or not, of whatever stack on this host."""

    def remove(self, container: str) -> None:
        """Remove a container by id, running or not; one that is gone already is fine."""

    def version(self) -> str:
        """The engine's own version, for instance `podman 4.3.1 (runc)`."""


class ContainerHandle(Protocol):
    """What `Engine.start` returns: `with engine.start(spec) as container`."""

    def __enter__(self) -> Container: ...

    def __exit__(self, *exc: object) -> None: ...


class ProgramHandle(Protocol):
    """What `Engine.program` returns: `with engine.program(spec) as program`."""

    def __enter__(self) -> Program: ...

    def __exit__(self, *exc: object) -> None: ...
