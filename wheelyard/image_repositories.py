"""Repositories of the service's own registry: which manifests and blobs each has, and may give out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import delete, exists, or_, select
from sqlalchemy.orm import Session

from wheelyard.digests import Digest
from wheelyard.errors import NotFound
from wheelyard.image_manifest import MAX_MANIFEST_BYTES, Manifest, read_manifest
from wheelyard.image_rows import remove_tag_row, set_manifest, unset_manifest
from wheelyard.index_changes import Change, note_change
from wheelyard.jobs.database import Database, repeated
from wheelyard.jobs.models import ImageBlobRow, ImageManifestRow, ImageRow, ImageTagRow
from wheelyard.jobs.rows import new_row
from wheelyard.store.contract import Store


class UnknownPart(NotFound):
    """A manifest names a blob or a manifest that its repository does not have."""

    kind = "unknown-part"
    title = "A part is missing"


class Repositories:
    """Reads and writes of what repositories have. Safe at the same time from any number of processes.

    Nobody reads a blob through a repository but one that a manifest there names, or that he pushed there.

    :param store: keeps each change, before the database shows it.
    """

    def __init__(self, database: Database, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._store = store
        self._clock = clock

    # -- reading -------------------------------------------------------------------------------------------

    def names(self, last: str = "", limit: int | None = None, within: Iterable[str] = ()) -> list[str]:
        """Repositories that have a manifest, sorted.

        :param last: only those behind this one.
        :param within: first parts of their names; none means all.
        """
        name = ImageManifestRow.repository
        query = select(name).where(name > last).distinct().order_by(name).limit(limit)
        if first := sorted(within):
            query = query.where(
                or_(*(or_(name == one, name.startswith(f"{one}/", autoescape=True)) for one in first))
            )
        with self._database.reading() as session:
            return list(session.scalars(query))

    def is_known(self, repository: str) -> bool:
        """Whether a repository has anything, or a blob was pushed to it lately."""
        manifests = exists().where(ImageManifestRow.repository == repository)
        blobs = exists().where(ImageBlobRow.repository == repository)
        with self._database.reading() as session:
            return bool(session.scalar(select(manifests))) or bool(session.scalar(select(blobs)))

    def manifest(self, repository: str, digest: Digest) -> Manifest | None:
        """A manifest of a repository, without the blobs that it names; None where it has no such one."""
        with self._database.reading() as session:
            row = session.get(ImageManifestRow, (repository, str(digest)))
            return None if row is None else _manifest_of(row)

    def has_blob(self, repository: str, digest: Digest) -> bool:
        """Whether a manifest of a repository names a blob, or it was pushed there lately."""
        with self._database.reading() as session:
            return digest in _blobs_in(session, repository, [digest])

    def has_made(self, repository: str) -> bool:
        """Whether a repository has an image that was made here, to which documents are attached."""
        row = ImageManifestRow
        made = exists().where(row.repository == repository, row.digest == ImageRow.digest)
        with self._database.reading() as session:
            return bool(session.scalar(select(made)))

    def about(self, repository: str, subject: Digest) -> list[Manifest]:
        """Manifests that were pushed to a repository and name another one as their subject."""
        row = ImageManifestRow
        query = select(row).where(row.repository == repository, row.subject == str(subject))
        with self._database.reading() as session:
            return [_manifest_of(found) for found in session.scalars(query.order_by(row.digest))]

    # -- writing -------------------------------------------------------------------------------------------

    @repeated
    def add_blob(self, repository: str, digest: Digest) -> None:
        """Note a blob that was pushed to a repository, and that is in the store; idempotent."""
        with self._database.transaction() as session:
            insert = new_row(session, ImageBlobRow)
            session.execute(
                insert.values(repository=repository, digest=str(digest), manifest="", at=self._clock())
                .on_conflict_do_update(
                    index_elements=["repository", "digest", "manifest"], set_={"at": self._clock()}
                )
            )  # fmt: skip

    @repeated
    def remove_blob(self, repository: str, digest: Digest) -> bool:
        """Take away what was pushed to a repository, unless a manifest there names it.

        :returns: whether it was there, and is not any more.
        """
        row = ImageBlobRow
        with self._database.transaction() as session:
            here = (row.repository == repository, row.digest == str(digest))
            if session.scalar(select(exists().where(*here, row.manifest != ""))):
                return False
            # A manifest that names it may come in between: its row stays.
            gone = session.execute(delete(row).where(*here, row.manifest == ""))
            return bool(gone.rowcount)  # type: ignore[attr-defined]  # a delete has one

    @repeated
    def add_manifest(self, repository: str, manifest: Manifest, actor: str, *, made: bool = False) -> None:
        """Let a repository have a manifest, whose bytes are in the store; idempotent.

        :param made: whether this service made the image, and so vouches for its parts; else the repository
            must have each of them already: nobody gets at a blob by naming it in a manifest of his own.
        :raises UnknownPart: it lacks one.
        """
        if not made:
            with self._database.reading() as session:
                _check_parts(session, repository, manifest)
            for digest in manifest.blobs:
                # Young from here on, so that no collection takes it before the rows below are written.
                if self._store.renew_blob(digest) is None:
                    raise _lacks_blob(repository, digest)
        with self._database.transaction() as session:
            if not made:
                _check_parts(session, repository, manifest)
            known = session.get(ImageManifestRow, (repository, str(manifest.digest)))
            if known is None:
                fields = {"repository": repository, "digest": str(manifest.digest)}
                change = note_change(self._store, Change.IMAGE_MANIFEST, actor, fields, self._clock)
                set_manifest(session, repository, manifest, at=change.at, actor=actor)

    @repeated
    def remove_manifest(self, repository: str, digest: Digest, actor: str) -> None:
        """Take a manifest out of a repository, and the tags that stand for it; its bytes stay in the store.

        :raises NotFound: it has no such one.
        """
        with self._database.transaction() as session:
            row = session.get(ImageManifestRow, (repository, str(digest)), with_for_update=True)
            if row is None:
                raise NotFound(
                    f"the repository {repository} has no manifest {digest}",
                    repository=repository,
                    digest=str(digest),
                )
            tag = ImageTagRow
            # Locked: one that moves to another manifest meanwhile is not taken away.
            here = (
                select(tag).where(tag.repository == repository, tag.digest == str(digest)).with_for_update()
            )
            for tagged in session.scalars(here.order_by(tag.tag)).all():
                remove_tag_row(session, self._store, tagged, actor, self._clock)
            fields = {"repository": repository, "digest": str(digest), "removed": True}
            note_change(self._store, Change.IMAGE_MANIFEST, actor, fields, self._clock)
            unset_manifest(session, repository, digest)


def stored_manifest(store: Store, digest: Digest) -> Manifest | None:
    """A manifest whose bytes are in the store, or None where they are not.

    :raises ManifestInvalid: they are no manifest.
    """
    stream = store.open_blob(digest, 0, MAX_MANIFEST_BYTES + 1)
    if stream is None:
        return None
    with stream:
        return read_manifest(stream.read())


def _check_parts(session: Session, repository: str, manifest: Manifest) -> None:
    here = _blobs_in(session, repository, manifest.blobs)
    for digest in manifest.blobs:
        if digest not in here:
            raise _lacks_blob(repository, digest)
    row = ImageManifestRow
    named = [str(digest) for digest in manifest.manifests]
    query = select(row.digest).where(row.repository == repository, row.digest.in_(named))
    lacking = set(named) - set(session.scalars(query))
    if lacking:
        raise UnknownPart(
            f"the index names a manifest that the repository {repository} does not have",
            expected=f"{min(lacking)} pushed before the index",
            do="push that manifest first",
            digest=min(lacking),
        )


def _lacks_blob(repository: str, digest: Digest) -> UnknownPart:
    return UnknownPart(
        f"the manifest names a blob that the repository {repository} does not have",
        expected=f"{digest} pushed, or mounted, before the manifest",
        do="push that blob first",
        digest=str(digest),
    )


def _blobs_in(session: Session, repository: str, digests: Iterable[Digest]) -> set[Digest]:
    row = ImageBlobRow
    named = [str(digest) for digest in digests]
    query = select(row.digest).where(row.repository == repository, row.digest.in_(named)).distinct()
    return {Digest.parse(found) for found in session.scalars(query)}


def _manifest_of(row: ImageManifestRow) -> Manifest:
    fields: dict[str, Any] = {
        "media_type": row.media_type,
        "digest": Digest.parse(row.digest),
        "size": row.size,
        "subject": Digest.parse(row.subject) if row.subject else None,
        "artifact_type": row.artifact_type,
        "annotations": row.annotations,
    }
    return Manifest(**fields)
