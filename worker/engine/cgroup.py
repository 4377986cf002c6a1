"""The kernel's own count of processes that a container's memory limit killed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryCounters:
    """The file in which one cgroup counts its out-of-memory kills.

    Engines answer `OOMKilled: false` where only a child of the container was killed, which is what a compile
    looks like; the cgroup's counter is right in that case too.

    :param file: `memory.oom_control` (cgroup v1) or `memory.events` (v2); None where it can't be read from
        here, for instance where the engine runs on another machine.
    """

    file: Path | None

    @classmethod
    def of_process(cls, pid: int, *, proc: Path = PROC, cgroup: Path = CGROUP) -> MemoryCounters:
        """The counters of the cgroup that a process belongs to.

        :param pid: of the container's first process, as this machine numbers it.
        :param proc: where procfs is mounted.
        :param cgroup: where the cgroup hierarchies are mounted.
        """
        try:
            lines = (proc / str(pid) / "cgroup").read_text("utf-8").splitlines()
        except OSError:
            return cls(file=None)
        places = []
        for line in lines:
            _, controllers, path = line.split(":", 2)
            inside = path.lstrip("/")
            if "memory" in controllers.split(","):
                places.append(cgroup / "memory" / inside / "memory.oom_control")
            elif not controllers:
                places.append(cgroup / inside / "memory.events")
        return cls(file=next((place for place in places if place.is_file()), None))

    def kills(self) -> int | None:
        """Number of out-of-memory kills so far; None where the cgroup is gone or can't be read."""
        if self.file is None:
            return None
        try:
            lines = self.file.read_text("utf-8").splitlines()
        except OSError:
            return None
        for line in lines:
            name, _, value = line.partition(" ")
            if name == "oom_kill":
                return int(value)
        return None
