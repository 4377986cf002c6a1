"""A door on loopback by which this host's engine takes an image of the store, as far as it lacks it."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import BinaryIO

from wheelyard.digests import Digest
from wheelyard.errors import WheelyardError
from wheelyard.oci import BlobOpener, Image

_CHUNK = 1 << 20
_VERSION = "/v2/"


@contextmanager
def offer_image(image: Image, open_blob: BlobOpener) -> Iterator[str]:
    """Serve one image as a registry does (OCI distribution specification, pull), on a port of its own.

    :param open_blob: opens a layer's compressed bytes.
    :returns: the reference that `Engine.pull` takes. Its name is drawn, so that nobody else has it.
    """
    repository = secrets.token_hex(16)
    server = _Door(image, open_blob, f"{_VERSION}{repository}/")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="image-door", daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}/{repository}@{image.digest}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)


class _Door(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, image: Image, open_blob: BlobOpener, place: str) -> None:
        super().__init__(("127.0.0.1", 0), _Visitor)
        self.place = place
        self.manifest = image.manifest
        self.manifest_type = str(json.loads(image.manifest)["mediaType"])
        self.digest = image.digest
        self._config = image.config
        self._image = image.id
        self._sizes: Mapping[Digest, int] = {layer.digest: layer.size for layer in image.layers}
        self._open = open_blob

    def blob(self, digest: Digest) -> tuple[int, BinaryIO] | None:
        """A blob's size and bytes; None where it is none of the image's."""
        if digest == self._image:
            return len(self._config), BytesIO(self._config)
        size = self._sizes.get(digest)
        return None if size is None else (size, self._open(digest))


class _Visitor(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Door

    def do_HEAD(self) -> None:
        """As `do_GET`, without the bytes."""
        self.do_GET()

    def do_GET(self) -> None:
        """The version, the manifest, or a blob."""
        door = self.server
        kind, _, name = self.path.removeprefix(door.place).partition("/")
        if self.path == _VERSION:
            self._answer(BytesIO(b"{}"), 2, "application/json")
        elif not self.path.startswith(door.place):
            self._nothing()
        elif kind == "manifests" and name == str(door.digest):
            self._answer(BytesIO(door.manifest), len(door.manifest), door.manifest_type)
        elif kind == "blobs":
            self._blob(name)
        else:
            self._nothing()

    def _blob(self, name: str) -> None:
        try:
            found = self.server.blob(Digest.parse(name))
        except WheelyardError:
            found = None
        if found is None:
            self._nothing()
            return
        size, stream = found
        with stream:
            self._answer(stream, size, "application/octet-stream")

    def _answer(self, stream: BinaryIO, size: int, media_type: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(size))
        if media_type == self.server.manifest_type:
            self.send_header("Docker-Content-Digest", str(self.server.digest))
        self.end_headers()
        if self.command == "HEAD":
            return
        # Whoever asked may go away in the middle.
        with suppress(ConnectionError):
            while chunk := stream.read(_CHUNK):
                self.wfile.write(chunk)

    def _nothing(self) -> None:
        self.send_response(HTTPStatus.NOT_FOUND)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """What an engine asks is no news."""
