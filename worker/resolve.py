"""Resolving: requirements, or an sdist's build requirements, become a lock with hashes for one toolchain."""

from __future__ import annotations

import io
import json
import re
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from wheelyard.digests import Digest
from wheelyard.errors import BuildFailed, ForeignOutputRefused, InfrastructureError, InputError, TimedOut
from wheelyard.locks import IndexFile, Lock, LockedLine, Pin, parse_lock_text
from wheelyard.requirements import normalise_requirements, parse_requirement
from wheelyard.settings import Settings
from wheelyard.store.contract import Store
from wheelyard.store.landing import disk_errors
from wheelyard.toolchains import Toolchain
from worker.engine.contract import Container, ContainerSpec, Engine
from worker.pull_through import PullThrough, Served
from worker.refusals import Wanted, explain, read_refusal
from worker.socket_server import SOCKET_NAME, serve_on_socket
from worker.upstream import Upstream

TOOLS_PYTHON = "/opt/wheelyard/bin/python"
SCRIPTS = ("socket_door.py", "build_requires.py")
MAX_LOCK_BYTES = 16 << 20
MAX_REQUIREMENTS = 500
TMP_BYTES = 4 << 30
KEPT_LINES = 400

_VIEWS: dict[Wanted, str] = {"sdist": "source", "wheel": "build"}

# What a host's or an image's own configuration of pip says must not count here.
_ENVIRONMENT = {
    "PIP_CONFIG_FILE": "/dev/null",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_INPUT": "1",
    "PIP_NO_COLOR": "1",
    "PIP_PROGRESS_BAR": "off",
    "PIP_RETRIES": "0",  # the pull-through index tries again itself
    "PIP_DEFAULT_TIMEOUT": "600",
    "PIP_PREFER_BINARY": "1",
    "PYTHONUNBUFFERED": "1",
    "NO_COLOR": "1",
    "LC_ALL": "C.UTF-8",
}

_PIP_COMPILE = (
    *("-m", "piptools", "compile", "-v", "--no-config", "--resolver", "backtracking", "--generate-hashes"),
    *("--allow-unsafe", "--strip-extras", "--newline", "lf", "--no-header", "--cache-dir", "/tmp/pip-tools"),  # noqa: S108
    *("--no-emit-index-url", "--no-emit-trusted-host", "--no-emit-find-links", "--no-emit-options"),
)


# pip-tools prints the whole lock at the end, and the address of the door, which only exists in there.
_NOISE = re.compile(
    r"^\s*$|--hash=sha256:|^\s*#|^\S+==\S.* \\$|^\s*(?:Using|Looking in) indexes|^\s*http://127\.0\.0\.1"
)


def _ignore(_: Any) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolver:
    """Makes locks in containers of one toolchain. Safe to use from any number of threads.

    :param image: id of the toolchain's compile image in the engine.
    :param upstream: the index behind the containers' only door.
    :param store: keeps every file that a resolution looked into.
    :param job: id of the job that the containers belong to.
    :param owner: id of the worker.
    :param scratch: folder for sockets and files on their way; `None` means that of the operating system.
    :param report: gets each line of the resolver's output as it comes.
    :param watch: gets each container as it starts, so that a cancelled job can end it.
    """

    engine: Engine
    image: str
    toolchain: Toolchain
    upstream: Upstream
    store: Store
    settings: Settings
    job: str
    owner: str
    scratch: Path | None = None
    report: Callable[[str], None] = _ignore
    watch: Callable[[Container], None] = _ignore

    def resolve_requirements(self, requirements: Sequence[str]) -> Lock:
        """Lock what shall be compiled: every pin has an sdist.

        :param requirements: PEP 508 requirements.
        :raises InputError: they can't be met; the message says which, and what could be.
        :raises NotFound: there is no such project, or no such version.
        :raises IndexUnavailable: the upstream index did not answer, at least not always.
        :raises ForeignOutputRefused: the index gave a file that does not hash to what it says.
        :raises TimedOut: it took longer than the settings allow.
        """
        wanted = normalise_requirements(requirements)
        door = self._door()
        for requirement in map(Requirement, wanted):
            if requirement.marker is None:  # a marker is for the toolchain's Python to judge
                refusal = explain(requirement, door.listing(requirement.name), self.toolchain)
                if refusal is not None:
                    raise refusal
        with self._folders(door) as folders, self._room(folders) as room:
            text = self._compile(room, door, wanted, "sdist", ", ".join(wanted))
        pins = tuple(_pin(line, door, served=None) for line in parse_lock_text(text))
        for pin in pins:
            if pin.sdist is None:
                raise ForeignOutputRefused(
                    f"the resolver locked {pin.project} {pin.version}, which has no sdist",
                    expected="versions that have one",
                )
        return Lock(pins=tuple(sorted(pins, key=lambda pin: pin.project)), text=text)

    def resolve_build(
        self,
        sdist: Path,
        filename: str,
        *,
        config_settings: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Lock:
        """Lock what an sdist needs to be built: `build-system.requires`, and what its backend adds (PEP 517).

        Each pin holds the one wheel that pip chooses for the toolchain; it is in the store afterwards.
        The backend runs in a container of its own, the resolver in another one that it can't touch.

        :param sdist: the archive.
        :param filename: its name on the index, which says how it is unpacked.
        :param config_settings: what the recipe passes to the backend.
        :param environment: variables that the recipe sets for the backend.
        :raises BuildFailed: the archive can't be unpacked, or its backend fails.
        :raises InputError: a build requirement can't be met, or has no wheel.
        """
        name = IndexFile(filename=filename, digest=Digest.of_file(sdist)).filename
        door = self._door()
        with ExitStack() as stack:
            folders = stack.enter_context(self._folders(door))
            # A copy: the caller's file may be one that the container's user can't read.
            with disk_errors(f"{name} could not be written", InfrastructureError):
                shutil.copyfile(sdist, folders.inputs / name)
            (folders.inputs / name).chmod(0o644)
            _put(folders.inputs, "config.json", json.dumps(dict(config_settings or {})).encode())
            foreign = stack.enter_context(self._room(folders))
            trusted = stack.enter_context(self._room(folders))
            subject = f"the build requirements of {name}"
            static = self._ask_sdist(foreign, door, name, ["static", f"/in/job/{name}"], {})
            text = self._compile(trusted, door, static, "wheel", subject)
            _put(folders.inputs, "static.txt", text.encode())
            added = self._ask_sdist(
                foreign,
                door,
                name,
                ["dynamic", self.toolchain.python.executable, "/in/job/static.txt", "/in/job/config.json"],
                environment or {},
            )
            if not set(added) <= set(static):
                text = self._compile(trusted, door, sorted({*static, *added}), "wheel", subject)
            chosen = self._choose_wheels(trusted, door, text)
        return Lock(pins=chosen, text=text)

    def _door(self) -> PullThrough:
        return PullThrough(self.upstream, self.store, scratch=self.scratch)

    @contextmanager
    def _folders(self, door: PullThrough) -> Iterator[_Folders]:
        with (
            serve_on_socket(door.application(), self.scratch) as socket_folder,
            tempfile.TemporaryDirectory(prefix="wheelyard-resolve-", dir=self.scratch) as private,
        ):
            inputs = Path(private) / "job"
            inputs.mkdir()
            inputs.chmod(0o755)
            for script in SCRIPTS:
                _put(inputs, script, files("worker").joinpath("inside", script).read_bytes())
            yield _Folders(inputs=inputs, door=socket_folder)

    @contextmanager
    def _room(self, folders: _Folders) -> Iterator[_Room]:
        spec = ContainerSpec(
            image=self.image,
            job=self.job,
            owner=self.owner,
            mounts={folders.inputs: "/in/job", folders.door: "/in/door"},
            tmpfs={"/tmp": TMP_BYTES, "/build": TMP_BYTES},  # noqa: S108  # paths in the container
            memory=self.settings.build_memory,
            pids=self.settings.build_pids,
        )
        with self.engine.start(spec) as container:
            self.watch(container)
            yield _Room(container=container, inputs=folders.inputs)

    def _run(
        self, room: _Room, argv: Sequence[str], view: str, subject: str, environment: Mapping[str, str]
    ) -> tuple[int, list[str]]:
        """Run a Python program behind the door; gives its status and the end of its output."""
        lines: deque[str] = deque(maxlen=KEPT_LINES)

        crashed = False

        def hear(line: str) -> None:
            nonlocal crashed
            # pip-tools ends an ordinary refusal with a traceback; a backend's traceback is worth reading.
            crashed = crashed or ("piptools" in argv and line.startswith("Traceback "))
            if not _NOISE.search(line):
                lines.append(line)
                if not crashed:
                    self.report(line)

        command = [TOOLS_PYTHON, "/in/job/socket_door.py", f"/in/door/{SOCKET_NAME}", TOOLS_PYTHON, *argv]
        seconds = self.settings.resolve_timeout
        try:
            ended = room.container.run(
                command,
                on_line=hear,
                timeout=seconds,
                environment={
                    **environment,
                    **_ENVIRONMENT,
                    "PIP_INDEX_URL": f"@DOOR@/{view}/simple/",
                },
                workdir="/in/job",
            )
        except TimedOut as error:
            raise TimedOut(
                f"resolving {subject} took too long",
                expected=f"an end within {seconds} s",
                found=f"last line: {lines[-1][:200]}" if lines else "no output",
                do="ask for fewer or more exact requirements, or raise WHEELYARD_RESOLVE_TIMEOUT",
                phase="resolve",
            ) from error
        if ended.out_of_memory:
            raise BuildFailed(
                f"resolving {subject} needs more memory than it may have",
                expected=f"at most {self.settings.build_memory} bytes",
                do="raise WHEELYARD_BUILD_MEMORY",
                phase="resolve",
            )
        return ended.code, list(lines)

    def _compile(
        self, room: _Room, door: PullThrough, requirements: Sequence[str], wanted: Wanted, subject: str
    ) -> str:
        """Let pip-tools resolve requirements; gives the text of its lock."""
        if not requirements:
            return ""
        _put(room.inputs, "requirements.in", "".join(f"{line}\n" for line in requirements).encode())
        pip_args = ["--pip-args", "--only-binary :all:"] if wanted == "wheel" else []
        view = _VIEWS[wanted]
        code, lines = self._run(
            room,
            [
                *_PIP_COMPILE,
                *pip_args,
                *("--index-url", f"@DOOR@/{view}/simple/"),
                *("--output-file", "/tmp/lock.txt", "requirements.in"),  # noqa: S108  # in the container
            ],
            view,
            subject,
            {},
        )
        door.raise_trouble()
        if code:
            raise read_refusal(lines, door.listing, self.toolchain, wanted, subject)
        return _read(room.container, "/tmp/lock.txt", MAX_LOCK_BYTES)  # noqa: S108  # in the container

    def _ask_sdist(
        self,
        room: _Room,
        door: PullThrough,
        filename: str,
        argv: Sequence[str],
        environment: Mapping[str, str],
    ) -> tuple[str, ...]:
        """One question to an sdist in the foreign room; gives requirements that are only requirements."""
        out = "/tmp/answer.json"  # noqa: S108  # in the container
        code, lines = self._run(
            room, ["/in/job/build_requires.py", *argv, out], "build", f"what {filename} needs", environment
        )
        door.raise_trouble()
        if code:
            said = [line.removeprefix("wheelyard: ") for line in lines if line.startswith("wheelyard: ")]
            raise BuildFailed(
                f"{filename} does not say what it needs to be built" + (f": {said[-1]}" if said else ""),
                found="\n".join(line for line in lines[-12:] if not line.startswith("wheelyard: ")),
                do="the whole output stands in the log",
                phase="resolve",
            )
        return _read_requirements(_read(room.container, out, 1 << 20), filename)

    def _choose_wheels(self, room: _Room, door: PullThrough, text: str) -> tuple[Pin, ...]:
        """Let pip choose one wheel for each pin of a lock, which also brings them into the store."""
        if not text:
            return ()
        _put(room.inputs, "lock.txt", text.encode())
        code, lines = self._run(
            room,
            [
                *("-m", "pip", "install", "--dry-run", "--quiet", "--ignore-installed", "--no-deps"),
                *("--require-hashes", "--only-binary", ":all:", "--report", "/tmp/report.json"),  # noqa: S108
                *("-r", "/in/job/lock.txt"),
            ],
            "build",
            "which wheels a build needs",
            {},
        )
        door.raise_trouble()
        if code:
            raise InputError("the build requirements can't be had", found="\n".join(lines[-8:]))
        report = json.loads(_read(room.container, "/tmp/report.json", MAX_LOCK_BYTES))  # noqa: S108
        served = {
            Digest.parse(item["download_info"]["archive_info"]["hashes"]["sha256"])
            for item in report["install"]
        }
        pins = [_pin(line, door, served=served) for line in parse_lock_text(text)]
        return tuple(sorted(pins, key=lambda pin: pin.project))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Folders:
    """What a room's container sees of the host, read-only: our inputs, and the door."""

    inputs: Path
    door: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class _Room:
    """A container, and the host's folder that it reads its inputs from."""

    container: Container
    inputs: Path


def _put(inputs: Path, name: str, body: bytes) -> None:
    """Write an input that the container's user can read, whatever our own umask is."""
    with disk_errors(f"{name} could not be written", InfrastructureError):
        (inputs / name).write_bytes(body)
    (inputs / name).chmod(0o644)


def _read(container: Container, path: str, limit: int) -> str:
    target = io.BytesIO()
    container.read_file(path, target, limit)
    return target.getvalue().decode("utf-8", errors="replace")


def _read_requirements(text: str, filename: str) -> tuple[str, ...]:
    """Requirements that foreign code wrote.

    :raises ForeignOutputRefused: it is no list of text.
    :raises InputError: one of them is more than a requirement.
    """
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, list) or not all(isinstance(line, str) for line in document):
        raise ForeignOutputRefused(
            f"{filename} answered with no list of build requirements", found=text[:200]
        )
    if len(document) > MAX_REQUIREMENTS:
        raise ForeignOutputRefused(
            f"{filename} has too many build requirements",
            expected=f"at most {MAX_REQUIREMENTS}",
            found=str(len(document)),
        )
    return tuple(
        sorted({str(parse_requirement(line, f"a build requirement of {filename}")) for line in document})
    )


def _pin(line: LockedLine, door: PullThrough, served: set[Digest] | None) -> Pin:
    """A pin of the files that the index lists with the lock's hashes; a hash that it lacks is refused."""
    listed = {
        file.digest: file.filename
        for file in door.listing(line.project).of_version(line.version)
        if file.digest
    }
    unknown = line.digests - listed.keys()
    if unknown:
        raise ForeignOutputRefused(
            f"the lock has a hash for {line.project} {line.version} that the index does not list",
            found=", ".join(sorted(map(str, unknown))),
        )
    chosen = line.digests if served is None else line.digests & served
    for digest in chosen if served is not None else ():
        if Served(project=line.project, filename=listed[digest], digest=digest) not in door.served:
            raise ForeignOutputRefused(f"{listed[digest]} was chosen but never served")
    if not chosen:
        raise ForeignOutputRefused(f"pip chose no file for {line.project} {line.version}")
    return Pin(
        project=line.project,
        version=line.version,
        files=tuple(sorted(IndexFile(filename=listed[digest], digest=digest) for digest in chosen)),
    )
