"""One program of an image, run to its end in a container that lives as long as the engine's own client."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import gettempdir

from wheelyard.errors import Cancelled, EngineFailed, TimedOut
from wheelyard.process import run_command
from worker.engine.container import GRACE, KILLED, EngineClient, lines_of
from worker.engine.contract import Ended, ProgramSpec
from worker.engine.options import program_arguments
from worker.engine.traits import EngineTraits

_ASK_TIMEOUT = 60.0
_PAUSE = 0.2
_ENGINE_FAILED = 125
_NO_PROGRAM = (126, 127)


class CommandProgram:
    """A program behind the docker or podman command.

    :param name: of its container, given by us so that it can be removed even where `run` did not come back.
    """

    def __init__(self, spec: ProgramSpec, name: str, traits: EngineTraits) -> None:
        self.name = name
        self.may_be_left = False
        self._spec = spec
        self._traits = traits
        self._cancelled = threading.Event()
        self._ended = threading.Event()

    def run(self, *, on_line: Callable[[str], None], timeout: float) -> Ended:
        """As `worker.engine.contract.Program.run`."""
        if self._cancelled.is_set():
            raise Cancelled("the container was killed")
        arguments = program_arguments(self._spec, self.name, self._traits)
        self.may_be_left = True
        # Podman's monitor writes a file named `oom` where it was started, once memory ran out on cgroup v1.
        client = EngineClient([*self._traits.command, *arguments], timeout, self._end, Path(gettempdir()))
        try:
            for line in lines_of(client.output):
                on_line(line)
            code, complaint = client.wait()
        except BaseException:
            if not client.ended:
                self._end()
            raise
        finally:
            self._ended.set()
            client.close()
        if self._cancelled.is_set():
            raise Cancelled("the container was killed")
        if client.timed_out:
            raise TimedOut(
                "a program of an image took too long",
                expected=f"an end within {timeout:.0f} s",
                seconds=timeout,
            )
        if code == _ENGINE_FAILED and complaint:
            raise EngineFailed(
                f"{self._traits.name} could not start a program of an image",
                found=complaint,
                do="see `wheelyard doctor`",
                argv=list(self._spec.argv)[:3],
            )
        # The engine's client removes the container at its end, but not where it could not start it.
        self.may_be_left = code in _NO_PROGRAM
        if code in _NO_PROGRAM:
            # The image's own fault, which the engine tells in its own words.
            for line in complaint.splitlines():
                on_line(line)
        return Ended(code=code, out_of_memory=code == KILLED)

    def kill(self) -> None:
        """As `worker.engine.contract.Program.kill`."""
        self._cancelled.set()
        if self.may_be_left:
            self._end()

    def _end(self) -> None:
        # A container that is only being made can't be killed yet; one that has ended can't be any more.
        limit = time.monotonic() + GRACE
        while not self._ended.is_set() and time.monotonic() < limit:
            try:
                self._kill()
            except EngineFailed:
                self._ended.wait(_PAUSE)
            else:
                return

    def _kill(self) -> None:
        run_command(
            [*self._traits.command, "kill", "--signal", "KILL", self.name],
            timeout=_ASK_TIMEOUT,
            failure=EngineFailed,
        )
