"""An ASGI application on a Unix socket in a private folder, for as long as a container needs it."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from wheelyard.errors import InfrastructureError

SOCKET_NAME = "index.sock"


def _listen(folder: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # An address of a Unix socket holds 107 bytes; by way of the open folder any path is short enough.
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        listener.bind(f"/proc/self/fd/{opened}/{SOCKET_NAME}")
    finally:
        os.close(opened)
    # The container's user is another one than ours; the folder around it is closed to everybody else.
    (folder / SOCKET_NAME).chmod(0o666)
    listener.listen(64)
    return listener


@contextmanager
def serve_on_socket(application: Any, scratch: Path | None = None) -> Iterator[Path]:
    """Serve an ASGI application on a Unix socket from a thread; gives the folder that holds it.

    The folder can be mounted into a container: whoever sees it may connect, and nobody else on the host does.

    :param application: an ASGI application.
    :param scratch: where the private folder is made; `None` means the operating system's place.
    :raises InfrastructureError: the server did not start.
    """
    with tempfile.TemporaryDirectory(prefix="wheelyard-door-", dir=scratch) as private:
        folder = Path(private) / "door"
        folder.mkdir(mode=0o755)
        folder.chmod(0o755)
        listener = _listen(folder)
        server = uvicorn.Server(
            uvicorn.Config(
                application,
                log_level="critical",
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=2,
            )
        )
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listener]}, name="pull-through", daemon=True
        )
        thread.start()
        try:
            _await_start(server, thread)
            yield folder
        finally:
            server.should_exit = True
            thread.join(timeout=10)
            listener.close()


def _await_start(server: uvicorn.Server, thread: threading.Thread) -> None:
    until = time.monotonic() + 15
    while not server.started:
        if not thread.is_alive() or time.monotonic() > until:
            raise InfrastructureError("the pull-through index did not start", do="try again")
        time.sleep(0.01)
