"""The supervisor: starts programs, starts those again that die, and ends all of them in order."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from wheelyard.errors import InfrastructureError
from wheelyard.stack.processes import RUN_VARIABLE, Identity, end, members, spawn, wait_gone
from wheelyard.stack.program import Program, Stage
from wheelyard.stack.program_log import last_lines, open_log
from wheelyard.stack.servers import remove_sockets, write_private
from wheelyard.stack.stack_folder import StackFolder

_END = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
_HEARD = {*_END, signal.SIGCHLD}
# How long each stage has before it is killed; a program of it may say that it needs longer.
_SECONDS = {Stage.WORKERS: 10.0, Stage.FRONT: 4.0, Stage.SERVERS: 5.0}
_HURRIED_SECONDS = 5.0
_QUICK_SECONDS = 10.0
_QUICK_DEATHS = 5
_LONGEST_PAUSE = 30.0


class EndAsked(Exception):
    """Somebody pressed Ctrl-C, or sent SIGTERM."""


@dataclass(slots=True)
class _Child:
    program: Program
    process: subprocess.Popen[bytes]
    identity: Identity | None
    started: float
    quick_deaths: int = 0
    again_at: float | None = None


@contextmanager
def signals_held() -> Iterator[None]:
    """Signals wait until the supervisor asks for them, so that none comes in between two steps."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
    try:
        yield
    finally:
        while signal.sigtimedwait(_HEARD, 0) is not None:
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Supervisor:
    """Programs under one roof. Used by one thread, within `signals_held`.

    :param run: id of this `up`; everything that it starts carries it in its environment.
    :param say: takes one line for each event.
    """

    def __init__(
        self, folder: StackFolder, environment: Mapping[str, str], run: str, say: Callable[[str], None]
    ) -> None:
        self._folder = folder
        self._environment = {**environment, RUN_VARIABLE: run}
        self._run = run
        self._say = say
        self._children: list[_Child] = []

    def start(self, program: Program) -> None:
        """Start a program; from now on it is started again when it dies."""
        self._children.append(self._spawn(program))
        self._write_down()

    def run_to_end(self, program: Program, seconds: float) -> None:
        """Run a program that ends by itself.

        :raises InfrastructureError: it failed or did not end in time.
        """
        child = self._spawn(program)
        limit = time.monotonic() + seconds
        try:
            while (status := child.process.poll()) is None:
                if time.monotonic() > limit:
                    raise self._failure(program, f"did not end within {seconds:.0f} s")
                self.tick(0.2)
        finally:
            self._kill(child)
        if status != 0:
            raise self._failure(program, f"failed with {_status(status)}")

    def runs(self, name: str) -> bool:
        """Whether a program that was started runs now."""
        return any(child.program.name == name and child.process.poll() is None for child in self._children)

    def tick(self, seconds: float) -> None:
        """Wait a moment, or until something happens, and do what is due.

        :raises EndAsked: a signal asked for it.
        :raises InfrastructureError: a program dies at once, again and again.
        """
        heard = signal.sigtimedwait(_HEARD, seconds)
        if heard is not None and heard.si_signo in _END:
            raise EndAsked
        now = time.monotonic()
        for child in self._children:
            if child.again_at is not None:
                if now >= child.again_at:
                    self._restart(child)
            elif child.process.poll() is not None:
                self._bury(child, now)

    def end_all(self) -> None:
        """End every program, stage by stage; a second signal ends what is left at once."""
        hurried = False
        for stage in Stage:
            staying = [child for child in self._children if child.program.stage is stage]
            for child in staying:
                if child.process.poll() is None:
                    child.process.send_signal(signal.SIGTERM)
            longest = max((child.program.end_seconds for child in staying), default=0.0)
            if not hurried and not self._wait_ended(staying, max(_SECONDS[stage], longest)):
                hurried = True
                # A worker that hears it twice hands its jobs back at once; killed, it could not.
                for child in staying:
                    if child.process.poll() is None:
                        child.process.send_signal(signal.SIGTERM)
                self._wait_ended(staying, _HURRIED_SECONDS)
            for child in staying:
                if child.process.poll() is None:
                    self._say(f"{child.program.name} did not end in time and is killed")
                self._kill(child)
        self._children.clear()
        self._folder.children_file.unlink(missing_ok=True)

    def _spawn(self, program: Program) -> _Child:
        with open_log(self._folder.log, program.name) as log:
            process = spawn(program, log, self._environment)
        return _Child(program, process, Identity.of(process.pid), time.monotonic())

    def _restart(self, child: _Child) -> None:
        fresh = self._spawn(child.program)
        child.process, child.identity, child.started = fresh.process, fresh.identity, fresh.started
        child.again_at = None
        self._write_down()
        self._say(f"{child.program.name} is started again")

    def _bury(self, child: _Child, now: float) -> None:
        name = child.program.name
        died = _status(child.process.returncode)
        self._kill(child)
        child.quick_deaths = child.quick_deaths + 1 if now - child.started < _QUICK_SECONDS else 0
        if child.quick_deaths >= _QUICK_DEATHS:
            raise self._failure(child.program, f"ended with {died} at once, {child.quick_deaths} times")
        pause = min(0.5 * 2**child.quick_deaths, _LONGEST_PAUSE)
        child.again_at = now + pause
        self._say(f"{name} ended with {died}; started again in {pause:.1f} s (its log: {self._log(name)})")

    def _wait_ended(self, children: list[_Child], seconds: float) -> bool:
        """Returns False where a second signal came meanwhile."""
        limit = time.monotonic() + seconds
        while any(child.process.poll() is None for child in children):
            left = limit - time.monotonic()
            if left <= 0:
                break
            heard = signal.sigtimedwait(_HEARD, min(left, 0.5))
            if heard is not None and heard.si_signo in _END:
                return False
        return True

    def _kill(self, child: _Child) -> None:
        """End what is left of a program at once, with what it started in its own process group."""
        left = members(child.identity, self._run) if child.identity else []
        if child.process.poll() is None:
            child.process.kill()
        for process in left:
            process.signal(signal.SIGKILL)
        wait_gone(left, 2)
        child.process.wait()

    def _write_down(self) -> None:
        children = [child.identity.to_document() for child in self._children if child.identity]
        write_private(self._folder.children_file, json.dumps({"run": self._run, "children": children}))

    def _log(self, name: str) -> str:
        return str(self._folder.log / f"{name}.log")

    def _failure(self, program: Program, what: str) -> InfrastructureError:
        return InfrastructureError(
            f"{program.name} {what}",
            found="\n" + last_lines(self._folder.log, program.name),
            do=f"the whole log is {self._log(program.name)}",
        )


def end_leftovers(folder: StackFolder, say: Callable[[str], None]) -> None:
    """End what an earlier `up` of this folder left running when it was killed. The folder must be locked."""
    try:
        document = json.loads(folder.children_file.read_text())
        leaders = [Identity.from_document(child) for child in document["children"]]
        run = str(document["run"])
    except FileNotFoundError:
        return
    except (ValueError, KeyError, TypeError):
        folder.children_file.unlink()
        return
    left = [process for leader in leaders for process in members(leader, run)]
    if left:
        say(f"ending {len(left)} processes that a killed `up` left: {', '.join(str(p.pid) for p in left)}")
        end(left, 5)
    if ports := folder.last_ports():
        remove_sockets(ports)
    folder.children_file.unlink()


def _status(status: int) -> str:
    if status >= 0:
        return f"status {status}"
    return f"signal {signal.Signals(-status).name}"
