"""Addresses of images by their names: the list of what was made, tags that move, and the page for people."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from builder_service.human_pages import human_page
from builder_service.named_images import find_image
from builder_service.problems import responses
from builder_service.registry_access import check_readable, check_writable
from builder_service.services import Opened, Services
from builder_service.tokens import CurrentIdentity, allowed
from wheelyard.access_token import Scope
from wheelyard.digests import Digest
from wheelyard.errors import NotFound
from wheelyard.identity import Identity
from wheelyard.image_catalogue import MadeImage
from wheelyard.image_name import ImageName
from wheelyard.image_tags import ImageTag
from wheelyard.jobs.states import Job

router = APIRouter(tags=["images"])
_MOST = 500
_ON_PAGE = 100
Text = Annotated[str, Query(min_length=1, max_length=400)]


class MadeImageDocument(BaseModel):
    """An image that was made here. Sizes in bytes, times in epoch seconds."""

    key: str = Field(description="Of its inputs.")
    digest: str = Field(description="Of its manifest; `images@DIGEST` names it in the registry.")
    image_id: str = Field(description="As docker and podman name it.")
    title: str
    toolchain: str
    size: int = Field(description="Compressed.")
    unpacked: int
    made_at: float
    tags: list[str] = Field(description="`REPOSITORY:TAG` that stand for it now.")


class MadeImageList(BaseModel):
    """Images, newest first."""

    images: list[MadeImageDocument]


class TagBody(BaseModel):
    """An image, and the name that it gets."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"image": "sha256:" + "0" * 64, "name": "team/clip:latest"}]},
    )
    image: str = Field(min_length=1, max_length=400, description="A digest, an image id, or REPOSITORY:TAG.")
    name: str = Field(min_length=1, max_length=400, description="REPOSITORY:TAG.")


class TagDocument(BaseModel):
    """What a tag stands for from some time on."""

    name: str
    digest: str = Field(description="Of the manifest; empty where the tag was removed then.")
    image_key: str = Field(description="Empty for an image that was pushed.")
    at: float = Field(description="Epoch seconds.")
    actor: str = Field(description="Who moved it.")


class TagHistory(BaseModel):
    """What a tag stood for, newest first."""

    name: str
    moves: list[TagDocument]


@router.get(
    "/v1/registry/images",
    operation_id="list_made_images",
    summary="Images that were made here, and their tags",
    responses=responses(403, 422),
)
def list_images(
    services: Opened,
    identity: CurrentIdentity,
    limit: Annotated[int, Query(ge=1, le=_MOST)] = 50,
    before: Annotated[
        float | None, Query(ge=0, le=1e12, description="Only those made before, in epoch seconds.")
    ] = None,
) -> MadeImageList:
    """Newest first. A token for some channels sees those that have a tag below the name of one of them."""
    return MadeImageList(
        images=[_document(image, tags) for image, tags in _listed(services, identity, limit, before)]
    )


@router.put(
    "/v1/registry/tags",
    operation_id="put_image_tag",
    summary="Let a tag stand for an image that was made here",
    dependencies=[Depends(allowed(Scope.PUBLISH))],
    responses=responses(400, 401, 403, 404, 413, 422),
)
def put_tag(body: TagBody, services: Opened, identity: CurrentIdentity) -> TagDocument:
    """The same again is a no-op. What the tag stood for before stays in its history, and by its digest."""
    name = ImageName.tagged(body.name)
    check_writable(name.repository, identity)
    record = find_image(services, identity, body.image)
    return _tag_document(
        services.image_tags.name_image(name, record.manifest_digest, identity.name, image_key=record.key)
    )


@router.get(
    "/v1/registry/tags",
    operation_id="get_image_tag_history",
    summary="What a tag stands for, and stood for before",
    responses=responses(403, 404, 422),
)
def tag_history(name: Text, services: Opened, identity: CurrentIdentity) -> TagHistory:
    """A tag that was removed has a history, too."""
    wanted = ImageName.tagged(name)
    check_readable(wanted.repository, identity)
    moves = services.image_tags.history(wanted.repository, wanted.tag)
    if not moves:
        raise NotFound(f"there never was a tag {wanted}", do="see `wheelyard image list`")
    return TagHistory(name=str(wanted), moves=[_tag_document(move) for move in moves])


@router.get("/images", include_in_schema=False)
def images_page(services: Opened, identity: CurrentIdentity) -> HTMLResponse:
    """The images for people, and how each is pulled."""
    address = services.settings.effective_public_url.partition("://")[2]
    return human_page(
        "images.html",
        images=[_document(image, tags) for image, tags in _listed(services, identity, _ON_PAGE, None)],
        registry=address,
    )


def check_tags(tags: Iterable[str], identity: Identity) -> None:
    """Refuse a request for an image whose tags its sender may not move.

    :raises Forbidden: he may not; a tag is what others pull by, so that it takes the scope publish.
    """
    for tag in tags:
        identity.check_scope(Scope.PUBLISH)
        check_writable(ImageName.tagged(tag).repository, identity)


def move_tags(services: Services, job: Job, tags: Iterable[str], actor: str) -> None:
    """Move the tags of a request that an earlier job answers: they may stand for something else since."""
    image = (job.result or {}).get("image")
    if image is None:
        return
    digest, key = Digest.parse(image["manifest_digest"]), ""
    with suppress(NotFound):
        key = services.images.find(str(digest)).key
    for tag in tags:
        services.image_tags.name_image(ImageName.tagged(tag), digest, actor, image_key=key)


def _listed(
    services: Services, identity: Identity, limit: int, before: float | None
) -> list[tuple[MadeImage, list[ImageTag]]]:
    found = services.images.list(limit, before)
    tags = services.image_tags.of_digests([image.digest for image in found])
    readable = {
        digest: [tag for tag in named if identity.may_use(tag.repository.partition("/")[0])]
        for digest, named in tags.items()
    }
    pairs = [(image, readable.get(image.digest, [])) for image in found]
    return [(image, named) for image, named in pairs if named or not identity.channels]


def _document(image: MadeImage, tags: list[ImageTag]) -> MadeImageDocument:
    return MadeImageDocument(
        key=image.key,
        digest=str(image.digest),
        image_id=str(image.image_id),
        title=image.title,
        toolchain=image.toolchain,
        size=image.size,
        unpacked=image.unpacked,
        made_at=image.made_at,
        tags=[str(tag.name) for tag in tags],
    )


def _tag_document(tag: ImageTag) -> TagDocument:
    return TagDocument(
        name=str(tag.name),
        digest=str(tag.digest or ""),
        image_key=tag.image_key,
        at=tag.at,
        actor=tag.actor,
    )
