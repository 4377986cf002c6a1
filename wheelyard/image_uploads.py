"""Blobs that are being pushed to the registry: each part is kept as it comes, so that a push can go on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from wheelyard.digests import Digest
from wheelyard.errors import NotFound, WheelyardError
from wheelyard.jobs.database import Database, repeated
from wheelyard.jobs.models import ImageUploadPartRow, ImageUploadRow
from wheelyard.store.contract import GRACE_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageUpload:
    """A push that is under way.

    :param id: 32 hexadecimal digits, as hard to guess as a token: who has it may go on with the push.
    :param size: bytes that are here.
    """

    id: str
    repository: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadPart:
    """Bytes of an upload that lie in the store as a blob of their own.

    :param begins: place of its first byte.
    """

    begins: int
    size: int
    digest: Digest


class OutOfOrder(WheelyardError):
    """A part of an upload does not begin where the last one ended."""

    kind = "out-of-order"
    title = "A part out of order"
    status = 416
    exit_code = 2


class ImageUploads:
    """Reads and writes of pushes under way. Safe at the same time from any number of processes.

    Any process of the service may take the next part: what is here is in the database and the store.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    @repeated
    def begin(self, repository: str, actor: str) -> ImageUpload:
        """A new push; one that nobody goes on with is forgotten after a day."""
        import secrets

        upload, now = secrets.token_hex(16), self._clock()
        with self._database.transaction() as session:
            forget_old_uploads(session, now)
            session.add(ImageUploadRow(id=upload, repository=repository, size=0, actor=actor, at=now))
        return ImageUpload(id=upload, repository=repository, size=0)

    def get(self, repository: str, upload: str) -> ImageUpload:
        """A push under way.

        :raises NotFound: there is none of that id in that repository.
        """
        with self._database.reading() as session:
            return _upload_of(_row(session, repository, upload))

    def parts(self, upload: ImageUpload) -> list[UploadPart]:
        """What is here of a push, in order."""
        row = ImageUploadPartRow
        with self._database.reading() as session:
            found = session.scalars(select(row).where(row.upload == upload.id).order_by(row.begins))
            return [
                UploadPart(begins=one.begins, size=one.size, digest=Digest.parse(one.digest)) for one in found
            ]

    @repeated
    def add(self, upload: ImageUpload, part: UploadPart) -> ImageUpload:
        """Note a part whose bytes are in the store.

        :raises OutOfOrder: another one came before it.
        :raises NotFound: the push is over.
        """
        with self._database.transaction() as session:
            row = _row(session, upload.repository, upload.id, lock=True)
            if row.size != part.begins:
                raise out_of_order(row.size, part.begins)
            if part.size:
                session.add(
                    ImageUploadPartRow(
                        upload=upload.id, begins=part.begins, size=part.size, digest=str(part.digest)
                    )
                )
            row.size += part.size
            row.at = self._clock()
            return _upload_of(row)

    @repeated
    def end(self, upload: ImageUpload) -> None:
        """Forget a push, whose blob is whole or is wanted no more; idempotent."""
        with self._database.transaction() as session:
            _forget(session, [upload.id])


def out_of_order(size: int, begins: int) -> OutOfOrder:
    """The error of a part that does not begin where the last one ended."""
    return OutOfOrder(
        "the part does not begin where the last one ended",
        expected=f"a part that begins at byte {size}",
        found=f"one that begins at byte {begins}",
        do="ask with GET how much is here, and go on from there",
        size=size,
    )


def forget_old_uploads(session: Session, now: float) -> None:
    """Forget pushes that nobody went on with for a day; what came of them is swept by `cache gc`."""
    row = ImageUploadRow
    _forget(session, list(session.scalars(select(row.id).where(row.at < now - GRACE_SECONDS))))


def _forget(session: Session, uploads: list[str]) -> None:
    if uploads:
        session.execute(delete(ImageUploadPartRow).where(ImageUploadPartRow.upload.in_(uploads)))
        session.execute(delete(ImageUploadRow).where(ImageUploadRow.id.in_(uploads)))


def _row(session: Session, repository: str, upload: str, *, lock: bool = False) -> ImageUploadRow:
    row = session.get(ImageUploadRow, upload, with_for_update=lock)
    if row is None or row.repository != repository:
        raise NotFound(
            f"the repository {repository} has no upload {upload[:64]!r} under way",
            do="begin the push anew",
            upload=upload[:64],
        )
    return row


def _upload_of(row: ImageUploadRow) -> ImageUpload:
    return ImageUpload(id=row.id, repository=row.repository, size=row.size)
