"""What the database knows of the upstream index: the last page of each project, and the kept files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update

from wheelyard.digests import Digest
from wheelyard.jobs.database import Database, repeated
from wheelyard.jobs.models import UpstreamFileRow, UpstreamPageRow
from wheelyard.jobs.rows import new_row


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPage:
    """The last page that upstream gave of a project.

    :param page: of its document in the store; None where upstream said that there is no such project.
    :param etag: that upstream gave it, to be sent when it is asked again; perhaps empty.
    :param asked_at: when upstream said so last; epoch seconds.
    """

    project: str
    page: Digest | None
    etag: str = ""
    asked_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFile:
    """A file of upstream's that is in the store.

    :param project: canonical name.
    :param filename: of a wheel or an sdist, or that of a wheel with `.metadata` behind it.
    :param size: in bytes.
    :param metadata: digest of a wheel's core metadata, which is in the store too; None where there is none.
    :param fetched_at: epoch seconds.
    :param used_at: when it was asked for last, to the hour; epoch seconds.
    """

    digest: Digest
    project: str
    filename: str
    size: int
    metadata: Digest | None = None
    fetched_at: float
    used_at: float


class UpstreamRows:
    """Reads and writes of those rows. Safe at the same time from any number of processes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, project: str) -> KeptPage | None:
        """The last page of a project, or None where upstream was never asked for it.

        :param project: canonical name.
        """
        columns = (UpstreamPageRow.page, UpstreamPageRow.etag, UpstreamPageRow.asked_at)
        with self._database.reading() as session:
            row = session.execute(select(*columns).where(UpstreamPageRow.project == project)).first()
        if row is None:
            return None
        page = Digest.parse(row.page) if row.page else None
        return KeptPage(project=project, page=page, etag=row.etag, asked_at=row.asked_at)

    @repeated
    def set_page(self, kept: KeptPage) -> None:
        """Note what upstream said last; of two that come at the same time, either may stay."""
        self._put(
            UpstreamPageRow,
            "project",
            {
                "project": kept.project,
                "page": str(kept.page or ""),
                "etag": kept.etag,
                "asked_at": kept.asked_at,
            },
        )

    def file(self, digest: Digest) -> KeptFile | None:
        """The kept file of that digest, or None."""
        with self._database.reading() as session:
            row = session.get(UpstreamFileRow, str(digest))
            return None if row is None else _kept(row)

    def metadata_of(self, project: str) -> dict[Digest, Digest]:
        """Digests of the core metadata of a project's kept wheels, by the wheels' digests."""
        query = select(UpstreamFileRow.digest, UpstreamFileRow.metadata_digest).where(
            UpstreamFileRow.project == project, UpstreamFileRow.metadata_digest != ""
        )
        with self._database.reading() as session:
            return {Digest.parse(wheel): Digest.parse(found) for wheel, found in session.execute(query)}

    @repeated
    def add_file(self, kept: KeptFile) -> None:
        """Note a file that is in the store by now; what was noted of its digest before is replaced."""
        self._put(
            UpstreamFileRow,
            "digest",
            {
                "digest": str(kept.digest),
                "project": kept.project,
                "filename": kept.filename,
                "size": kept.size,
                "metadata_digest": str(kept.metadata or ""),
                "fetched_at": kept.fetched_at,
                "used_at": kept.used_at,
            },
        )

    @repeated
    def touch(self, digest: Digest, used_at: float) -> None:
        """Note that a kept file was asked for."""
        with self._database.transaction() as session:
            session.execute(
                update(UpstreamFileRow).where(UpstreamFileRow.digest == str(digest)).values(used_at=used_at)
            )

    def _put(self, table: type[UpstreamPageRow | UpstreamFileRow], key: str, values: dict[str, Any]) -> None:
        others = {name: value for name, value in values.items() if name != key}
        with self._database.transaction() as session:
            session.execute(
                new_row(session, table)
                .values(**values)
                .on_conflict_do_update(index_elements=[key], set_=others)
            )


def _kept(row: UpstreamFileRow) -> KeptFile:
    return KeptFile(
        digest=Digest.parse(row.digest),
        project=row.project,
        filename=row.filename,
        size=row.size,
        metadata=Digest.parse(row.metadata_digest) if row.metadata_digest else None,
        fetched_at=row.fetched_at,
        used_at=row.used_at,
    )
