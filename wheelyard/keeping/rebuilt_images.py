"""The registry's rows, made again from the bucket alone: images, manifests of repositories, tags."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from wheelyard.digests import Digest
from wheelyard.errors import WheelyardError
from wheelyard.image_catalogue import ALL_IMAGES, set_image
from wheelyard.image_manifest import Manifest
from wheelyard.image_record import IMAGES, ImageRecord
from wheelyard.image_repositories import stored_manifest
from wheelyard.image_rows import set_manifest, set_tag, unset_manifest
from wheelyard.index_changes import Change, IndexChange
from wheelyard.jobs.database import Database
from wheelyard.jobs.models import ImageManifestRow, ImageRow, ImageTagMoveRow, ImageTagRow
from wheelyard.keeping.document_reader import read_documents
from wheelyard.keeping.progress import Progress
from wheelyard.store.contract import Store

if TYPE_CHECKING:
    from wheelyard.keeping.rebuilding import Rebuilt


class RebuiltImages:
    """Compares the registry's rows with the bucket, and sets them right. Idempotent.

    :param clock: epoch seconds; an image whose time is not known counts as made now.
    """

    def __init__(
        self,
        store: Store,
        database: Database,
        rebuilt: Rebuilt,
        clock: Callable[[], float],
        progress: Progress,
        *,
        dry_run: bool,
    ) -> None:
        self._store = store
        self._database = database
        self._rebuilt = rebuilt
        self._clock = clock
        self._progress = progress
        self._dry_run = dry_run
        self._manifests: dict[tuple[str, str], IndexChange] = {}
        self._moves: list[IndexChange] = []

    def note(self, change: IndexChange) -> None:
        """Take a change of the registry, oldest first."""
        fields = change.fields
        if change.kind is Change.IMAGE_MANIFEST:
            self._manifests[fields["repository"], fields["digest"]] = change
        else:
            self._moves.append(change)

    def run(self) -> None:
        """Set every row."""
        self._set_images()
        for change in self._manifests.values():
            with self._database.transaction() as session:
                self._set_manifest(session, change)
        with self._database.transaction() as session:
            self._set_tags(session)

    def _set_images(self) -> None:
        names = self._store.list_documents(IMAGES)
        for name, body in read_documents(self._store, names, self._progress, "images"):
            try:
                record = ImageRecord.from_document(json.loads(body))
                manifest = self._manifest(record.manifest_digest)
            except (WheelyardError, KeyError, TypeError, ValueError) as error:
                self._rebuilt.problems.append(f"{name} is no image's record: {error!r}")
                continue
            if manifest is None:
                self._rebuilt.problems.append(f"the image {record.manifest_digest} of {name} is lost")
                continue
            with self._database.transaction() as session:
                row = session.get(ImageRow, record.key)
                place = (ALL_IMAGES, str(record.manifest_digest))
                known = row is not None and session.get(ImageManifestRow, place) is not None
                self._rebuilt.note("images", "same" if known else "added", f"the image {record.key[:12]}")
                if not known and not self._dry_run:
                    set_image(session, record, manifest, self._clock() if row is None else row.made_at)

    def _set_manifest(self, session: Session, change: IndexChange) -> None:
        repository, digest = change.fields["repository"], change.fields["digest"]
        of = f"{digest} in {repository}"
        known = session.get(ImageManifestRow, (repository, digest)) is not None
        if change.fields.get("removed"):
            self._rebuilt.note("image_manifests", "removed" if known else "same", of)
            if known and not self._dry_run:
                unset_manifest(session, repository, Digest.parse(digest))
            return
        if known:
            self._rebuilt.note("image_manifests", "same", of)
            return
        try:
            manifest = self._manifest(Digest.parse(digest))
        except WheelyardError as error:
            self._rebuilt.problems.append(f"{of} is no manifest: {error.failed}")
            return
        if manifest is None:
            self._rebuilt.problems.append(f"{of} is lost")
            return
        self._rebuilt.note("image_manifests", "added", of)
        if not self._dry_run:
            set_manifest(session, repository, manifest, at=change.at, actor=change.actor)

    def _set_tags(self, session: Session) -> None:
        newest: dict[tuple[str, str], IndexChange] = {}
        for change in self._moves:
            newest[change.fields["repository"], change.fields["tag"]] = change
            if session.get(ImageTagMoveRow, change.id) is None and not self._dry_run:
                set_tag(session, change)
        for (repository, tag), change in sorted(newest.items()):
            row = session.get(ImageTagRow, (repository, tag), populate_existing=True)
            what = _standing(row, change)
            self._rebuilt.note("image_tags", what, f"{repository}:{tag}")
            if what in ("mended", "removed") and not self._dry_run:
                set_tag(session, change)

    def _manifest(self, digest: Digest) -> Manifest | None:
        return stored_manifest(self._store, digest)


def _standing(row: Any, change: IndexChange) -> str:
    """How a tag's row stands to what the bucket says."""
    if not change.fields["digest"]:
        return "same" if row is None else "removed"
    if row is None:
        return "added"
    return "same" if (row.digest, row.at) == (change.fields["digest"], change.at) else "mended"
