"""One blob on its way into a repository: mounted, or sent and taken up again where the way broke."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum, auto
from typing import Protocol
from urllib.parse import quote, urljoin, urlsplit

import httpx2

from wheelyard.client import ServiceUnreachable
from wheelyard.digests import Digest
from wheelyard.registry.connection import BROKEN, Connection, pause_of
from wheelyard.registry.refusals import PASSING, RegistryUnavailable, unreachable

TRIES = 6
"""Times that the way of a blob may break without having brought it further."""
_PAUSES = (0.2, 0.6, 1.5, 3.0, 6.0, 10.0)
# Between looks at how far an upload came.
_LOOKS = (0.3, 1.0, 2.0)
# Below it one request brings a blob whole; there is nothing to take up again.
_SMALL = 1 << 20
# What a proxy that refuses a large body takes, mostly; and what no registry finds too small.
_PIECE = 32 << 20
_LEAST_PIECE = 8 << 20
_RANGE = re.compile(r"(?:bytes=)?0-([0-9]{1,18})")


class BlobSource(Protocol):
    """Where a blob's bytes come from."""

    def open(self, digest: Digest, offset: int) -> AbstractContextManager[Iterator[bytes]]:
        """A blob's bytes from an offset on, in pieces.

        :raises ServiceUnreachable: the way from the source broke; it may be opened again.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A part of an image.

    :param size: in bytes.
    :param title: what it holds, for people.
    """

    digest: Digest
    size: int
    title: str


class Arrival(StrEnum):
    """How a blob came to be in the repository."""

    THERE = auto()
    """It was there before."""
    MOUNTED = auto()
    """The registry took it from another of its repositories."""
    SENT = auto()
    """Its bytes were sent."""


class _Gone(Exception):
    """The upload is no longer known there, or does not fit any more: it begins anew."""


class _Broke(Exception):
    """The way broke, or the registry is busy.

    :param found: what was seen of it.
    :param pause: seconds that the registry asks for; 0 for none.
    """

    def __init__(self, found: str, pause: float = 0.0) -> None:
        super().__init__(found)
        self.found = found
        self.pause = pause


def bring_blob(
    connection: Connection,
    blob: Blob,
    source: BlobSource,
    at: Callable[[int], None],
    mount_from: Sequence[str] = (),
) -> Arrival:
    """See that a repository holds a blob; bytes go only where nothing else helps. Idempotent.

    :param at: told of how many of its bytes have gone, which may be fewer than before where it begins anew.
    :param mount_from: repositories of the same registry that may have it.
    :raises InputError: the registry refuses.
    :raises RegistryUnavailable: the way broke again and again; the error says how far the blob came.
    """
    if connection.has_blob(blob.digest):
        return Arrival.THERE
    for repository in mount_from:
        if _mount(connection, blob, repository):
            return Arrival.MOUNTED
    _Upload(connection, blob, source, at).run()
    return Arrival.SENT


def _mount(connection: Connection, blob: Blob, repository: str) -> bool:
    query = f"mount={quote(str(blob.digest), safe='')}&from={quote(repository, safe='')}"
    place = f"{connection.place('blobs/uploads/')}?{query}"
    try:
        response = connection.send("POST", place, b"", {"content-length": "0"})
    except httpx2.HTTPError:
        return False
    # 202 is an upload's beginning, of a registry that can't or won't: it ends by itself there.
    return response.status_code == 201


class _Upload:
    """The one upload of a blob, through as many requests as it takes."""

    def __init__(
        self, connection: Connection, blob: Blob, source: BlobSource, at: Callable[[int], None]
    ) -> None:
        self._connection = connection
        self._blob = blob
        self._source = source
        self._at = at
        self._what = f"push to {connection.target.repository}"
        self._piece = blob.size
        self._place = ""
        self._offset = 0
        self._sent = 0
        self._taken_up = False

    def run(self) -> None:
        farthest, failures = 0, 0
        while True:
            try:
                self._go_on()
            except _Broke as broke:
                time.sleep(broke.pause or _PAUSES[min(failures, len(_PAUSES) - 1)])
                self._take_up()
                failures = 0 if self._offset > farthest else failures + 1
                farthest = max(farthest, self._offset)
                if failures >= TRIES:
                    raise self._gave_up(broke, failures, farthest) from broke
                self._at(self._offset)
            except _Gone as gone:
                failures += 1
                if failures >= TRIES:
                    raise self._gave_up(_Broke(str(gone)), failures, farthest) from gone
                self._place, self._offset, self._taken_up = "", 0, False
                self._at(0)
            else:
                return

    def _go_on(self) -> None:
        if not self._place:
            self._place = self._begin()
        if self._blob.size <= _SMALL and self._offset == 0:
            self._end(whole=True)
            return
        while self._offset < self._blob.size:
            self._send_piece()
        self._end(whole=False)

    def _begin(self) -> str:
        address = self._connection.place("blobs/uploads/")
        response = self._connection.ask(
            "POST", address, self._what, headers={"content-length": "0"}, accepted=(202,)
        )
        return self._next(response, address)

    def _send_piece(self) -> None:
        """Send what is left, or as much of it as goes in one request."""
        begin, end = self._offset, min(self._offset + self._piece, self._blob.size)
        headers = {"content-type": "application/octet-stream", "content-length": str(end - begin)}
        if self._taken_up or end < self._blob.size:
            headers["content-range"] = f"{begin}-{end - 1}"
        response = self._send("PATCH", self._place, headers, begin, end)
        if response.status_code == 413 and self._piece > _PIECE:
            self._piece = _PIECE
            raise _Broke(f"status 413 for {end - begin} bytes at once")
        if response.status_code == 404:
            raise _Gone("the registry knows the upload no more")
        if response.status_code == 416:
            raise _Broke("status 416: the registry has other bytes than it said")
        if response.status_code != 202:
            raise self._connection.refused(response, self._what)
        self._place = self._next(response, self._place)
        reached = _reached(response)
        self._offset = end if reached is None else min(reached, end)
        if self._offset <= begin:
            raise _Broke("the registry kept none of the bytes")

    def _end(self, *, whole: bool) -> None:
        """Close the upload: the registry hashes what it has."""
        glue = "&" if "?" in self._place else "?"
        address = f"{self._place}{glue}digest={quote(str(self._blob.digest), safe='')}"
        size = self._blob.size if whole else 0
        headers = {"content-type": "application/octet-stream", "content-length": str(size)}
        try:
            response = self._send("PUT", address, headers, 0, size)
        except _Broke:
            # Its answer may be what was lost.
            if self._connection.has_blob(self._blob.digest):
                return
            raise
        if response.status_code in (404, 416) or (response.status_code == 400 and self._taken_up):
            raise _Gone(f"status {response.status_code} for the upload's end")
        if response.status_code not in (201, 204):
            raise self._connection.refused(response, self._what)

    def _send(
        self, method: str, address: str, headers: dict[str, str], begin: int, end: int
    ) -> httpx2.Response:
        try:
            response = self._connection.send(method, address, lambda: self._bytes(begin, end), headers)
        except BROKEN as error:
            raise _Broke(str(error) or type(error).__name__) from error
        except httpx2.LocalProtocolError as error:
            raise _Broke("the bytes that came from the service are too few") from error
        except httpx2.HTTPError as error:
            target = self._connection.target
            raise unreachable(error, target.registry, plain_http=target.plain_http) from error
        except ServiceUnreachable as error:
            raise _Broke(f"{error.failed}: {error.found}") from error
        if response.status_code in PASSING:
            raise _Broke(f"status {response.status_code}", pause_of(response, 0.0))
        return response

    def _bytes(self, begin: int, end: int) -> Iterator[bytes]:
        position = self._sent = begin
        if begin == end:
            return
        with self._source.open(self._blob.digest, begin) as pieces:
            for piece in pieces:
                part = piece[: end - position]
                yield part
                position += len(part)
                self._sent = position
                self._at(position)
                if position == end:
                    return

    def _take_up(self) -> None:
        """Ask how far the upload came; where nobody knows it any more, it begins anew."""
        if not self._place:
            return
        begin, self._taken_up = self._offset, True
        for pause in _LOOKS:
            try:
                response = self._connection.send("GET", self._place, b"", {})
            except httpx2.HTTPError:
                # Perhaps it answers at the next try.
                return
            if response.status_code not in (200, 204):
                # A registry that keeps whole requests only, and a way that bears only so much in one.
                self._piece = min(self._piece, max((self._sent - begin) // 2, _LEAST_PIECE))
                self._place, self._offset, self._taken_up = "", 0, False
                return
            self._place = self._next(response, self._place)
            self._offset = min(_reached(response) or 0, self._blob.size)
            if self._offset > begin or self._sent - begin < _SMALL:
                return
            # It has not seen yet that the way broke; when it does, it keeps what came.
            time.sleep(pause)

    def _next(self, response: httpx2.Response, base: str) -> str:
        """The address that an answer sends the upload to."""
        location = response.headers.get("location", "")
        try:
            address = str(httpx2.URL(urljoin(base, location or base)))
            parts, target = urlsplit(address), urlsplit(self._connection.target.url)
        except (ValueError, httpx2.InvalidURL) as error:
            raise RegistryUnavailable(
                f"{self._connection.target.registry} sends uploads to what is no address",
                found=location[:200],
                do="see what the registry's own documents say of it",
            ) from error
        if parts.netloc == target.netloc:
            # A registry behind a proxy does not always know that it has TLS.
            return parts._replace(scheme=target.scheme).geturl()
        if parts.scheme != "https" and not self._connection.target.plain_http:
            raise RegistryUnavailable(
                f"{self._connection.target.registry} sends uploads to an address without TLS",
                expected="an address with https",
                found=address[:200],
                do="give --plain-http where the way to it is your own",
            )
        return address

    def _gave_up(self, broke: _Broke, failures: int, farthest: int) -> RegistryUnavailable:
        target, size = self._connection.target, self._blob.size
        return RegistryUnavailable(
            f"the push of {self._blob.title!r} to {target.registry} broke off {failures} times",
            expected=f"{size} bytes there",
            found=f"{farthest} bytes there, then {broke.found}",
            do="push again: what arrived whole is not sent again",
            blob=str(self._blob.digest),
            size=size,
            arrived=farthest,
        )


def _reached(response: httpx2.Response) -> int | None:
    """Bytes that the registry has, as an answer says; None where it does not.

    An empty upload and one of a single byte both say `0-0`: sending that byte again is what a digest would
    find out, and no upload here ends after it.
    """
    match = _RANGE.fullmatch(response.headers.get("range", ""))
    if match is None:
        return None
    last = int(match[1])
    return last + 1 if last else 0
