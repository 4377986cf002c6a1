"""An image is published: listed, in the registry by its digest, and under the tags that were asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from wheelyard.image_catalogue import ImageCatalogue
from wheelyard.image_name import ImageName
from wheelyard.image_record import ImageRecord
from wheelyard.image_tags import ImageTag, ImageTags
from wheelyard.jobs.database import Database
from wheelyard.store.contract import Store


def publish_image(
    database: Database,
    store: Store,
    record: ImageRecord,
    tags: Iterable[str],
    actor: str,
    clock: Callable[[], float] = time.time,
) -> tuple[ImageTag, ...]:
    """Make an image visible, and move its tags; safe to repeat.

    Its bytes and its record must be in the store. What is said of it beside it (`image_referrers.attach`) is
    seen with it, before or after.

    :param tags: `REPOSITORY:TAG` each.
    :param actor: who moves them.
    :raises InputError: a tag is none.
    :raises NotFound: its manifest is not in the store.
    """
    names = [ImageName.tagged(tag) for tag in tags]
    ImageCatalogue(database, store, clock).add(record)
    moves = ImageTags(database, store, clock)
    return tuple(
        moves.name_image(name, record.manifest_digest, actor, image_key=record.key) for name in names
    )
