"""The images that were made here: found by key, id, digest or tag, and listed without reading each record."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from wheelyard.digests import Digest
from wheelyard.errors import InputError, NotFound
from wheelyard.image_manifest import Manifest
from wheelyard.image_name import ImageName
from wheelyard.image_record import ImageRecord, load_record
from wheelyard.image_repositories import stored_manifest
from wheelyard.image_rows import set_manifest
from wheelyard.jobs.database import Database, repeated
from wheelyard.jobs.models import ImageRow, ImageTagRow
from wheelyard.jobs.rows import new_row
from wheelyard.store.contract import Store

ALL_IMAGES = "images"
"""The repository that has every image that was made here, by its digest."""
MAKER = "wheelyard"
"""Who stands for what the records of images say."""

_NAMED = 5
_HEX = re.compile(r"(?:sha256:)?([0-9a-f]{12,64})")


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeImage:
    """One image that was made here. Sizes in bytes.

    :param key: the image key, over every input; names its record.
    :param digest: of its manifest.
    :param image_id: digest of its config.
    :param title: what is in it, for people.
    :param made_at: epoch seconds of the first time.
    """

    key: str
    digest: Digest
    image_id: Digest
    title: str
    toolchain: str
    size: int
    unpacked: int
    made_at: float


class ImageCatalogue:
    """Reads and writes of made images. Safe at the same time from any number of processes."""

    def __init__(self, database: Database, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._store = store
        self._clock = clock

    @repeated
    def add(self, record: ImageRecord) -> MadeImage:
        """Note an image whose record is in the store; idempotent.

        The bucket needs no word of it beside the record: a rebuilt database has the same rows.

        :raises NotFound: its manifest is not in the store.
        """
        manifest = stored_manifest(self._store, record.manifest_digest)
        if manifest is None:
            raise NotFound(f"the image {record.manifest_digest} is not in the store", key=record.key)
        with self._database.transaction() as session:
            set_image(session, record, manifest, self._clock())
            return _made(session.get_one(ImageRow, record.key))

    def list(self, limit: int | None = None, before: float | None = None) -> list[MadeImage]:
        """The images, newest first.

        :param before: only those that were made before this time, in epoch seconds.
        """
        query = select(ImageRow).order_by(ImageRow.made_at.desc(), ImageRow.key).limit(limit)
        if before is not None:
            query = query.where(ImageRow.made_at < before)
        with self._database.reading() as session:
            return [_made(row) for row in session.scalars(query)]

    def find(self, text: str) -> MadeImage:
        """The image that somebody names by its digest, its id, its key, twelve digits of one, or a tag.

        :raises NotFound: there is none, or it was pushed and not made here.
        :raises InputError: it is no name of an image, or of several.
        """
        with self._database.reading() as session:
            if digits := _HEX.fullmatch(text):
                found = _by_digits(session, digits[1])
                if len(found) > 1:
                    raise InputError(
                        f"{text} is the beginning of {len(found)} images' names",
                        expected="more digits",
                        found=", ".join(str(one.digest) for one in found[:5]),
                    )
                if found:
                    return _made(found[0])
            name = ImageName.parse(text) if not text.startswith("sha256:") else None
            row = None if name is None else _by_name(session, name)
            if row is not None:
                return _made(row)
        raise NotFound(
            f"there is no image {text[:200]} that was made here",
            expected="a digest, an image id, or REPOSITORY:TAG",
            do="see `wheelyard image list`",
            image=text[:300],
        )

    def record(self, text: str) -> ImageRecord:
        """The record of that image.

        :raises NotFound: as `find`; or its record is not in the store.
        """
        made = self.find(text)
        record = load_record(self._store, made.key)
        if record is None:
            raise NotFound(
                f"the record of the image {text[:200]} is not in the store",
                do="ask for the image again",
                key=made.key,
            )
        return record


def set_image(session: Session, record: ImageRecord, manifest: Manifest, made_at: float) -> None:
    """Make the rows of an image, inside the caller's transaction; one that is there keeps its time."""
    values = {
        "key": record.key,
        "digest": str(record.manifest_digest),
        "image_id": str(record.image_id),
        "title": title_of(record),
        "toolchain": record.toolchain,
        "size": record.size,
        "unpacked": record.unpacked,
    }
    session.execute(
        new_row(session, ImageRow)
        .values(**values, made_at=made_at)
        .on_conflict_do_update(index_elements=["key"], set_=values)
    )
    set_manifest(session, ALL_IMAGES, manifest, at=made_at, actor=MAKER)


def title_of(record: ImageRecord) -> str:
    """What is in an image, for people: its own title, else its first wheels."""
    own = record.labels.get("org.opencontainers.image.title", "")
    titles = [wheel.title for wheel in record.wheels]
    more = f" and {len(titles) - _NAMED} more" if len(titles) > _NAMED else ""
    return (own or ", ".join(titles[:_NAMED]) + more or "no wheels")[:500]


def _by_digits(session: Session, digits: str) -> list[ImageRow]:
    row = ImageRow
    if len(digits) == 64:
        fits = or_(
            row.key == digits, *(column == f"sha256:{digits}" for column in (row.digest, row.image_id))
        )
    else:
        fits = or_(
            row.key.startswith(digits),
            *(column.startswith(f"sha256:{digits}") for column in (row.digest, row.image_id)),
        )
    found = list(session.scalars(select(row).where(fits).order_by(row.made_at.desc()).limit(20)))
    # Two requests may come to one image.
    return list({one.digest: one for one in reversed(found)}.values())


def _by_name(session: Session, name: ImageName) -> ImageRow | None:
    if name.digest is not None:
        digest = str(name.digest)
    else:
        tagged = session.get(ImageTagRow, (name.repository, name.tag))
        if tagged is None:
            return None
        if tagged.image_key and (row := session.get(ImageRow, tagged.image_key)) is not None:
            return row
        digest = tagged.digest
    return session.scalar(select(ImageRow).where(ImageRow.digest == digest).limit(1))


def _made(row: ImageRow) -> MadeImage:
    return MadeImage(
        key=row.key,
        digest=Digest.parse(row.digest),
        image_id=Digest.parse(row.image_id),
        title=row.title,
        toolchain=row.toolchain,
        size=row.size,
        unpacked=row.unpacked,
        made_at=row.made_at,
    )
