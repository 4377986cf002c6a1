"""Processes of the stack: they die with it, are known again by more than their number, and are ended."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from wheelyard.errors import InfrastructureError
from wheelyard.stack.program import Program

RUN_VARIABLE = "WHEELYARD_STACK_RUN"
"""In the environment of everything that an `up` starts: the id of that `up`."""

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)
_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A process, known by more than a number that the kernel gives out again.

    :param pid: its number.
    :param start: when it started, in clock ticks since boot (proc(5), stat field 22).
    :param boot: the boot that it belongs to.
    """

    pid: int
    start: int
    boot: str

    @classmethod
    def of(cls, pid: int) -> Identity | None:
        """The identity of a process that runs now; `None` where there is none, or only its remains."""
        fields = _stat(pid)
        if fields is None:
            return None
        return cls(pid=pid, start=int(fields[19]), boot=_boot())

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Identity:
        """Inverse of `to_document`."""
        return cls(pid=int(document["pid"]), start=int(document["start"]), boot=str(document["boot"]))

    def to_document(self) -> dict[str, Any]:
        """JSON-serialisable fields."""
        return {"pid": self.pid, "start": self.start, "boot": self.boot}

    def is_alive(self) -> bool:
        """Whether this very process still runs."""
        return Identity.of(self.pid) == self

    def signal(self, number: int) -> None:
        """Send a signal, if it still is this process."""
        if self.is_alive():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


def spawn(program: Program, log: IO[bytes], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start a program in a process group of its own; the kernel kills it when the calling thread ends.

    :param log: gets its standard output and error.
    :param environment: the whole one, but for what the program adds.
    :raises InfrastructureError: it could not be started.
    """
    parent = os.getpid()

    def before_exec() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        if os.getppid() != parent:
            os._exit(127)

    try:
        return subprocess.Popen(
            program.argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=program.cwd,
            env=environment | dict(program.environment),
            process_group=0,
            preexec_fn=before_exec,  # noqa: PLW1509 - it takes no lock
        )
    except OSError as error:
        raise InfrastructureError(
            f"{program.name} could not be started",
            found=f"{program.argv[0]}: {error.strerror}",
            do="pip install 'wheelyard[server]'",
        ) from error


def members(leader: Identity, run: str) -> list[Identity]:
    """What is left of a process group: its leader, and those whose environment names the same `up`.

    :param leader: whom the group was made for; it may be gone.
    :param run: the id of the `up` that made it.
    """
    mark = f"{RUN_VARIABLE}={run}".encode()
    found = []
    for pid in _pids():
        identity = Identity.of(pid)
        if identity is None or (identity != leader and not _is_of(pid, leader.pid, mark)):
            continue
        found.append(identity)
    return found


def end(processes: Iterable[Identity], seconds: float) -> list[Identity]:
    """Ask processes to end, wait for them, and kill those that did not; returns the killed ones."""
    asked = list(processes)
    for process in asked:
        process.signal(signal.SIGTERM)
    wait_gone(asked, seconds)
    late = [process for process in asked if process.is_alive()]
    for process in late:
        process.signal(signal.SIGKILL)
    wait_gone(late, 2)
    return late


def wait_gone(processes: Iterable[Identity], seconds: float) -> bool:
    """Wait until none of them runs; returns whether that came true in time."""
    left = list(processes)
    limit = time.monotonic() + seconds
    while left := [process for process in left if process.is_alive()]:
        if time.monotonic() >= limit:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _stat(pid: int) -> list[str] | None:
    """Fields 3 and up of /proc/PID/stat; `None` for a process that is gone or a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in {"Z", "X"} else fields


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _is_of(pid: int, group: int, mark: bytes) -> bool:
    fields = _stat(pid)
    if fields is None or int(fields[2]) != group:
        return False
    try:
        return mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
