"""Rows of the registry, as the changes in the store say: manifests of repositories, and tags."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from wheelyard.digests import Digest
from wheelyard.image_manifest import Manifest
from wheelyard.index_changes import Change, IndexChange, note_change
from wheelyard.jobs.models import ImageBlobRow, ImageManifestRow, ImageTagMoveRow, ImageTagRow
from wheelyard.jobs.rows import new_row
from wheelyard.store.contract import GRACE_SECONDS, Store

_NEXT_MOMENT = 2e-6
"""Seconds; changes in the store are named by microseconds."""


def set_manifest(session: Session, repository: str, manifest: Manifest, *, at: float, actor: str) -> None:
    """Make the rows of a manifest that a repository has from now on; those that are there stay."""
    values = {
        "repository": repository,
        "digest": str(manifest.digest),
        "media_type": manifest.media_type,
        "size": manifest.size,
        "subject": str(manifest.subject or ""),
        "artifact_type": manifest.artifact_type,
        "annotations": dict(manifest.annotations),
        "at": at,
        "actor": actor,
    }
    session.execute(new_row(session, ImageManifestRow).values(**values).on_conflict_do_nothing())
    for digest in sorted(set(manifest.blobs)):
        blob = {"repository": repository, "digest": str(digest), "manifest": str(manifest.digest)}
        session.execute(new_row(session, ImageBlobRow).values(**blob, at=at).on_conflict_do_nothing())


def unset_manifest(session: Session, repository: str, digest: Digest) -> None:
    """Remove those rows."""
    manifest, blob = ImageManifestRow, ImageBlobRow
    session.execute(delete(blob).where(blob.repository == repository, blob.manifest == str(digest)))
    session.execute(delete(manifest).where(manifest.repository == repository, manifest.digest == str(digest)))


def remove_tag_row(
    session: Session, store: Store, row: ImageTagRow, actor: str, clock: Callable[[], float]
) -> None:
    """Take a tag away, inside the caller's transaction."""
    fields = {"repository": row.repository, "tag": row.tag, "digest": "", "media_type": "", "image_key": ""}
    clock = later_clock(session, row.repository, row.tag, clock)
    set_tag(session, note_change(store, Change.IMAGE_TAG, actor, fields, clock))


def later_clock(
    session: Session, repository: str, tag: str, clock: Callable[[], float]
) -> Callable[[], float]:
    """A clock that is not behind a tag's last move: who holds its row is later, whatever his clock says."""
    move = ImageTagMoveRow
    last = session.scalar(select(func.max(move.at)).where(move.repository == repository, move.tag == tag))
    return clock if last is None else lambda: max(clock(), last + _NEXT_MOMENT)


def set_tag(session: Session, change: IndexChange) -> None:
    """Make the rows of a tag's move, inside the caller's transaction; an older move changes no newer one."""
    fields = change.fields
    moved = {name: value for name, value in fields.items() if name != "media_type"}
    move = {**moved, "id": change.id, "at": change.at, "actor": change.actor}
    session.execute(new_row(session, ImageTagMoveRow).values(**move).on_conflict_do_nothing())
    row = ImageTagRow
    if not fields["digest"]:
        known = session.get(row, (fields["repository"], fields["tag"]))
        if known is not None and known.at <= change.at:
            session.delete(known)
            session.flush()
        return
    others = {name: value for name, value in fields.items() if name not in ("repository", "tag")}
    others |= {"at": change.at, "actor": change.actor}
    session.execute(
        new_row(session, row)
        .values(repository=fields["repository"], tag=fields["tag"], **others)
        .on_conflict_do_update(index_elements=["repository", "tag"], set_=others, where=row.at <= change.at)
    )


def forget_old_blobs(session: Session, now: float) -> None:
    """Forget what was pushed a day ago and never named by a manifest, inside the caller's transaction."""
    row = ImageBlobRow
    session.execute(delete(row).where(row.manifest == "", row.at < now - GRACE_SECONDS))
