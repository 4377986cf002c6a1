"""Upstream's pages, kept: asked for rarely, once for everybody, and there when upstream is not."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace

from wheelyard.digests import Digest
from wheelyard.errors import IndexUnavailable, NotFound, StoreUnavailable
from wheelyard.jobs.upstream_rows import KeptPage, UpstreamRows
from wheelyard.outages import OUTAGES
from wheelyard.store.contract import Store
from wheelyard.upstream.index import Upstream
from wheelyard.upstream.kept_listing import read_listing, write_listing
from wheelyard.upstream.listing import Listing
from wheelyard.upstream.tally import Outcome, Tally
from wheelyard.upstream.turns import Turns

ABSENT_SECONDS = 60.0
REST_SECONDS = 15.0
_FILES_IN_MEMORY = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PulledPage:
    """A project's page, as upstream has it or had it.

    :param listing: None where upstream has no such project.
    :param asked_at: when upstream said so; epoch seconds.
    :param trouble: why upstream could not be asked again although it was time, or None.
    """

    listing: Listing | None
    asked_at: float
    trouble: IndexUnavailable | None = None


class UpstreamPages:
    """Safe to share between threads; of several processes each asks for itself.

    :param upstream: gives the index; called when it is asked for the first time, and then each time.
    :param seconds: for which a page is not asked for again.
    :param clock: epoch seconds.
    """

    def __init__(
        self,
        rows: UpstreamRows,
        store: Store,
        upstream: Callable[[], Upstream],
        *,
        seconds: float = 600.0,
        clock: Callable[[], float] = time.time,
        tally: Tally | None = None,
    ) -> None:
        self._rows = rows
        self._store = store
        self._upstream = upstream
        self._seconds = seconds
        self._clock = clock
        self._tally = tally or Tally()
        self._turns = Turns()
        self._rests = _Rests(clock)
        self._read = _ReadListings()

    def page(self, project: str) -> PulledPage:
        """A project's page. Where upstream does not answer it is the last one, however old.

        Requests for one project at the same time ask upstream once; who has an older page does not wait.

        :param project: canonical name.
        :raises IndexUnavailable: upstream does not answer, and there is no page of it.
        """
        kept = self._whole(self._rows.page(project))
        if kept is not None and self._holds(kept):
            return self._kept(kept, Outcome.KEPT)
        has_page = kept is not None and kept.page is not None
        with self._turns.taken(project, wait=not has_page) as turn:
            if not turn:
                assert kept is not None  # noqa: S101  # only who has a page does not wait
                return self._kept(kept, Outcome.KEPT)
            kept = self._whole(self._rows.page(project))
            if kept is not None and self._holds(kept):
                return self._kept(kept, Outcome.KEPT)
            return self._ask(project, kept)

    def known(self, project: str) -> Listing | None:
        """The last page of a project without asking upstream, or None where there is none."""
        kept = self._rows.page(project)
        return None if kept is None or kept.page is None else self._listing(kept.page)

    def _holds(self, kept: KeptPage) -> bool:
        age = self._clock() - kept.asked_at
        return 0 <= age < (min(ABSENT_SECONDS, self._seconds) if kept.page is None else self._seconds)

    def _ask(self, project: str, kept: KeptPage | None) -> PulledPage:
        """Ask upstream, and keep what it says."""
        now = self._clock()
        try:
            self._rests.check(project)
            fresh = self._upstream().page(project, kept.etag if kept is not None and kept.page else "")
        except NotFound:
            self._tally.note("page", Outcome.ABSENT)
            self._rows.set_page(KeptPage(project=project, page=None, asked_at=now))
            return PulledPage(listing=None, asked_at=now)
        except IndexUnavailable as error:
            self._rests.note(project, error)
            return self._without_upstream(kept, error)
        if fresh.listing is None:
            assert kept is not None  # noqa: S101  # only its entity tag can be answered so
            self._rows.set_page(replace(kept, asked_at=now))
            return self._kept(replace(kept, asked_at=now), Outcome.UNCHANGED)
        body = write_listing(fresh.listing)
        page = KeptPage(project=project, page=Digest.of(body), etag=fresh.etag, asked_at=now)
        if kept is None or kept.page != page.page:
            self._store.put_blob(body, Digest.of(body))
        self._rows.set_page(page)
        return self._kept(page, Outcome.FETCHED)

    def _without_upstream(self, kept: KeptPage | None, error: IndexUnavailable) -> PulledPage:
        # That a project did not exist some time ago says nothing of now; that it had files does.
        if kept is None or kept.page is None:
            self._tally.note("page", Outcome.FAILED)
            raise error
        return self._kept(kept, Outcome.STALE, error)

    def _kept(self, kept: KeptPage, outcome: Outcome, trouble: IndexUnavailable | None = None) -> PulledPage:
        self._tally.note("page", outcome)
        listing = None if kept.page is None else self._listing(kept.page)
        if kept.page is not None and listing is None:
            raise StoreUnavailable(
                f"the store has lost upstream's page of {kept.project}",
                expected=str(kept.page),
                do="ask again",
            )
        return PulledPage(listing=listing, asked_at=kept.asked_at, trouble=trouble)

    def _whole(self, kept: KeptPage | None) -> KeptPage | None:
        """What was kept, or None where the store has its page no longer."""
        if kept is not None and kept.page is not None and self._listing(kept.page) is None:
            return None
        return kept

    def _listing(self, page: Digest) -> Listing | None:
        listing = self._read.get(page)
        if listing is None:
            stream = self._store.open_blob(page)
            if stream is None:
                return None
            with closing(stream):
                listing = read_listing(stream.read())
            self._read.put(page, listing)
        return listing


class _Rests:
    """An index that did not answer rests a while: nobody waits for it meanwhile."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until: dict[str, tuple[float, IndexUnavailable]] = {}
        self._lock = threading.Lock()

    def check(self, project: str) -> None:
        """Raise what the index did the last time, where that was a moment ago."""
        now = self._clock()
        with self._lock:
            self._until = {name: entry for name, entry in self._until.items() if entry[0] > now}
            known = self._until.get(project) or self._until.get("")
        if known is not None:
            before = known[1]
            raise IndexUnavailable(
                before.failed, expected=before.expected, found=before.found, do=before.do, rests=True
            )

    def note(self, project: str, error: IndexUnavailable) -> None:
        """Let it rest; who answered with an error for one project may answer for another one."""
        if "rests" in error.facts:
            return
        OUTAGES.noted("index", error)
        scope = project if "upstream_status" in error.facts else ""
        with self._lock:
            self._until[scope] = (self._clock() + REST_SECONDS, error)


class _ReadListings:
    """The pages that were read last, up to a number of files in all of them."""

    def __init__(self) -> None:
        self._listings: OrderedDict[Digest, Listing] = OrderedDict()
        self._files = 0
        self._lock = threading.Lock()

    def get(self, page: Digest) -> Listing | None:
        with self._lock:
            listing = self._listings.get(page)
            if listing is not None:
                self._listings.move_to_end(page)
            return listing

    def put(self, page: Digest, listing: Listing) -> None:
        with self._lock:
            if page not in self._listings:
                self._listings[page] = listing
                self._files += len(listing.files) + 1
            while self._files > _FILES_IN_MEMORY and len(self._listings) > 1:
                _, old = self._listings.popitem(last=False)
                self._files -= len(old.files) + 1
