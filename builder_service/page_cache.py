"""Pages of the index, kept ready in memory for as long as the database says that nothing changed."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from anyio import to_thread

from wheelyard.channels import Channels, no_channel
from wheelyard.jobs.database import Database

Stamp = tuple[tuple[str, int], ...]
EVERY_CHANNEL = ""
METADATA = ".metadata"
"""The form of a wheel's metadata, which is kept like a page; its name is `HEX/FILENAME` of the wheel."""

_TRUSTED_SECONDS = 0.8
_MOST_BYTES = 128 << 20
_OVERHEAD_BYTES = 1200
_SMALLEST_COMPRESSED = 600
_GZIP_LEVEL = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One form of a page, as it goes out.

    :param compressed: the same with gzip; empty where that is not worth it.
    :param etag: of the plain form, strong; that of the compressed form ends in `-gzip`.
    :param fresh_seconds: for how long it holds, whatever the database says; None means that it does.
    :param late_seconds: for how long upstream's part should have been asked for again; None where it was.
    """

    body: bytes
    compressed: bytes
    media_type: str
    etag: str
    fresh_seconds: float | None = None
    late_seconds: float | None = None

    @classmethod
    def of(
        cls,
        body: bytes,
        media_type: str,
        *,
        fresh_seconds: float | None = None,
        late_seconds: float | None = None,
        etag: str = "",
    ) -> Page:
        """A page of its bytes; the same bytes have the same tag in every process.

        :param etag: empty means that of the bytes.
        """
        packed = b""
        if len(body) >= _SMALLEST_COMPRESSED:
            packed = gzip.compress(body, _GZIP_LEVEL, mtime=0)
        return cls(
            body=body,
            compressed=packed,
            media_type=media_type,
            etag=etag or hashlib.sha256(media_type.encode() + body).hexdigest()[:32],
            fresh_seconds=fresh_seconds,
            late_seconds=late_seconds,
        )


Make = Callable[[], Page | None]
_Key = tuple[str, str, str]


@dataclass(slots=True)
class _Kept:
    page: Page
    stamp: Stamp
    until: float
    size: int


@dataclass(slots=True)
class _Stamps:
    """What the database said of its channels, and when it was asked."""

    by_channel: dict[str, Stamp] = field(default_factory=dict)
    asked_at: float = float("-inf")
    writes: int = -1


class PageCache:
    """Keeps the pages that were asked for lately. It lives on one event loop.

    A page is at most a second older than what other processes wrote, and never older than what this one
    wrote: each channel has a number in the database that changes with it, which is asked for after a second
    or after a transaction of this process. A page that is kept costs no thread and no question.

    :param most_bytes: memory for pages; those that were not asked for longest make room.
    """

    def __init__(self, database: Database, channels: Channels, most_bytes: int = _MOST_BYTES) -> None:
        self._database = database
        self._channels = channels
        self._most_bytes = most_bytes
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()
        self._bytes = 0
        self._stamps = _Stamps()
        self._asking: tuple[int, asyncio.Task[_Stamps]] | None = None
        self._making: dict[tuple[_Key, Stamp], asyncio.Task[Page | None]] = {}

    async def get(self, channel: str, name: str, form: str, make: Make) -> Page | None:
        """A page, made where none is kept; many that ask at once wait for one making.

        :param channel: `EVERY_CHANNEL` where it hangs on what any of them shows.
        :param name: of the project; empty for the root page.
        :param form: its media type.
        :param make: makes it, in a thread; None where there is nothing to show, which is not kept.
        :raises NotFound: there is no such channel.
        """
        stamps = self._stamps if self._are_stamps_good() else await self._ask()
        stamp = stamps.by_channel.get(channel)
        if stamp is None:
            raise no_channel(channel)
        key = (channel, name, form)
        return self._look_up(key, stamp) or await self._make_once(key, stamp, make)

    def ready(self, channel: str, name: str, form: str) -> Page | None:
        """A page that is kept and holds at this moment; None where somebody would have to be asked."""
        if not self._are_stamps_good():
            return None
        stamp = self._stamps.by_channel.get(channel)
        return None if stamp is None else self._look_up((channel, name, form), stamp)

    def _are_stamps_good(self) -> bool:
        stamps = self._stamps
        is_young = time.monotonic() - stamps.asked_at < _TRUSTED_SECONDS
        return is_young and stamps.writes == self._database.writes

    def _look_up(self, key: _Key, stamp: Stamp) -> Page | None:
        kept = self._kept.get(key)
        if kept is None or kept.stamp != stamp or time.monotonic() >= kept.until:
            return None
        self._kept.move_to_end(key)
        return kept.page

    async def _ask(self) -> _Stamps:
        writes = self._database.writes
        if self._asking is None or self._asking[0] != writes:
            self._asking = (writes, asyncio.create_task(self._ask_database(writes)))
        return await asyncio.shield(self._asking[1])

    async def _ask_database(self, writes: int) -> _Stamps:
        asked_at = time.monotonic()
        try:
            by_channel = await to_thread.run_sync(self._channels.stamps)
        finally:
            if self._asking is not None and self._asking[0] == writes:
                self._asking = None
        by_channel[EVERY_CHANNEL] = tuple(sorted({one for chain in by_channel.values() for one in chain}))
        stamps = _Stamps(by_channel=by_channel, asked_at=asked_at, writes=writes)
        if asked_at > self._stamps.asked_at:
            self._stamps = stamps
        return stamps

    async def _make_once(self, key: _Key, stamp: Stamp, make: Make) -> Page | None:
        # Part of the name is the stamp: who asks after a change must not get what was begun before it.
        task = self._making.get((key, stamp))
        if task is None:
            task = self._making[key, stamp] = asyncio.create_task(self._make(key, stamp, make))
        return await asyncio.shield(task)

    async def _make(self, key: _Key, stamp: Stamp, make: Make) -> Page | None:
        begun = time.monotonic()
        try:
            page = await to_thread.run_sync(make)
        finally:
            del self._making[key, stamp]
        self._drop(key)
        if page is not None:
            self._keep(key, page, stamp, begun)
        return page

    def _keep(self, key: _Key, page: Page, stamp: Stamp, begun: float) -> None:
        size = len(page.body) + len(page.compressed) + _OVERHEAD_BYTES
        until = float("inf") if page.fresh_seconds is None else begun + page.fresh_seconds
        self._kept[key] = _Kept(page=page, stamp=stamp, until=until, size=size)
        self._bytes += size
        while self._bytes > self._most_bytes:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: _Key) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._bytes -= kept.size
