"""An HTTP proxy in front of the S3 server that fails on demand, in the ways of real networks and servers."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_CODES = {503: "ServiceUnavailable", 507: "InsufficientStorage"}
_HOP_BY_HOP = {"connection", "expect", "keep-alive", "transfer-encoding"}


class Fault(StrEnum):
    """What becomes of a request."""

    BUSY = auto()
    """It is answered with 503; the server never sees it."""
    FULL = auto()
    """It is answered with 507; the server never sees it."""
    HANG = auto()
    """Nobody answers, until the client gives up."""
    LOST = auto()
    """The server does it, and its answer is lost."""
    CUT = auto()
    """The connection breaks in the middle of the answer's body."""
    SLOW = auto()
    """It takes a hundred times as long."""
    HELD = auto()
    """It waits at the door of the server until the fault is over, and is then done."""


@dataclass
class Failing:
    """Requests that fail, and how.

    :param match: pattern of `METHOD /path`.
    :param left: how many more of them do.
    """

    fault: Fault
    match: re.Pattern[str]
    left: float = float("inf")
    met: int = 0
    over: threading.Event = field(default_factory=threading.Event)


class FaultProxy:
    """The proxy, on a free port of 127.0.0.1.

    :param port: of the server behind it, on loopback too.
    """

    def __init__(self, port: int) -> None:
        self._failing: list[Failing] = []
        self._lock = threading.Lock()
        self._server = _Server(port, self._fault_of)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @contextlib.contextmanager
    def failing(self, fault: Fault, match: str = "", times: float = float("inf")) -> Iterator[Failing]:
        """Let requests fail for as long as the block runs.

        :param match: pattern that is looked for in `METHOD /path`.
        :param times: how many requests fail; those after them pass.
        """
        failing = Failing(fault, re.compile(match), times)
        self._failing.append(failing)
        try:
            yield failing
        finally:
            failing.over.set()
            self._failing.remove(failing)

    def _fault_of(self, request: str) -> Failing | None:
        with self._lock:
            for one in self._failing:
                if one.left > 0 and one.match.search(request):
                    one.left -= 1
                    one.met += 1
                    return one
        return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, upstream: int, fault_of: Callable[[str], Failing | None]) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        self.upstream = upstream
        self.fault_of = fault_of

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients are killed here."""


class _Passing(BaseHTTPRequestHandler):
    """One connection of a client, and the one behind it."""

    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """Keep a test's output its own."""

    def setup(self) -> None:
        super().setup()
        self.upstream = http.client.HTTPConnection("127.0.0.1", self.server.upstream, timeout=60)

    def finish(self) -> None:
        self.upstream.close()
        with contextlib.suppress(OSError):
            super().finish()

    def pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        failing = self.server.fault_of(f"{self.command} {self.path}")
        fault = failing.fault if failing else None
        if failing is not None and fault in (Fault.HANG, Fault.HELD):
            failing.over.wait(120)
        if fault is Fault.HANG:
            self.cut()
            return
        if fault in (Fault.BUSY, Fault.FULL):
            self.refuse(503 if fault is Fault.BUSY else 507)
            return
        began = time.monotonic()
        answer, content = self.ask(body)
        if fault is Fault.LOST:
            self.cut()
            return
        if fault is Fault.SLOW:
            time.sleep(99 * (time.monotonic() - began))
        self.answer(answer, content, cut=fault is Fault.CUT)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = pass_on  # noqa: N815 - http.server's names

    def ask(self, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        # The signature covers the headers, Host included: they pass as they came.
        self.upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in _HOP_BY_HOP:
                self.upstream.putheader(name, value)
        self.upstream.endheaders(body or None)
        answer = self.upstream.getresponse()
        return answer, answer.read()

    def answer(self, answer: http.client.HTTPResponse, content: bytes, *, cut: bool) -> None:
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP_BY_HOP and name.lower() != "content-length":
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
        if answer.status not in (204, 304):
            self.send_header("Content-Length", length or "0")
        self.end_headers()
        if cut:
            self.wfile.write(content[: len(content) // 2])
            self.cut()
        elif self.command != "HEAD":
            self.wfile.write(content)

    def refuse(self, status: int) -> None:
        code = _CODES[status]
        text = f"<Error><Code>{code}</Code><Message>made by a test</Message></Error>".encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def cut(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
