"""Processes of the stack that a test may kill, stop and start, each with all of its children."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from wheelyard.stack.processes import spawn
from wheelyard.stack.program import Program


class Room:
    """One program of ours or a server's, started as often as a test wants.

    :param environment: the whole one.
    :param log: file that its output is appended to.
    """

    def __init__(self, program: Program, environment: Mapping[str, str], log: Path) -> None:
        self.name = program.name
        self._program = program
        self._environment = dict(environment)
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the process that runs now; 0 where none does."""
        return self._process.pid if self.alive and self._process else 0

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it, if it does not run."""
        if self.alive:
            return
        with self.log.open("ab") as stream:
            self._process = spawn(self._program, stream, self._environment)

    def kill(self) -> None:
        """End the whole tree as a machine's failure would: nobody gets to say anything."""
        self.signal_tree(signal.SIGKILL)
        if self._process is not None:
            self._process.wait(timeout=30)

    def stop(self) -> None:
        """Tell it to end, and wait for that."""
        if self.alive and self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self.kill()

    def signal_tree(self, number: int) -> None:
        """Send a signal to the process and all its descendants, the process first."""
        if not self.pid:
            return
        for pid in tree_of(self.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def last_words(self) -> str:
        """The end of its log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return f"--- {self.name} ---\n{text[-6000:]}"


def tree_of(pid: int) -> list[int]:
    """A process and its descendants, parents first."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [pid]
    for one in found:
        found += parents.get(one, [])
    return found
