"""Tags of images: names that move from one manifest to the next, and what each stood for before."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select

from wheelyard.digests import Digest
from wheelyard.errors import NotFound
from wheelyard.image_manifest import Manifest
from wheelyard.image_name import ImageName
from wheelyard.image_repositories import Repositories, stored_manifest
from wheelyard.image_rows import later_clock, remove_tag_row, set_tag
from wheelyard.index_changes import Change, IndexChange, note_change
from wheelyard.jobs.database import Database, repeated
from wheelyard.jobs.models import ImageManifestRow, ImageTagMoveRow, ImageTagRow
from wheelyard.store.contract import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageTag:
    """What a tag stands for, or stood for from some time on.

    :param digest: of the manifest; None where the tag was removed then.
    :param image_key: of an image that was made here; empty for one that was pushed.
    :param at: epoch seconds.
    :param actor: who moved it: a token's name, or the worker's.
    """

    repository: str
    tag: str
    digest: Digest | None
    image_key: str
    at: float
    actor: str

    @property
    def name(self) -> ImageName:
        """Its name: `REPOSITORY:TAG`."""
        return ImageName(repository=self.repository, tag=self.tag)


class ImageTags:
    """Reads and moves tags. Safe at the same time from any number of processes: the last move stands.

    :param store: keeps each move, before the database shows it.
    """

    def __init__(self, database: Database, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._store = store
        self._clock = clock

    def get(self, repository: str, tag: str) -> ImageTag | None:
        """What a tag stands for now, or None."""
        with self._database.reading() as session:
            row = session.get(ImageTagRow, (repository, tag))
            return None if row is None else _tag_of(row)

    def of_repository(self, repository: str, last: str = "", limit: int | None = None) -> list[ImageTag]:
        """A repository's tags, sorted by name.

        :param last: only those behind this one.
        """
        row = ImageTagRow
        query = select(row).where(row.repository == repository, row.tag > last)
        with self._database.reading() as session:
            return [_tag_of(found) for found in session.scalars(query.order_by(row.tag).limit(limit))]

    def of_digests(self, digests: list[Digest]) -> dict[Digest, list[ImageTag]]:
        """The tags that stand for some manifests now, by these, sorted by name."""
        row, found = ImageTagRow, dict[Digest, list[ImageTag]]()
        query = select(row).where(row.digest.in_([str(digest) for digest in digests]))
        with self._database.reading() as session:
            for one in session.scalars(query.order_by(row.repository, row.tag)):
                found.setdefault(Digest.parse(one.digest), []).append(_tag_of(one))
        return found

    def history(self, repository: str, tag: str) -> list[ImageTag]:
        """What a tag stood for, newest first."""
        row = ImageTagMoveRow
        query = select(row).where(row.repository == repository, row.tag == tag)
        with self._database.reading() as session:
            return [_tag_of(found) for found in session.scalars(query.order_by(row.at.desc(), row.id.desc()))]

    def name_image(self, name: ImageName, digest: Digest, actor: str, *, image_key: str) -> ImageTag:
        """Let a tag stand for an image that was made here; the repository has it from then on.

        :param digest: of its manifest.
        :raises NotFound: its manifest is not in the store.
        """
        manifest = stored_manifest(self._store, digest)
        if manifest is None:
            raise NotFound(f"the image {digest} is not in the store", digest=str(digest))
        Repositories(self._database, self._store, self._clock).add_manifest(
            name.repository, manifest, actor, made=True
        )
        return self.move(name, manifest, actor, image_key=image_key)

    @repeated
    def move(self, name: ImageName, manifest: Manifest, actor: str, *, image_key: str = "") -> ImageTag:
        """Let a tag stand for a manifest that its repository has; where it does already, a no-op.

        :raises NotFound: the repository does not have it, or not any more.
        """
        with self._database.transaction() as session:
            place = (name.repository, str(manifest.digest))
            if session.get(ImageManifestRow, place, with_for_update=True) is None:
                raise NotFound(
                    f"the repository {name.repository} has no manifest {manifest.digest}",
                    repository=name.repository,
                    digest=str(manifest.digest),
                )
            row = session.get(ImageTagRow, (name.repository, name.tag), with_for_update=True)
            if row is not None and (row.digest, row.image_key) == (str(manifest.digest), image_key):
                return _tag_of(row)
            fields = {
                "repository": name.repository,
                "tag": name.tag,
                "digest": str(manifest.digest),
                "media_type": manifest.media_type,
                "image_key": image_key,
            }
            clock = later_clock(session, name.repository, name.tag, self._clock)
            change = note_change(self._store, Change.IMAGE_TAG, actor, fields, clock)
            set_tag(session, change)
            return tag_of_change(change)

    @repeated
    def remove(self, repository: str, tag: str, actor: str) -> None:
        """Take a tag away; the manifest stays in its repository.

        :raises NotFound: there is no such tag.
        """
        with self._database.transaction() as session:
            row = session.get(ImageTagRow, (repository, tag), with_for_update=True)
            if row is None:
                raise NotFound(f"there is no tag {repository}:{tag}", repository=repository, tag=tag)
            remove_tag_row(session, self._store, row, actor, self._clock)


def tag_of_change(change: IndexChange) -> ImageTag:
    """What a change says of a tag."""
    fields = change.fields
    return ImageTag(
        repository=fields["repository"],
        tag=fields["tag"],
        digest=Digest.parse(fields["digest"]) if fields["digest"] else None,
        image_key=fields["image_key"],
        at=change.at,
        actor=change.actor,
    )


def _tag_of(row: ImageTagRow | ImageTagMoveRow) -> ImageTag:
    return ImageTag(
        repository=row.repository,
        tag=row.tag,
        digest=Digest.parse(row.digest) if row.digest else None,
        image_key=row.image_key,
        at=row.at,
        actor=row.actor,
    )
