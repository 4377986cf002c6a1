"""The door of a container without network: a loopback port that leads to our index's Unix socket.

It runs inside the container with nothing but the standard library, on Python 3.9 or newer:

    python socket_door.py SOCKET COMMAND [ARGUMENT...]

It listens on a free port of 127.0.0.1, replaces `@DOOR@` by `http://127.0.0.1:PORT` in the command's
arguments and environment, runs it, and ends with its exit status.
"""

from __future__ import annotations

import contextlib
import os
import socket
import socketserver
import subprocess
import sys
import threading
from typing import Any

PLACE = "@DOOR@"
CHUNK = 1 << 16


def pump(source: socket.socket, target: socket.socket) -> None:
    """Copy bytes from one socket to the other until the source ends, then tell the target so."""
    # Either side may hang up at any time; the other one then sees the end, and their owners close both.
    with contextlib.suppress(OSError):
        while chunk := source.recv(CHUNK):
            target.sendall(chunk)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


class Visitor(socketserver.BaseRequestHandler):
    """One connection through the door."""

    server: Door

    def handle(self) -> None:
        """Connect to the socket and copy in both directions until both have ended."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as inner:
            inner.connect(self.server.socket_path)
            back = threading.Thread(target=pump, args=(inner, self.request), daemon=True)
            back.start()
            pump(self.request, inner)
            back.join()


class Door(socketserver.ThreadingTCPServer):
    """The listening side."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, socket_path: str) -> None:
        self.socket_path = socket_path
        super().__init__(("127.0.0.1", 0), Visitor)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  # the base class's signature
        """Say in one line what went wrong; the visitor sees a closed connection."""
        print(f"socket_door: {sys.exc_info()[1]!r}", file=sys.stderr, flush=True)


def main(argv: list[str]) -> int:
    """Open the door, run the command, and return its exit status."""
    door = Door(argv[1])
    threading.Thread(target=door.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{door.server_address[1]}"
    environment = {name: value.replace(PLACE, address) for name, value in os.environ.items()}
    command = [argument.replace(PLACE, address) for argument in argv[2:]]
    code = subprocess.call(command, env=environment)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv))
