"""A registry of one image on loopback, from which this machine's engine takes the layers that it lacks."""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from wheelyard.digests import Digest
from wheelyard.errors import WheelyardError
from wheelyard.oci import BlobOpener, CheckedBlob, Image

_PLACE = re.compile(r"/v2/([a-z0-9/]+)/(manifests|blobs)/([A-Za-z0-9:]+)")
_CHUNK = 1 << 18
_TAG = "loaded"


class LoopbackRegistry:
    """What one engine may pull, under a name that nobody else on the machine can guess.

    :param open_blob: opens a layer's compressed bytes; they are hashed on their way.
    """

    def __init__(self, image: Image, open_blob: BlobOpener) -> None:
        self.image = image
        self.repository = f"wheelyard/{secrets.token_hex(16)}"
        self.failure: WheelyardError | None = None
        self.asked = 0
        self._open_blob = open_blob
        self._layers = {layer.digest: layer for layer in image.layers}
        self._server = _Server(("127.0.0.1", 0), _Request)
        self._server.registry = self

    @property
    def reference(self) -> str:
        """What the engine pulls, by a tag."""
        return f"{self._place}:{_TAG}"

    @property
    def exact_reference(self) -> str:
        """The same, by the digest of the manifest: an engine that has it for another image asks again."""
        return f"{self._place}@{self.image.digest}"

    @property
    def _place(self) -> str:
        return f"127.0.0.1:{self._server.server_port}/{self.repository}"

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Answer for as long as the block runs."""
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def document(self, kind: str, name: str) -> tuple[bytes, str] | None:
        """The manifest or the config under that name, and its media type; None where it is neither."""
        image = self.image
        if kind == "manifests" and name in (_TAG, str(image.digest)):
            return image.manifest, image.media_type
        if kind == "blobs" and name == str(image.id):
            return image.config, "application/octet-stream"
        return None

    def pieces(self, name: str) -> tuple[int, Iterator[bytes]] | None:
        """Size and bytes of a layer; None where the image has no such one."""
        layer = self._layers.get(Digest.parse(name)) if re.fullmatch("sha256:[0-9a-f]{64}", name) else None
        if layer is None:
            return None

        def read() -> Iterator[bytes]:
            with self._open_blob(layer.digest) as stream:
                checked = CheckedBlob(layer, stream)
                left = layer.size
                while left and (chunk := checked.read(min(_CHUNK, left))):
                    left -= len(chunk)
                    if not left:
                        # The last piece goes out only where all of them are what the image names.
                        checked.check()
                    yield chunk
                if left:
                    checked.check()

        return layer.size, read()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    registry: LoopbackRegistry

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: an engine that goes away says why itself."""


class _Request(BaseHTTPRequestHandler):
    """What an engine asks: the documents, and the layers that it lacks."""

    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """What an engine asks is no news, and no part of a command's output."""

    def do_GET(self) -> None:
        """Answer GET and HEAD."""
        registry = self.server.registry
        if self.path == "/v2/":
            self._reply(200, b"{}", "application/json")
            return
        match = _PLACE.fullmatch(self.path)
        if match is None or not secrets.compare_digest(match[1], registry.repository):
            self._reply(404, b"", "text/plain")
            return
        registry.asked += 1
        document = registry.document(match[2], match[3])
        if document is not None:
            self._reply(200, *document)
            return
        found = registry.pieces(match[3]) if match[2] == "blobs" else None
        if found is None:
            self._reply(404, b"", "text/plain")
            return
        self._stream(*found)

    do_HEAD = do_GET  # noqa: N815 - http.server's name

    def _stream(self, size: int, pieces: Iterator[bytes]) -> None:
        self._begin(200, size, "application/octet-stream")
        if self.command == "HEAD":
            return
        try:
            for piece in pieces:
                self.wfile.write(piece)
        except OSError:
            self.close_connection = True
        except WheelyardError as error:
            self.server.registry.failure = error
            self.close_connection = True

    def _reply(self, status: int, body: bytes, media_type: str) -> None:
        self._begin(status, len(body), media_type)
        if self.command != "HEAD":
            with suppress(OSError):
                self.wfile.write(body)

    def _begin(self, status: int, size: int, media_type: str) -> None:
        self.send_response_only(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(size))
        self.end_headers()
