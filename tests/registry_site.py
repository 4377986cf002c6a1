"""A real registry (docker-registry) on loopback, and a wire before it that can be cut in the middle."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

USER, PASSWORD = "pusher", "let me in"
# bcrypt, the only one that the registry takes.
HTPASSWD = f"{USER}:$2y$05$abcdefghijklmnopqrstuu4h2R.N3/mVBA7Xh7aLzKSJDAsK61n52\n"
CONFIG = """\
version: 0.1
log: {{accesslog: {{disabled: false}}}}
storage: {{filesystem: {{rootdirectory: {root}}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}", secret: "of the tests"}}
"""
AUTH = "auth: {{htpasswd: {{realm: tests, path: {path}}}}}\n"
_ACCESS = re.compile(r'"(?P<method>[A-Z]+) (?P<path>\S+) HTTP/[0-9.]+" (?P<status>[0-9]{3})')


@dataclass(frozen=True, kw_only=True)
class RegistrySite:
    """A registry that runs.

    :param host: `127.0.0.1:PORT`.
    :param folder: where its blobs and its log lie.
    """

    host: str
    folder: Path

    @property
    def port(self) -> int:
        return int(self.host.rpartition(":")[2])

    def requests(self) -> list[tuple[str, str, int]]:
        """Method, path and status of all that it was asked so far."""
        lines = (self.folder / "log").read_text(errors="replace").splitlines()
        found = [match for line in lines if (match := _ACCESS.search(line))]
        return [(match["method"], match["path"], int(match["status"])) for match in found]

    def blob(self, hexadecimal: str) -> bytes | None:
        place = self.folder / "data/docker/registry/v2/blobs/sha256" / hexadecimal[:2] / hexadecimal / "data"
        return place.read_bytes() if place.is_file() else None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serve_registry(folder: Path, *, login: bool = False) -> Iterator[RegistrySite]:
    """A registry that ends with the block; the test is skipped where docker-registry is not installed.

    :param login: whether it wants `USER` and `PASSWORD`.
    """
    if shutil.which("docker-registry") is None:
        pytest.skip("docker-registry is not installed")
    port = free_port()
    config = CONFIG.format(root=folder / "data", port=port)
    if login:
        (folder / "htpasswd").write_text(HTPASSWD)
        config += AUTH.format(path=folder / "htpasswd")
    (folder / "config.yml").write_text(config)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["docker-registry", "serve", str(folder / "config.yml")], stdout=log, stderr=subprocess.STDOUT
        )
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        yield RegistrySite(host=f"127.0.0.1:{port}", folder=folder)
    finally:
        process.terminate()
        process.wait(timeout=30)


class CutWire:
    """A wire to a server on loopback that passes bytes on, and breaks in the middle on demand.

    :param port: of the server behind it.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._lock = threading.Lock()
        self._cuts: list[int] = []
        self.passed = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_after(self, *counts: int) -> None:
        """Break connections that have sent that many bytes, each number once and in turn."""
        with self._lock:
            self._cuts = list(counts)

    @property
    def cuts_left(self) -> int:
        with self._lock:
            return len(self._cuts)

    def close(self) -> None:
        self._server.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                threading.Thread(target=self._pass, args=(client,), daemon=True).start()

    def _pass(self, client: socket.socket) -> None:
        server = socket.create_connection(("127.0.0.1", self._port))
        back = threading.Thread(target=self._pump, args=(server, client, False), daemon=True)
        back.start()
        self._pump(client, server, True)
        back.join(60)
        client.close()
        server.close()

    def _pump(self, source: socket.socket, target: socket.socket, counted: bool) -> None:
        sent = 0
        with contextlib.suppress(OSError):
            while chunk := source.recv(1 << 16):
                if counted:
                    sent += len(chunk)
                    with self._lock:
                        self.passed += len(chunk)
                        cut = bool(self._cuts) and sent > self._cuts[0]
                        if cut:
                            self._cuts.pop(0)
                    if cut:
                        for end in (source, target):
                            end.shutdown(socket.SHUT_RDWR)
                        return
                target.sendall(chunk)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)
