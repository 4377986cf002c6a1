"""An image in memory, a source of its blobs that can break, and the push of it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from wheelyard.client import ServiceUnreachable
from wheelyard.digests import Digest
from wheelyard.oci import Runtime, compress_layer, make_image
from wheelyard.registry.address import parse_target
from wheelyard.registry.blob_upload import Arrival
from wheelyard.registry.image_push import layer_titles, push_image, read_parts
from wheelyard.registry.known_places import KnownPlaces
from wheelyard.registry.logins import Logins


class Source:
    """Blobs in memory; one that breaks gives a part of the bytes that were asked for, that many times."""

    def __init__(self) -> None:
        self.blobs: dict[Digest, bytes] = {}
        self.opened: list[tuple[Digest, int]] = []
        self.breaks = 0

    @contextmanager
    def open(self, digest: Digest, offset: int) -> Iterator[Iterator[bytes]]:
        self.opened.append((digest, offset))
        yield self._pieces(self.blobs[digest][offset:])

    def _pieces(self, body: bytes) -> Iterator[bytes]:
        for start in range(0, len(body), 1 << 16):
            if self.breaks and start > len(body) // 2:
                self.breaks -= 1
                raise ServiceUnreachable("the download broke off", found="a test")
            yield body[start : start + (1 << 16)]


class Progress:
    def __init__(self) -> None:
        self.positions: dict[str, list[int]] = {}
        self.ends: dict[str, Arrival] = {}

    def begin(self, blob) -> None:
        self.positions[blob.title] = []

    def at(self, blob, position) -> None:
        self.positions[blob.title].append(position)

    def end(self, blob, arrival) -> None:
        self.ends[blob.title] = arrival


def make(source: Source, **layers: int):
    """An image with a layer of that many random bytes for each name."""
    made = []
    for title, size in layers.items():
        packed = io.BytesIO()
        # The same name and size are the same bytes.
        content = title.encode() * (size // len(title) + 1)
        layer = compress_layer(io.BytesIO(content[:size]), packed, title, level=0)
        source.blobs[layer.digest] = packed.getvalue()
        made.append(layer)
    image = make_image(made, Runtime(entrypoint=("python3",)))
    source.blobs[image.id] = image.config
    return image


@pytest.fixture
def source():
    return Source()


@pytest.fixture
def progress():
    return Progress()


@pytest.fixture
def push(source, progress, tmp_path):
    """Pushes an image as `wheelyard image push` does."""

    def push_to(image, reference, *, logins=(), mount_from=(), known=None):
        parts = read_parts(image.manifest, layer_titles(image.manifest, image.config))
        return push_image(
            parse_target(reference), parts, source, Logins(logins), progress,
            known or KnownPlaces(tmp_path / "pushed.json"), mount_from,
        )  # fmt: skip

    return push_to
