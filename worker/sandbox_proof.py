"""The sandbox's properties, each tried in a container on this very machine."""

from __future__ import annotations

import contextlib
import functools
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from wheelyard.errors import Cancelled
from worker.engine.contract import Container, ContainerSpec, Engine

JOB = "doctor"
MIB = 1 << 20
TIMEOUT = 60.0
NOWHERE = "0" * 16

# A toolchain has Python, busybox has nc.
_CONNECT = (
    "if command -v python3 >/dev/null; then "
    "python3 -c 'import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)' $0 $1; "
    "else nc -w 5 $0 $1 </dev/null; fi"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """One property of the sandbox.

    :param name: what a container must be, as a sentence's end: `has no network`.
    :param holds: tries it; returns what it found where the property does not hold, and nothing where it does.
    :param do: what helps where it does not hold.
    """

    name: str
    holds: Callable[[Proof], str]
    do: str


def prove(engine: Engine, image: str) -> Iterator[tuple[Property, str]]:
    """Try each property; yields it with what was found against it, which is empty where it holds.

    :param image: id of an image with a shell and the usual small programs.
    :raises EngineFailed: no container starts at all.
    """
    proof = Proof(engine, image)
    try:
        for tried in PROPERTIES:
            yield tried, tried.holds(proof)
    finally:
        for left in engine.containers():
            if left.job == JOB:
                engine.remove(left.id)


class Proof:
    """Containers to try things in, and what the first of them says of itself."""

    def __init__(self, engine: Engine, image: str) -> None:
        self.engine = engine
        self._image = image

    @contextlib.contextmanager
    def container(
        self, *, memory: int = 128 * MIB, pids: int = 64, tmp: int = 32 * MIB
    ) -> Iterator[Container]:
        """A fresh container, removed at the end.

        :param memory: in bytes.
        :param pids: processes and threads.
        :param tmp: size of its `/tmp` in bytes.
        """
        spec = ContainerSpec(
            image=self._image,
            job=JOB,
            owner=JOB,
            memory=memory,
            pids=pids,
            tmpfs={"/tmp": tmp},  # noqa: S108 - a path inside the container
        )
        with self.engine.start(spec) as container:
            yield container

    @functools.cached_property
    def status(self) -> dict[str, str]:
        """`/proc/self/status` of a process in a container (proc(5))."""
        with self.container() as container:
            _, lines = _sh(container, "cat /proc/self/status")
        rows = (line.partition(":") for line in lines)
        return {name: value.strip() for name, _, value in rows}


def _sh(container: Container, script: str, *arguments: str) -> tuple[int, list[str]]:
    lines: list[str] = []
    ended = container.run(["/bin/sh", "-c", script, *arguments], on_line=lines.append, timeout=TIMEOUT)
    return ended.code, lines


def _interfaces(proof: Proof) -> str:
    with proof.container() as container:
        _, lines = _sh(container, "cat /proc/net/dev")
    names = {line.partition(":")[0].strip() for line in lines if ":" in line}
    return "" if names == {"lo"} else f"network interfaces {', '.join(sorted(names))}"


def _connects(proof: Proof) -> str:
    everywhere = ("0.0.0.0", 0)  # noqa: S104 - a listener that could be reached, for a moment
    with socket.create_server(everywhere, backlog=8) as listener, proof.container() as container:
        port = listener.getsockname()[1]
        reached = []
        for address in sorted({"127.0.0.1", _own_address()}):
            # From here it can be reached; else the container's failure would prove nothing.
            with socket.create_connection((address, port), 5):
                pass
            code, _ = _sh(container, _CONNECT, address, str(port))
            if code == 0:
                reached.append(f"{address}:{port}")
    return f"a connection to {' and '.join(reached)}" if reached else ""


def _own_address() -> str:
    """An address of this machine that is not loopback, where it has one; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def _capabilities(proof: Proof) -> str:
    status = proof.status
    held = {name: status.get(name, "?") for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}
    found = [f"{name} {value}" for name, value in held.items() if value != NOWHERE]
    return ", ".join(found)


def _new_privileges(proof: Proof) -> str:
    found = proof.status.get("NoNewPrivs", "?")
    return "" if found == "1" else f"NoNewPrivs {found}"


def _seccomp(proof: Proof) -> str:
    found = proof.status.get("Seccomp", "?")
    return "" if found == "2" else f"Seccomp {found}"


def _user(proof: Proof) -> str:
    ids = set(proof.status.get("Uid", "0").split())
    return "" if ids == {"1000"} else f"user ids {' '.join(sorted(ids))}"


def _root(proof: Proof) -> str:
    with proof.container() as container:
        _, lines = _sh(container, "for at in / /etc /bin /dev; do (: > $at/x) 2>/dev/null && echo $at; done")
        _, mounts = _sh(container, "cat /proc/mounts")
    options = next((row.split()[3].split(",") for row in mounts if row.split()[1] == "/"), [])
    found = lines + ([] if "ro" in options else ["/ (mounted for writing)"])
    return f"could write {', '.join(found)}" if found else ""


def _tmpfs(proof: Proof) -> str:
    script = "printf '#!/bin/sh\\necho ran\\n' > /tmp/x && chmod 755 /tmp/x && /tmp/x"
    with proof.container(tmp=4 * MIB) as container:
        _, lines = _sh(container, script)
        code, _ = _sh(container, "dd if=/dev/zero of=/tmp/y bs=1M count=16")
    if lines != ["ran"]:
        return f"a program on it did not run: {' '.join(lines)[:200]}"
    return "more bytes on it than its size" if code == 0 else ""


def _memory(proof: Proof) -> str:
    lines: list[str] = []
    with proof.container(memory=48 * MIB, tmp=256 * MIB) as container:
        ended = container.run(
            ["dd", "if=/dev/zero", "of=/tmp/x", "bs=1M", "count=160"], on_line=lines.append, timeout=TIMEOUT
        )
    if ended.code == 0:
        return "160 MiB of memory where 48 MiB are allowed"
    return "" if ended.out_of_memory else "a kill for lack of memory that the engine's counters do not show"


def _processes(proof: Proof) -> str:
    with proof.container(pids=16) as container:
        code, lines = _sh(container, "n=0; while [ $n -lt 60 ]; do sleep 30 & n=$((n+1)); done; echo started")
    return "60 processes where 16 are allowed" if code == 0 and "started" in lines else ""


def _removal(proof: Proof) -> str:
    with contextlib.suppress(Cancelled), proof.container() as container:
        timer = threading.Timer(0.3, container.kill)
        timer.start()
        _sh(container, "sleep 30")
    left = [one for one in proof.engine.containers() if one.job == JOB]
    return f"{len(left)} containers left behind" if left else ""


_ENGINE = "use a current podman or docker, and look in its configuration for options of every container"
_CGROUPS = "the engine needs cgroups: run it as root, or with cgroup v2 and delegated controllers"

PROPERTIES = (
    Property(name="sees no network interface but its own loopback", holds=_interfaces, do=_ENGINE),
    Property(name="can't connect to this machine", holds=_connects, do=_ENGINE),
    Property(name="holds no capability", holds=_capabilities, do=_ENGINE),
    Property(name="can't gain privileges", holds=_new_privileges, do=_ENGINE),
    Property(
        name="has its system calls filtered",
        holds=_seccomp,
        do="the kernel needs seccomp, and the engine its default profile (containers-common has it)",
    ),
    Property(name="is not root", holds=_user, do=_ENGINE),
    Property(name="can't write its root", holds=_root, do=_ENGINE),
    Property(name="has a sized tmpfs that runs programs", holds=_tmpfs, do=_ENGINE),
    Property(name="is held to its memory", holds=_memory, do=_CGROUPS),
    Property(name="is held to its number of processes", holds=_processes, do=_CGROUPS),
    Property(name="is removed after a kill", holds=_removal, do="see `podman ps --all`, and remove by hand"),
)
