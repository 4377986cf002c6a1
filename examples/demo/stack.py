"""The demo's own stack: `wheelyard up` in the background on a free port, ended by its own process id."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from examples.demo.failure import DemoFailed
from wheelyard.client import Client
from wheelyard.errors import WheelyardError

WHEELYARD = str(Path(sys.executable).parent / "wheelyard")
READY_SECONDS = 90
END_SECONDS = 45


class Stack:
    """One stack; after `start` it answers, and whoever started it calls `end`.

    :param folder: of its data; what a run leaves there, the next one finds.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"http://127.0.0.1:{_free_port()}"
        self.token = secrets.token_urlsafe(24)
        self.log = folder.parent / "up.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What a `wheelyard` command needs to find this stack."""
        return {
            **os.environ,
            "WHEELYARD_DATA_DIR": str(self.folder),
            "WHEELYARD_URL": self.url,
            "WHEELYARD_TOKEN": self.token,
        }

    def client(self) -> Client:
        """The Python client, for what the report asks."""
        return Client(self.url, self.token)

    def start(self) -> None:
        """Start it and wait until it is ready; where that fails, nothing of it is left running.

        :raises DemoFailed: it ended, or took too long; the text has its last words.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        port = self.url.rpartition(":")[2]
        with self.log.open("wb") as log:
            # A session of its own: Ctrl-C in the terminal reaches the demo, which ends things in their order.
            self._process = subprocess.Popen(
                [WHEELYARD, "up", "--port", port],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**self.environment, "WHEELYARD_URL": ""},
                start_new_session=True,
            )
        try:
            self._wait_ready(self._process)
        except BaseException:
            self.end()
            raise

    def _wait_ready(self, process: subprocess.Popen[bytes]) -> None:
        limit = time.monotonic() + READY_SECONDS
        with Client(self.url, self.token, answer_seconds=5) as client:
            while True:
                if process.poll() is not None:
                    raise DemoFailed(
                        f"`wheelyard up` ended with status {process.returncode}", self._last_words()
                    )
                try:
                    client.health()
                except WheelyardError as error:
                    if time.monotonic() > limit:
                        raise DemoFailed(
                            f"the stack is not ready after {READY_SECONDS} s",
                            f"{error}\n{self._last_words()}",
                        ) from error
                    time.sleep(0.2)
                else:
                    return

    def _last_words(self) -> str:
        words = self.log.read_text("utf-8", errors="replace").strip().splitlines()[-15:]
        return "\n".join([*words, f"(all of it: {self.log})"])

    def end(self) -> None:
        """Ask the supervisor to end, wait, and kill it only if it does not; safe to repeat."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        # A second Ctrl-C must not leave half of it running.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            process.send_signal(signal.SIGTERM)
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        finally:
            signal.signal(signal.SIGINT, before)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
