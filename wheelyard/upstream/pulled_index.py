"""The upstream index behind our own: its part of the pages, and its files, for a front door."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from wheelyard.channels import Channel, Channels
from wheelyard.digests import Digest
from wheelyard.errors import IndexUnavailable, InputError
from wheelyard.index_file import FileKind
from wheelyard.jobs.database import Database
from wheelyard.jobs.upstream_rows import UpstreamRows
from wheelyard.project_page import PageFile
from wheelyard.projects import Projects
from wheelyard.store.contract import Store
from wheelyard.upstream.files import KeptFiles
from wheelyard.upstream.index import Upstream
from wheelyard.upstream.listing import ListedFile
from wheelyard.upstream.pages import UpstreamPages
from wheelyard.upstream.pip_index import configured_index
from wheelyard.upstream.policy import shown_files, uploaded_at
from wheelyard.upstream.tally import Tally

_FRESH_SECONDS = 60.0
# Somebody waits for the answer: rather an earlier page than a later try.
_ATTEMPTS = 2
_PATIENCE_SECONDS = 4.0
_CONNECT_SECONDS = 4.0
_READ_SECONDS = 10.0


def open_upstream(index_url: str, own_url: str) -> Upstream:
    """The way to the upstream index, for requests that somebody waits for.

    :param index_url: from the settings; empty means pip's configured one.
    :param own_url: address of this service, which can't be its own upstream.
    :raises IndexUnavailable: the settings name no index that can be asked.
    """
    try:
        index = configured_index(index_url)
    except InputError as error:
        raise IndexUnavailable(
            error.failed, expected=error.expected, found=error.found, do=error.do
        ) from error
    if index.shown.startswith(f"{own_url}/"):
        raise IndexUnavailable(
            "the upstream index is this service itself",
            expected="the address of another index",
            found=index.shown,
            do="set WHEELYARD_INDEX_URL; it is empty, and pip on this machine installs from here"
            if not index_url
            else "set WHEELYARD_INDEX_URL to another one",
        )
    return Upstream(
        index,
        attempts=_ATTEMPTS,
        patience=_PATIENCE_SECONDS,
        connect_seconds=_CONNECT_SECONDS,
        read_seconds=_READ_SECONDS,
    )


class PulledIndex:
    """Upstream's part of the pages (`wheelyard.project_page.UpstreamFiles`), and its files.

    Nothing is opened or asked before a channel with a policy for upstream shows a project.

    :param upstream: opens the way to the index.
    :param seconds: for which a page is not asked for again.
    :param scratch: folder for files on their way; None means that of the operating system.
    :ivar kept: gives files by digest.
    :ivar tally: how often each was given.
    """

    def __init__(
        self,
        database: Database,
        store: Store,
        channels: Channels,
        projects: Projects,
        upstream: Callable[[], Upstream],
        *,
        seconds: float = 600.0,
        scratch: Path | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._rows = UpstreamRows(database)
        self._clock = clock
        self._seconds = seconds
        opened = _OpenedOnce(upstream)
        self.tally = Tally()
        self._late = _Late()
        self.pages = UpstreamPages(self._rows, store, opened, seconds=seconds, clock=clock, tally=self.tally)
        self.kept = KeptFiles(
            self._rows, store, self.pages, channels, projects, opened,
            scratch=scratch, clock=clock, tally=self.tally,
        )  # fmt: skip

    @property
    def fresh_seconds(self) -> float:
        """For how long a page with upstream's files may be shown before they are asked for again."""
        return min(_FRESH_SECONDS, self._seconds)

    def late_seconds(self, project: str) -> float | None:
        """For how long upstream's page should have been asked for again; None where it is not late.

        Known of the pages that `files` gave last.

        :param project: canonical name.
        """
        asked_at = self._late.asked_at(project)
        return None if asked_at is None else max(0.0, self._clock() - asked_at - self._seconds)

    def files(self, channel: Channel, project: str) -> tuple[PageFile, ...]:
        """Upstream's files of a project that the channel's policy lets through.

        :param channel: one whose policy takes the project.
        :param project: canonical name, which the team does not own.
        :raises IndexUnavailable: upstream does not answer, and no earlier page is kept.
        """
        if not channel.takes(project):
            return ()
        page = self.pages.page(project)
        self._late.note(project, page.asked_at if page.trouble is not None else None)
        listing = page.listing
        if listing is None:
            return ()
        shown = shown_files(listing, channel, owned=False, now=self._clock())
        # Of a wheel without metadata upstream there is some as soon as the wheel is kept.
        lacking = any(file.kind == "wheel" and file.metadata is None for file in shown)
        kept = self._rows.metadata_of(project) if lacking else {}
        return tuple(_page_file(file, kept) for file in shown)


class _Late:
    """Projects whose page could not be asked for again when it was time."""

    def __init__(self) -> None:
        self._asked_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def note(self, project: str, asked_at: float | None) -> None:
        with self._lock:
            self._asked_at.pop(project, None)
            if asked_at is not None:
                self._asked_at[project] = asked_at

    def asked_at(self, project: str) -> float | None:
        with self._lock:
            return self._asked_at.get(project)


class _OpenedOnce:
    """The index, opened when it is asked for the first time: pip takes a moment to say which it is."""

    def __init__(self, opening: Callable[[], Upstream]) -> None:
        self._opening = opening
        self._opened: Upstream | None = None
        self._lock = threading.Lock()

    def __call__(self) -> Upstream:
        with self._lock:
            if self._opened is None:
                self._opened = self._opening()
            return self._opened


def _page_file(file: ListedFile, kept: dict[Digest, Digest]) -> PageFile:
    assert file.digest is not None  # noqa: S101  # the policy shows no other
    return PageFile(
        filename=file.filename,
        version=str(file.version),
        kind=FileKind(file.kind),
        digest=file.digest,
        size=file.size,
        requires_python=file.requires_python,
        metadata=file.metadata or kept.get(file.digest) or False,
        yanked=file.yanked,
        uploaded_at=uploaded_at(file),
    )
