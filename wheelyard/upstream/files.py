"""Upstream's files, kept: fetched when somebody asks for one, verified, and from then on there for all."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion

from wheelyard.channels import Channels
from wheelyard.digests import Digest
from wheelyard.errors import ForeignOutputRefused, IndexUnavailable
from wheelyard.jobs.upstream_rows import KeptFile, UpstreamRows
from wheelyard.outages import OUTAGES
from wheelyard.projects import Projects, Status
from wheelyard.store.contract import Store
from wheelyard.upstream.arrivals import Arrival, Arrivals
from wheelyard.upstream.fetch import downloaded
from wheelyard.upstream.index import Upstream
from wheelyard.upstream.listing import ListedFile, Listing
from wheelyard.upstream.pages import UpstreamPages
from wheelyard.upstream.policy import shown_files
from wheelyard.upstream.tally import Outcome, Tally
from wheelyard.upstream.turns import Turns
from wheelyard.upstream.wheel_metadata import wheel_metadata

METADATA = ".metadata"
_USE_SECONDS = 3600.0


class KeptFiles:
    """Gives a file by its digest and name. Safe to share between threads: two that want one fetch it once.

    A file is fetched where some channel shows it. Once it is kept its address holds, whatever upstream or the
    channels do later: a lock names it by its digest.

    :param upstream: gives the index; called when something is fetched.
    :param scratch: folder for files on their way; None means that of the operating system.
    :param clock: epoch seconds.
    """

    def __init__(
        self,
        rows: UpstreamRows,
        store: Store,
        pages: UpstreamPages,
        channels: Channels,
        projects: Projects,
        upstream: Callable[[], Upstream],
        *,
        scratch: Path | None = None,
        clock: Callable[[], float] = time.time,
        tally: Tally | None = None,
    ) -> None:
        self._rows = rows
        self._store = store
        self._pages = pages
        self._channels = channels
        self._projects = projects
        self._upstream = upstream
        self._scratch = scratch
        self._clock = clock
        self._tally = tally or Tally()
        self._turns = Turns()
        self._arrivals = Arrivals()

    def file(self, digest: Digest, filename: str) -> KeptFile | None:
        """The file, in the store by now; None where no channel shows such a file.

        :raises ForeignOutputRefused: what upstream gave is not what its page says.
        :raises IndexUnavailable: upstream does not give it.
        :raises Quarantined: it is kept, and must not be offered (PEP 792).
        """
        kept = self._kept(digest, filename)
        return self._arrival(digest, filename).result() if kept is None else kept

    def coming(self, digest: Digest, filename: str, seconds: float) -> KeptFile | Arrival | None:
        """As `file`, but a file that takes longer is given while it comes, where upstream says its size.

        :param seconds: to wait for it; how long upstream takes until it says the size comes on top.
        """
        kept = self._kept(digest, filename)
        if kept is not None:
            return kept
        arrival = self._arrival(digest, filename)
        if arrival.wait(seconds) or arrival.wait_for_size() is None:
            return arrival.result()
        return arrival

    def _arrival(self, digest: Digest, filename: str) -> Arrival:
        def fetch(arrival: Arrival) -> KeptFile | None:
            with self._noting("file"):
                return self._kept(digest, filename) or self._fetch(digest, filename, arrival)

        return self._arrivals.of(f"{digest.hex}/{filename}", fetch)

    def metadata(self, digest: Digest, filename: str) -> KeptFile | None:
        """The core metadata of a wheel (PEP 658), in the store by now; None where there is none beside it.

        :param digest: of the wheel.
        :param filename: of the wheel.
        :raises ForeignOutputRefused: what upstream gave is not what its page says.
        :raises IndexUnavailable: upstream does not give it.
        """
        name = filename + METADATA
        wheel = self._rows.file(digest)
        if wheel is not None and wheel.metadata is not None and wheel.filename == filename:
            beside = self._kept(wheel.metadata, None, "metadata")
            if beside is not None:
                return beside
        listed = self._listed(digest, filename)
        if listed is None or listed.metadata is None:
            return None
        wanted, project = listed.metadata, _project_of(filename)

        def fetch() -> KeptFile:
            body = self._upstream().metadata(listed)
            self._store.put_blob(body, wanted)
            return self._note("metadata", self._new(wanted, project, name, len(body)))

        beside = self._kept(wanted, None, "metadata")
        if beside is not None:
            return beside
        with self._turns.taken(wanted.hex), self._noting("metadata"):
            return self._kept(wanted, None, "metadata") or fetch()

    @contextmanager
    def _noting(self, what: str) -> Iterator[None]:
        """Count what did not come."""
        try:
            yield
        except IndexUnavailable as error:
            OUTAGES.noted("index", error)
            self._tally.note(what, Outcome.FAILED)
            raise
        except ForeignOutputRefused:
            self._tally.note(what, Outcome.REFUSED)
            raise

    def _kept(self, digest: Digest, filename: str | None, what: str = "file") -> KeptFile | None:
        kept = self._rows.file(digest)
        if kept is None or filename not in (None, kept.filename):
            return None
        self._projects.check_offered(kept.project)
        now = self._clock()
        if now - kept.used_at > _USE_SECONDS:
            if self._store.renew_blob(digest) is None:
                # Somebody made room in the store; it is fetched again.
                return None
            self._rows.touch(digest, now)
        self._tally.note(what, Outcome.KEPT)
        return kept

    def _fetch(self, digest: Digest, filename: str, arrival: Arrival) -> KeptFile | None:
        listed = self._listed(digest, filename)
        if listed is None:
            self._tally.note("file", Outcome.ABSENT)
            return None
        project = _project_of(filename)
        with tempfile.TemporaryDirectory(prefix="wheelyard-kept-", dir=self._scratch) as folder:
            known = Path(folder) / "file"
            if self._store.renew_blob(digest) is not None and self._store.fetch_blob(digest, known):
                # It came another way, for instance because a worker built with it.
                return self._keep(listed, digest, project, known)
            upstream, size = self._upstream(), listed.size

            def begun(path: Path) -> None:
                arrival.begin(path, size)

            with downloaded(listed, upstream, scratch=Path(folder), begun=begun) as path:
                arrival.verify()
                self._store.put_blob(path, digest)
                return self._keep(listed, digest, project, path)

    def _keep(self, listed: ListedFile, digest: Digest, project: str, path: Path) -> KeptFile:
        """Note a file that is in the store, and put a wheel's metadata beside it."""
        kept = self._new(digest, project, listed.filename, path.stat().st_size)
        body = wheel_metadata(path, listed.filename) if listed.kind == "wheel" else None
        if body is not None and listed.metadata in (None, Digest.of(body)):
            beside = self._new(Digest.of(body), project, listed.filename + METADATA, len(body))
            self._store.put_blob(body, beside.digest)
            self._rows.add_file(beside)
            kept = replace(kept, metadata=beside.digest)
        return self._note("file", kept)

    def _new(self, digest: Digest, project: str, filename: str, size: int) -> KeptFile:
        now = self._clock()
        return KeptFile(
            digest=digest, project=project, filename=filename, size=size, fetched_at=now, used_at=now
        )

    def _note(self, what: str, kept: KeptFile) -> KeptFile:
        self._rows.add_file(kept)
        self._tally.note(what, Outcome.FETCHED)
        return kept

    def _listed(self, digest: Digest, filename: str) -> ListedFile | None:
        """The file on upstream's page, where some channel shows it."""
        project = _project_of(filename)
        channels = [one for one in self._channels.list() if one.takes(project)] if project else []
        if not channels:
            return None
        about = self._projects.get(project)
        if about.owned or about.status is Status.QUARANTINED:
            return None
        # Whoever has its address saw it on a page: the one that is known will do, if it is there.
        found = _find(self._pages.known(project), digest, filename)
        if found is None:
            found = _find(self._pages.page(project).listing, digest, filename)
        if found is None:
            return None
        alone, now = Listing(project=project, files=(found,)), self._clock()
        shown = any(shown_files(alone, one, owned=False, now=now) for one in channels)
        return found if shown else None


def _find(listing: Listing | None, digest: Digest, filename: str) -> ListedFile | None:
    found = listing.find(filename) if listing is not None else None
    return found if found is not None and found.digest == digest else None


def _project_of(filename: str) -> str:
    """The project that a file name tells; empty where it tells none."""
    try:
        if filename.endswith(".whl"):
            return canonicalize_name(parse_wheel_filename(filename)[0])
        return canonicalize_name(parse_sdist_filename(filename)[0])
    except (InvalidSdistFilename, InvalidWheelFilename, InvalidVersion):
        return ""
