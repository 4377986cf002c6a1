"""Capacity: how many jobs a worker runs at once, and each one's share of its cores and memory."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from wheelyard.settings import Settings

PROC = Path("/proc")
CGROUP = Path("/sys/fs/cgroup")
_RESERVE = 2 << 30
_LEAST_MEMORY = 1 << 28
_LARGEST = 1 << 50
_JOB_MEMORY = 1 << 30
"""Of a parallel job of which nothing is known, where there are more of them than cores at the start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a worker may use.

    :param cores: a fraction where a cgroup grants one.
    :param memory: for all of its builds together, in bytes.
    """

    cores: float
    memory: int


def find_machine(settings: Settings, *, proc: Path = PROC, cgroup: Path = CGROUP) -> Machine:
    """The smaller of what the host has and what this process's cgroups (v1 or v2) grant; settings win.

    :param proc: where procfs is mounted.
    :param cgroup: where the cgroup hierarchies are mounted.
    """
    places = _cgroups(proc, cgroup)
    cores = min([float(len(os.sched_getaffinity(0))), *(_quota(place) for place in places)])
    memory = min(_host_memory(proc), *(_memory_limit(place) for place in places), float(_LARGEST))
    # The worker itself, and on one machine also the store and the front door, need some of it.
    left = max(int(memory - min(memory / 8, _RESERVE)), _LEAST_MEMORY)
    return Machine(cores=settings.worker_cores or cores, memory=settings.worker_memory or left)


def _cgroups(proc: Path, cgroup: Path) -> list[Path]:
    """Folders of this process's cgroups and of those above them: a limit holds for all that is below."""
    found: list[Path] = []
    try:
        lines = (proc / "self" / "cgroup").read_text("utf-8").splitlines()
    except OSError:
        return found
    for line in lines:
        _, controllers, path = line.split(":", 2)
        roots = [cgroup] if not controllers else [cgroup / name for name in controllers.split(",")]
        for root in roots:
            place = root / path.lstrip("/")
            found += [place, *(above for above in place.parents if above == root or root in above.parents)]
    return found


def _words(place: Path) -> list[str]:
    try:
        return place.read_text("utf-8").split()
    except OSError:
        return []


def _quota(place: Path) -> float:
    quota, period = [*_words(place / "cpu.max"), "max", "100000"][:2]
    if quota == "max":
        quota = next(iter(_words(place / "cpu.cfs_quota_us")), "-1")
        period = next(iter(_words(place / "cpu.cfs_period_us")), "100000")
    return int(quota) / int(period) if int(quota) > 0 else math.inf


def _memory_limit(place: Path) -> float:
    for name in ("memory.max", "memory.limit_in_bytes"):
        for word in _words(place / name):
            return math.inf if word == "max" else float(word)
    return math.inf


def _host_memory(proc: Path) -> float:
    words = _words(proc / "meminfo")
    return float(words[words.index("MemTotal:") + 1]) * 1024 if "MemTotal:" in words else math.inf


class Verdict(Enum):
    """Whether a job can be had."""

    TAKE = "take"
    WAIT = "wait"
    """Not now; nothing behind it may overtake it, or a large one would wait for ever."""
    PASS = "pass"  # noqa: S105 - it is no password
    """Never here, but another worker can: it is left for that one."""


class Seat:
    """A job's place in its worker, from before its claim until its end.

    :param memory: bytes that it may use; less than it asked for where no worker has as much.
    """

    def __init__(self, capacity: Capacity, memory: int, *, compiles: bool) -> None:
        self._capacity = capacity
        self.memory = memory
        self.compiles = compiles

    def cores(self) -> float:
        """Its share of the worker's cores at this moment."""
        return self._capacity.share()

    @property
    def most_cores(self) -> float:
        """What its share would be if it were alone."""
        return self._capacity.machine.cores

    def leave(self) -> None:
        """Give the place back. Once."""
        self._capacity.leave(self)


class Capacity:
    """A worker's places. Safe to use from any number of threads.

    :param slots: jobs at the same time at the most; 0 means as many as memory and cores allow.
    :param elsewhere: the largest memory that another worker of a queue has for builds, in bytes.
    """

    def __init__(self, machine: Machine, slots: int, elsewhere: Callable[[str], int]) -> None:
        self.machine = machine
        self.slots = slots or max(1, int(machine.cores))
        self._elsewhere = elsewhere
        self._seats: list[Seat] = []
        self._waiting = 0
        self._lock = threading.Lock()

    @property
    def full(self) -> bool:
        """Whether nothing more can be taken, however small it is."""
        with self._lock:
            return len(self._seats) >= self.slots

    def ask(self, memory: int, queue: str, *, compiles: bool = True) -> tuple[Verdict, Seat | None]:
        """Whether a job can be taken now, and its place where it can.

        One that is larger than the whole worker is left to a worker that is large enough. Where there is
        none, it runs alone with the memory that there is, rather than never.

        :param memory: that it needs, in bytes; 0 for one that only coordinates.
        """
        larger = memory > self.machine.memory
        if larger and self._elsewhere(queue) >= memory:
            return Verdict.PASS, None
        with self._lock:
            taken = sum(seat.memory for seat in self._seats)
            granted = min(memory, self.machine.memory)
            if len(self._seats) >= self.slots or taken + granted > self.machine.memory:
                return Verdict.WAIT, None
            seat = Seat(self, granted, compiles=compiles)
            self._seats.append(seat)
            return Verdict.TAKE, seat

    def leave(self, seat: Seat) -> None:
        """Called by the seat."""
        with self._lock:
            self._seats.remove(seat)

    def note_waiting(self, jobs: int) -> None:
        """Note how many jobs could be taken next, so that one that starts now leaves them their cores."""
        with self._lock:
            self._waiting = jobs

    def share(self) -> float:
        """Cores for each compile, among those that run or wait for this worker."""
        with self._lock:
            compiling = [seat.memory for seat in self._seats if seat.compiles]
            # What waits will run beside only as far as there is room.
            typical = max(compiling, default=0)
            room = self.slots - len(self._seats)
            if typical:
                room = min(room, (self.machine.memory - sum(compiling)) // typical)
            together = len(compiling) + min(self._waiting, max(room, 0))
            return max(self.machine.cores / max(together, 1), min(1.0, self.machine.cores))


def parallel_jobs(share: float, most: float, *, memory: int, memory_per_job: int, asked: int) -> int:
    """Parallel jobs of one compile, whose build tools can't be told of more of them later.

    :param share: its cores at its start.
    :param most: cores that it may have later, when others have ended.
    :param memory: of its container, in bytes.
    :param memory_per_job: that one of them needs, in bytes; 0 means unknown.
    :param asked: number that the settings ask for; 0 leaves it to the share.
    """
    later = min(int(most), memory // (memory_per_job or _JOB_MEMORY))
    jobs = asked or max(1, int(share), later)
    return max(1, min(jobs, memory // memory_per_job)) if memory_per_job else jobs
