"""An image on its way to a registry: its blobs several at a time, and the tag at last."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from wheelyard.digests import Digest
from wheelyard.errors import Cancelled, InputError
from wheelyard.oci import MEDIA_MANIFEST
from wheelyard.registry.address import PushTarget
from wheelyard.registry.blob_upload import Arrival, Blob, BlobSource, bring_blob
from wheelyard.registry.connection import Connection
from wheelyard.registry.known_places import KnownPlaces
from wheelyard.registry.logins import Logins

_AT_ONCE = 4


class PushProgress(Protocol):
    """Is told of each blob, from several threads."""

    def begin(self, blob: Blob) -> None:
        """It is looked for, and sent where it is missing."""

    def at(self, blob: Blob, position: int) -> None:
        """That many of its bytes have gone."""

    def end(self, blob: Blob, arrival: Arrival) -> None:
        """It is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestParts:
    """An image as a registry takes it.

    :param manifest: the bytes that its digest is of.
    :param blobs: config and layers, each once.
    """

    manifest: bytes
    media_type: str
    blobs: tuple[Blob, ...]

    @property
    def digest(self) -> Digest:
        """The image's digest."""
        return Digest.of(self.manifest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """What a push did.

    :param arrivals: of each blob, in the manifest's order.
    """

    target: PushTarget
    digest: Digest
    arrivals: tuple[tuple[Blob, Arrival], ...]

    def bytes_of(self, arrival: Arrival) -> int:
        """Bytes of the blobs that came so."""
        return sum(blob.size for blob, how in self.arrivals if how is arrival)

    def to_document(self) -> dict[str, Any]:
        """The push as JSON-serialisable fields; sizes in bytes."""
        return {
            "reference": str(self.target),
            "digest": str(self.digest),
            "sent": self.bytes_of(Arrival.SENT),
            "mounted": self.bytes_of(Arrival.MOUNTED),
            "there": self.bytes_of(Arrival.THERE),
            "blobs": [
                {"digest": str(blob.digest), "size": blob.size, "title": blob.title, "arrival": arrival.value}
                for blob, arrival in self.arrivals
            ],
        }


def read_parts(manifest: bytes, titles: Mapping[Digest, str]) -> ManifestParts:
    """What a manifest names.

    :param titles: what its blobs hold, for people; the others are called by their digests.
    :raises InputError: it is no image's manifest.
    """
    try:
        document = json.loads(manifest)
        entries = [document["config"], *document["layers"]]
        found = {Digest.parse(entry["digest"]): int(entry["size"]) for entry in entries}
        media_type = str(document.get("mediaType") or MEDIA_MANIFEST)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            "what is to be pushed is not an image",
            expected="a manifest with a config and layers",
            found=f"{type(error).__name__}: {error}"[:200],
        ) from error
    blobs = tuple(
        Blob(digest=digest, size=size, title=titles.get(digest) or digest.hex[:12])
        for digest, size in found.items()
    )
    return ManifestParts(manifest=manifest, media_type=media_type, blobs=blobs)


def layer_titles(manifest: bytes, config: bytes) -> dict[Digest, str]:
    """What an image's blobs hold, as the history in its config tells; no more than it can be read."""
    try:
        named, told = json.loads(manifest), json.loads(config)
        titles = {Digest.parse(named["config"]["digest"]): "config"}
        filled = [entry for entry in told["history"] if not entry.get("empty_layer")]
        for layer, entry in zip(named["layers"], filled, strict=True):
            titles[Digest.parse(layer["digest"])] = str(entry.get("created_by") or "")[:80]
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
    return titles


def push_image(
    target: PushTarget,
    parts: ManifestParts,
    source: BlobSource,
    logins: Logins,
    progress: PushProgress,
    known: KnownPlaces,
    mount_from: Sequence[str] = (),
    before_tag: Callable[[Connection], None] | None = None,
) -> Pushed:
    """Bring an image into a repository and tag it there. Idempotent; what is there is not sent again.

    :param mount_from: repositories of the same registry that may hold its blobs, beside the known ones.
    :param before_tag: called when all blobs are there, and the tag is not.
    :raises InputError: the registry refuses; nothing is tagged.
    :raises RegistryUnavailable: it does not answer, or the way broke again and again; nothing is tagged.
    """
    digests = [blob.digest for blob in parts.blobs]
    sources = (*mount_from, *known.sources(target.registry, target.repository, digests))
    with Connection(target, logins, tuple(dict.fromkeys(sources))) as connection:
        connection.check()
        arrivals = bring_blobs(connection, parts.blobs, source, progress, known, mount_from)
        if before_tag is not None:
            before_tag(connection)
        connection.put_manifest(target.tag, parts.manifest, parts.media_type)
    known.note(target.registry, target.repository, digests)
    return Pushed(
        target=target,
        digest=parts.digest,
        arrivals=tuple((blob, arrivals[blob.digest]) for blob in parts.blobs),
    )


def bring_blobs(
    connection: Connection,
    blobs: Sequence[Blob],
    source: BlobSource,
    progress: PushProgress,
    known: KnownPlaces,
    mount_from: Sequence[str] = (),
) -> dict[Digest, Arrival]:
    """Bring blobs into a repository, several at a time; the first one that fails ends the others."""
    target, stop = connection.target, threading.Event()
    stoppable = _Stoppable(source, stop)

    def bring(blob: Blob) -> Arrival:
        if stop.is_set():
            raise Cancelled("the push was stopped")
        progress.begin(blob)
        digests = [blob.digest]
        candidates = (*mount_from, *known.sources(target.registry, target.repository, digests))
        arrival = bring_blob(
            connection,
            blob,
            stoppable,
            lambda position: progress.at(blob, position),
            tuple(dict.fromkeys(candidates)),
        )
        progress.end(blob, arrival)
        return arrival

    # The largest first: the end then waits for no large one.
    ordered = sorted(blobs, key=lambda blob: -blob.size)
    with ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="push") as pool:
        running = {pool.submit(bring, blob): blob for blob in ordered}
        try:
            wait(running, return_when=FIRST_EXCEPTION)
        finally:
            stop.set()
            for future in running:
                future.cancel()
        failed = [
            future for future in running if future.done() and not future.cancelled() and future.exception()
        ]
        for future in failed:
            future.result()
        return {blob.digest: future.result() for future, blob in running.items()}


class _Stoppable:
    """A source that gives no more bytes once the push has failed elsewhere, or was interrupted."""

    def __init__(self, source: BlobSource, stop: threading.Event) -> None:
        self._source = source
        self._stop = stop

    def open(self, digest: Digest, offset: int) -> AbstractContextManager[Iterator[bytes]]:
        @contextmanager
        def opened() -> Iterator[Iterator[bytes]]:
            with self._source.open(digest, offset) as pieces:
                yield self._checked(pieces)

        return opened()

    def _checked(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            if self._stop.is_set():
                raise Cancelled("the push was stopped")
            yield piece
