"""A registry in memory that does what docker-registry does not: tokens, resumed uploads, limits, refusals."""

from __future__ import annotations

import base64
import re
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from wheelyard.digests import Digest

USER, PASSWORD, IDENTITY = "pusher", "let me in", "an identity token"


@dataclass
class FakeRegistry:
    """What it holds, and how it behaves.

    :param tokens: whether it wants bearer tokens, which its own token server gives for a login.
    :param token_uses: requests that a token is good for.
    :param most: bytes that one request may bring.
    :param refusing: pattern of `METHOD path` to the status that it is answered with.
    :param losing: patterns of requests that are carried out, and whose answer is lost; each once.
    """

    tokens: bool = False
    token_uses: int = 1000
    most: int = 1 << 40
    refusing: dict[str, int] = field(default_factory=dict)
    losing: list[str] = field(default_factory=list)
    host: str = ""
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    uploads: dict[str, bytearray] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    asked: list[dict[str, list[str]]] = field(default_factory=list)
    received: int = 0
    uses: dict[str, int] = field(default_factory=dict)


@contextmanager
def serving(registry: FakeRegistry) -> Iterator[FakeRegistry]:
    """Serve it on a free port of loopback."""
    server = _Server(("127.0.0.1", 0), _Asked)
    server.registry = registry
    registry.host = f"127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    registry: FakeRegistry

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: connections are cut here."""


class _Asked(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Keep a test's output its own."""

    def do_any(self) -> None:
        registry = self.server.registry
        parts = urlsplit(self.path)
        self.query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.asked = f"{self.command} {parts.path}"
        registry.requests.append((self.command, self.path))
        self.unread = int(self.headers.get("Content-Length") or 0)
        if parts.path == "/token":
            self.give_token(parse_qs(parts.query))
            return
        if registry.tokens and not self.is_known():
            self.reply(
                401, {"WWW-Authenticate": f'Bearer realm="http://{registry.host}/token",service="tests"'}
            )
            return
        for pattern, status in registry.refusing.items():
            if re.search(pattern, self.asked):
                body = b'{"errors":[{"code":"DENIED","message":"the tests say so"}]}'
                self.reply(status, {"Content-Type": "application/json"}, body)
                return
        match = re.fullmatch(r"/v2/(.+)/(blobs/uploads/|blobs|manifests)/?([^/]*)", parts.path)
        if match is None:
            self.reply(200 if parts.path == "/v2/" else 404)
        elif match[2] == "blobs/uploads/":
            self.upload(match[1], match[3])
        elif match[2] == "blobs":
            self.blob(f"{match[1]} {match[3]}")
        else:
            self.manifest(f"{match[1]} {match[3]}")

    do_GET = do_PUT = do_POST = do_HEAD = do_PATCH = do_any  # noqa: N815 - http.server's names

    def is_known(self) -> bool:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        left = self.server.registry.uses.get(token, 0)
        self.server.registry.uses[token] = left - 1
        return left > 0

    def give_token(self, query: dict[str, list[str]]) -> None:
        registry = self.server.registry
        if self.command == "POST":
            query = parse_qs(self.whole().decode())
            known = query["refresh_token"] == [IDENTITY]
        else:
            pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            known = self.headers.get("Authorization") == f"Basic {pair}"
        registry.asked.append(query)
        if not known:
            self.reply(401)
            return
        token = uuid.uuid4().hex
        registry.uses[token] = registry.token_uses
        self.reply(200, {"Content-Type": "application/json"}, b'{"token":"%s"}' % token.encode())

    def upload(self, repository: str, upload: str) -> None:
        registry = self.server.registry
        if self.command == "POST":
            source = f"{self.query.get('from')} {self.query.get('mount')}"
            if source in registry.blobs:
                registry.blobs[f"{repository} {self.query['mount']}"] = registry.blobs[source]
                self.reply(201)
                return
            upload = uuid.uuid4().hex
            registry.uploads[upload] = bytearray()
        if upload not in registry.uploads:
            self.reply(404)
            return
        kept = registry.uploads[upload]
        if self.command in {"PATCH", "PUT"}:
            begins = self.headers.get("Content-Range", f"{len(kept)}-").partition("-")[0]
            if int(begins) != len(kept):
                self.reply(416, self.place(repository, upload))
                return
            if int(self.headers.get("Content-Length", 0)) > registry.most:
                self.reply(413)
                return
            if not self.take(kept):
                return
        if self.command != "PUT":
            self.reply(204 if self.command == "GET" else 202, self.place(repository, upload))
        elif str(Digest.of(bytes(kept))) != self.query["digest"]:
            self.reply(400)
        else:
            registry.blobs[f"{repository} {self.query['digest']}"] = bytes(registry.uploads.pop(upload))
            self.reply(201)

    def take(self, kept: bytearray) -> bool:
        while self.unread:
            chunk = self.read()
            if not chunk:
                return False
            kept += chunk
            self.server.registry.received += len(chunk)
        return True

    def read(self) -> bytes:
        """Some of the body; nothing where the connection broke."""
        chunk = b""
        with suppress(OSError):
            chunk = self.rfile.read1(min(self.unread, 1 << 16))
        self.close_connection = self.close_connection or not chunk
        self.unread -= len(chunk)
        return chunk

    def whole(self) -> bytes:
        parts = []
        while self.unread and (chunk := self.read()):
            parts.append(chunk)
        return b"".join(parts)

    def place(self, repository: str, upload: str) -> dict[str, str]:
        reached = max(len(self.server.registry.uploads[upload]) - 1, 0)
        return {"Location": f"/v2/{repository}/blobs/uploads/{upload}?state=a%3D", "Range": f"0-{reached}"}

    def blob(self, key: str) -> None:
        body = self.server.registry.blobs.get(key)
        if body is None:
            self.reply(404)
        else:
            self.reply(200, {"Content-Type": "application/octet-stream"}, body)

    def manifest(self, key: str) -> None:
        manifests = self.server.registry.manifests
        if self.command == "PUT":
            body = self.whole()
            manifests[key] = manifests[f"{key.split(maxsplit=1)[0]} {Digest.of(body)}"] = (
                body,
                self.headers["Content-Type"],
            )
            self.reply(201)
        elif key in manifests:
            body, media_type = manifests[key]
            self.reply(200, {"Content-Type": media_type}, body)
        else:
            self.reply(404)

    def reply(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self.whole()
        lost = next((one for one in self.server.registry.losing if re.search(one, self.asked)), None)
        if lost is not None:
            self.server.registry.losing.remove(lost)
            self.close_connection = True
            return
        self.send_response_only(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            with suppress(OSError):
                self.wfile.write(body)
