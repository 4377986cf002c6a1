"""The image that an address names: by a job's id, an image id, a digest, or REPOSITORY:TAG."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Path

from builder_service.registry_access import check_readable
from builder_service.services import Opened, Services
from builder_service.tokens import CurrentIdentity
from wheelyard.errors import NotFound
from wheelyard.identity import Identity
from wheelyard.image_name import ImageName
from wheelyard.image_record import ImageRecord
from wheelyard.jobs.states import Job, Kind

_JOB = re.compile(r"[0-9a-f]{32}")
_DIGEST = re.compile(r"(?:sha256:)?[0-9a-f]{12,64}")
Image = Annotated[
    str,
    Path(
        min_length=1,
        max_length=500,
        description="A job's id, an image id, a digest, or `REPOSITORY:TAG`.",
        examples=["team/clip:latest"],
    ),
]


def named_image(image: Image, services: Opened, identity: CurrentIdentity) -> ImageRecord:
    """The record of the image that an address names, where its sender may see it."""
    return find_image(services, identity, image)


def find_image(services: Services, identity: Identity, text: str) -> ImageRecord:
    """The record of an image.

    A whole digest is known to who was told it, as that of a blob; tags and jobs have readers of their own.

    :raises NotFound: there is no such image, or the sender may not see it by that name.
    :raises Forbidden: its repository or its job's channel is not the sender's.
    """
    if _JOB.fullmatch(text):
        return services.images.record(_digest_of(services.ledger.get(text), identity))
    if not _DIGEST.fullmatch(text):
        check_readable(ImageName.parse(text).repository, identity)
    elif identity.channels and len(text.removeprefix("sha256:")) < 64:
        raise NotFound(f"there is no image {text}", do="name it by its whole digest")
    return services.images.record(text)


def _digest_of(job: Job, identity: Identity) -> str:
    identity.check_channel(job.channel)
    image = (job.result or {}).get("image") if job.kind is Kind.IMAGE else None
    if not isinstance(image, dict):
        raise NotFound(
            f"job {job.id} made no image",
            expected="the job of an image that succeeded",
            found=f"a {job.kind} that is {job.state}",
            do="see `wheelyard jobs`",
        )
    return str(image["manifest_digest"])
