"""What a channel shows of a project: its own files, those of its bases, and upstream's behind them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from packaging.utils import canonicalize_name
from sqlalchemy import select
from sqlalchemy.orm import Session

from wheelyard.channels import Channel, read_chain
from wheelyard.digests import Digest
from wheelyard.index_file import FileKind
from wheelyard.jobs.database import Database
from wheelyard.jobs.models import FileRow
from wheelyard.projects import Status, read_project


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFile:
    """One file of a project's page, of our own or of upstream's; its bytes are at `/files/HEX/FILENAME`.

    :param size: in bytes; None where upstream does not say.
    :param metadata: digest of its core metadata (PEP 658); True where there is some of unknown digest.
    :param provenance: of our own, the path of its provenance object below the service's address; of
        upstream's, the whole address (PEP 740). Empty for none.
    :param yanked: the reason (PEP 592), perhaps empty; None for a file that is not yanked.
    :param uploaded_at: epoch seconds; None where upstream does not say.
    :param build_key: of a wheel that was built here; else empty.
    """

    filename: str
    version: str
    kind: FileKind
    digest: Digest
    size: int | None
    requires_python: str = ""
    metadata: Digest | bool = False
    provenance: str = ""
    yanked: str | None = None
    uploaded_at: float | None = None
    build_key: str = ""

    @property
    def path(self) -> str:
        """Its own address below the service's, which never changes."""
        return f"/files/{self.digest.hex}/{self.filename}"


class UpstreamFiles(Protocol):
    """Upstream's part of the pages. Called in a thread, for a project that the team does not own.

    :ivar fresh_seconds: for how long a page with its files may be shown before they are asked for again.
    """

    @property
    def fresh_seconds(self) -> float:
        """See above."""

    def files(self, channel: Channel, project: str) -> tuple[PageFile, ...]:
        """Upstream's files of a project that the channel's policy lets through, kinds and age included.

        :param channel: one whose policy takes the project (`Channel.takes`).
        :param project: canonical name.
        :raises IndexUnavailable: upstream does not answer, and no earlier page of it is kept.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectPage:
    """A project as a channel shows it.

    :param files: sorted by name; a name comes once, and our own files win. Empty where it is quarantined.
    :param reason: of the status, for people.
    :param fresh_seconds: for how long upstream's part holds; None where it has none.
    """

    channel: str
    project: str
    status: Status
    reason: str
    files: tuple[PageFile, ...]
    fresh_seconds: float | None = None

    @property
    def versions(self) -> list[str]:
        """The versions of its files, each once, sorted as text."""
        return sorted({file.version for file in self.files})


class ProjectPages:
    """The one place where a project's page comes together. Safe to share between threads.

    :param upstream: None where no upstream index is set.
    """

    def __init__(self, database: Database, upstream: UpstreamFiles | None = None) -> None:
        self._database = database
        self._upstream = upstream

    def read(self, channel: str, project: str) -> ProjectPage | None:
        """A project's page, or None where there is nothing of it.

        :param project: name in any spelling.
        :raises NotFound: there is no such channel.
        :raises IndexUnavailable: a part of it would be upstream's, which does not answer.
        """
        name = canonicalize_name(project)
        files: dict[str, PageFile] = {}
        with self._database.reading() as session:
            chain = read_chain(session, channel)
            about = read_project(session, name)
            _add(files, _own_files(session, tuple(one.name for one in chain), name))
        fresh = None
        if self._upstream is not None and not about.owned and about.status is not Status.QUARANTINED:
            for one in chain:
                if one.takes(name):
                    fresh = self._upstream.fresh_seconds
                    _add(files, self._upstream.files(one, name))
        if not files:
            return None
        quarantined = about.status is Status.QUARANTINED
        return ProjectPage(
            channel=channel,
            project=name,
            status=about.status,
            reason=about.reason,
            files=() if quarantined else tuple(files[key] for key in sorted(files)),
            fresh_seconds=fresh,
        )


# Columns and not rows: the mapper's objects would cost more than all the rest of a page.
_COLUMNS = (
    FileRow.channel, FileRow.filename, FileRow.version, FileRow.kind, FileRow.digest, FileRow.size,
    FileRow.requires_python, FileRow.metadata_digest, FileRow.provenance, FileRow.yanked,
    FileRow.published_at, FileRow.build_key,
)  # fmt: skip


def _own_files(session: Session, channels: tuple[str, ...], project: str) -> list[PageFile]:
    """The files of some channels, those of the first one first."""
    query = select(*_COLUMNS).where(FileRow.channel.in_(channels), FileRow.project == project)
    rows = session.execute(query).all()
    return [_own(row) for row in sorted(rows, key=lambda row: channels.index(row.channel))]


def _own(row: Any) -> PageFile:
    return PageFile(
        filename=row.filename,
        version=row.version,
        kind=FileKind(row.kind),
        digest=Digest.parse(row.digest),
        size=row.size,
        requires_python=row.requires_python,
        metadata=Digest.parse(row.metadata_digest) if row.metadata_digest else False,
        provenance=f"/integrity/{row.channel}/{row.filename}/provenance" if row.provenance else "",
        yanked=row.yanked,
        uploaded_at=row.published_at,
        build_key=row.build_key,
    )


def _add(files: dict[str, PageFile], more: Iterable[PageFile]) -> None:
    for file in more:
        files.setdefault(file.filename, file)
