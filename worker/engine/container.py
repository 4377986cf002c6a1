"""One running container: commands run in it, files come out of it, and it can be killed from any thread."""

from __future__ import annotations

import codecs
import contextlib
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from wheelyard.errors import Cancelled, EngineFailed, ForeignOutputRefused, TimedOut
from wheelyard.process import run_command
from worker.engine.cgroup import MemoryCounters
from worker.engine.contract import Ended
from worker.engine.options import exec_arguments, read_arguments
from worker.engine.traits import EngineTraits

LINE_LIMIT = 64 << 10
CHUNK = 1 << 16
ASK_TIMEOUT = 60.0
READ_TIMEOUT = 900.0
GRACE = 20.0
KILLED = 137
_HEADER_LIMIT = 200


class CommandContainer:
    """A container behind the docker or podman command.

    :param container: its id.
    :param traits: the engine's.
    :param counters: its cgroup's count of out-of-memory kills.
    """

    def __init__(self, container: str, traits: EngineTraits, counters: MemoryCounters) -> None:
        self.id = container
        self._traits = traits
        self._counters = counters
        self._cancelled = threading.Event()

    def run(
        self,
        argv: Sequence[str],
        *,
        on_line: Callable[[str], None],
        timeout: float,
        environment: Mapping[str, str] | None = None,
        workdir: str = "/",
    ) -> Ended:
        """As `worker.engine.contract.Container.run`."""
        arguments = exec_arguments(self.id, list(argv), dict(environment or {}), workdir)
        before = self._counters.kills()
        with self._client(arguments, timeout) as client:
            for line in lines_of(client.output):
                on_line(line)
            code, complaint = client.wait()
        return self._ended(argv, code, complaint, before)

    def read_file(self, path: str, target: IO[bytes], limit: int) -> int:
        """As `worker.engine.contract.Container.read_file`."""
        copied = 0
        with self._client(read_arguments(self.id, path, limit), READ_TIMEOUT) as client:
            header = client.output.readline(_HEADER_LIMIT).decode(errors="replace")
            while chunk := client.output.read(CHUNK):
                copied += len(chunk)
                if copied > limit:
                    raise _too_long(path, limit, "a file that grows")
                target.write(chunk)
            code, complaint = client.wait()
        if code != 0 or not header:
            what = "in the container can't be read" if header else "is not in the container"
            raise ForeignOutputRefused(f"{path} {what}", found=complaint[:500], path=path)
        mode, _, size = header.partition(" ")
        if int(mode, 16) & 0o170000 != 0o100000:
            raise ForeignOutputRefused(
                f"{path} in the container is not a file", expected="a regular file, not a link", path=path
            )
        if int(size) > limit:
            raise _too_long(path, limit, f"{int(size)} bytes")
        return copied

    def limit_cpus(self, cpus: float) -> None:
        """As `worker.engine.contract.Container.limit_cpus`."""
        self._ask("update", "--cpus", f"{cpus:g}", self.id)

    def kill(self) -> None:
        """As `worker.engine.contract.Container.kill`."""
        self._cancelled.set()
        self._end()

    @contextlib.contextmanager
    def _client(self, arguments: Sequence[str], timeout: float) -> Iterator[EngineClient]:
        if self._cancelled.is_set():
            raise Cancelled("the container was killed")
        client = EngineClient([*self._traits.command, *arguments], timeout, self._end)
        try:
            yield client
        except BaseException:
            # The reader failed, or somebody pressed Ctrl-C: nothing may go on inside.
            if not client.ended:
                self._end()
            raise
        finally:
            client.close()
        if self._cancelled.is_set():
            raise Cancelled("the container was killed")
        if client.timed_out:
            raise TimedOut(
                "a command in a container took too long",
                expected=f"an end within {timeout:.0f} s",
                seconds=timeout,
            )

    def _ended(self, argv: Sequence[str], code: int, complaint: str, before: int | None) -> Ended:
        after = self._counters.kills()
        if before is not None and after is not None:
            out_of_memory = after > before
        else:
            out_of_memory = self._state("{{.State.OOMKilled}}") == "true"
        if complaint and code >= 125:
            if out_of_memory or self._state("{{.State.Running}}") == "false":
                return Ended(code=KILLED, out_of_memory=out_of_memory)
            raise EngineFailed(
                f"{self._traits.name} could not run a command in a container",
                found=complaint,
                do="see `wheelyard doctor`",
                argv=list(argv)[:3],
            )
        return Ended(code=code, out_of_memory=out_of_memory)

    def _state(self, template: str) -> str:
        try:
            return self._ask("container", "inspect", "--format", template, self.id).strip()
        except EngineFailed:
            return ""

    def _ask(self, *arguments: str) -> str:
        return run_command([*self._traits.command, *arguments], timeout=ASK_TIMEOUT, failure=EngineFailed)

    def _end(self) -> None:
        # A container that has ended by itself can't be killed; that is what was wanted.
        with contextlib.suppress(EngineFailed):
            self._ask("kill", "--signal", "KILL", self.id)


class EngineClient:
    """One run of the engine's client, ended with its container at the end of its time.

    :param argv: program and arguments.
    :param timeout: in seconds.
    :param end: ends the container.
    :param cwd: folder that it is started in; None means this process's own.
    """

    def __init__(
        self, argv: Sequence[str], timeout: float, end: Callable[[], None], cwd: Path | None = None
    ) -> None:
        self.timed_out = False
        self._end = end
        self._complaints: list[bytes] = []
        # Its own session: a Ctrl-C in the terminal reaches us, and we end it in our own order.
        self._process = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            start_new_session=True,
        )
        assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for
        assert self._process.stderr is not None  # noqa: S101
        self.output: IO[bytes] = self._process.stdout
        self._errors: IO[bytes] = self._process.stderr
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self._timer = threading.Timer(timeout, self._expire)
        self._timer.daemon = True
        self._timer.start()

    @property
    def ended(self) -> bool:
        """Whether the client's process has ended."""
        return self._process.poll() is not None

    def wait(self) -> tuple[int, str]:
        """Its exit status, and what it wrote to its own standard error."""
        code = self._process.wait()
        self._listener.join(GRACE)
        return code, b"".join(self._complaints).decode(errors="replace").strip()

    def close(self) -> None:
        """End it where it still runs, and let go of its pipes."""
        self._timer.cancel()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE if self.timed_out else 1)
        if not self.ended:
            self._process.kill()
            self._process.wait()
        self._listener.join(GRACE)
        self.output.close()
        self._errors.close()

    def _listen(self) -> None:
        with contextlib.suppress(ValueError, OSError):
            for line in self._errors:
                if len(self._complaints) < 50:
                    self._complaints.append(line[:1000])

    def _expire(self) -> None:
        self.timed_out = True
        self._end()
        # The client notices by itself that its container is gone; where it does not, it is ended too.
        deadline = time.monotonic() + GRACE
        while not self.ended and time.monotonic() < deadline:
            time.sleep(0.1)
        if not self.ended:
            self._process.kill()


def _too_long(path: str, limit: int, found: str) -> ForeignOutputRefused:
    return ForeignOutputRefused(
        f"{path} in the container is too long", expected=f"at most {limit} bytes", found=found, path=path
    )


def lines_of(stream: IO[bytes]) -> Iterator[str]:
    """Lines of a byte stream without their ends, as soon as they are there; undecodable bytes are replaced.

    A line longer than `LINE_LIMIT` comes in parts, so that an endless one can't fill the memory.
    """
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    rest = ""
    read = getattr(stream, "read1", stream.read)
    while chunk := read(CHUNK):
        *lines, rest = (rest + decoder.decode(chunk)).split("\n")
        for line in lines:
            yield from _parts(line.removesuffix("\r"))
        while len(rest) > LINE_LIMIT:
            yield rest[:LINE_LIMIT]
            rest = rest[LINE_LIMIT:]
    rest += decoder.decode(b"", final=True)
    if rest:
        yield from _parts(rest.removesuffix("\r"))


def _parts(line: str) -> Iterator[str]:
    if len(line) <= LINE_LIMIT:
        yield line
        return
    for start in range(0, len(line), LINE_LIMIT):
        yield line[start : start + LINE_LIMIT]
