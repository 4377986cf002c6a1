"""TCP ports on loopback: free ones to take, and who holds one that is taken."""

from __future__ import annotations

import random
import socket
from contextlib import suppress
from pathlib import Path

from wheelyard.errors import InfrastructureError

GRPC_OFFSET = 10000
"""How far above its HTTP port each server of SeaweedFS has its gRPC port; its parts rely on that."""

# Both below the kernel's range for outgoing connections (32768 and up), one of which could be there first.
_LOWEST, _HIGHEST = 20000, 22700
_TRIES = 2000
_LISTEN = "0A"


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on a port now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def has_free_pair(port: int) -> bool:
    """Whether a port is free, and the one for gRPC above it too."""
    return is_free(port) and is_free(port + GRPC_OFFSET)


def free_ports(count: int) -> tuple[int, ...]:
    """Distinct ports of loopback that are free now, with those `GRPC_OFFSET` above them.

    Drawn at random, so that two stacks seldom want the same.

    :raises InfrastructureError: there are not that many.
    """
    draw = random.SystemRandom()
    found: list[int] = []
    for _ in range(_TRIES):
        port = draw.randrange(_LOWEST, _HIGHEST)
        if port not in found and has_free_pair(port):
            found.append(port)
            if len(found) == count:
                return tuple(found)
    raise InfrastructureError(
        f"there are no {count} free TCP ports on loopback",
        expected=f"free ports between {_LOWEST} and {_HIGHEST}",
        do="end what holds them; `ss -ltn` lists it",
    )


def holder_of(port: int) -> str:
    """Who listens on a port: `process 4711 (nginx)`; empty where the kernel does not tell this user."""
    sockets = _listening(port)
    for process in Path("/proc").iterdir():
        if not sockets or not process.name.isdigit():
            continue
        with suppress(OSError):
            for handle in (process / "fd").iterdir():
                if str(handle.readlink()) in sockets:
                    return f"process {process.name} ({(process / 'comm').read_text().strip()})"
    return ""


def _listening(port: int) -> set[str]:
    """The sockets that listen on a port, as /proc/PID/fd names them (proc(5), /proc/net/tcp)."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                    found.add(f"socket:[{fields[9]}]")
    return found
