"""Addresses of the cache: which wheels there are, and of what each was made."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Path, Query
from packaging.utils import canonicalize_name

from builder_service.documents import WheelDetail, WheelList, wheel_document
from builder_service.problems import responses
from builder_service.services import Opened
from builder_service.tokens import CurrentIdentity
from wheelyard.catalogue import check_channel
from wheelyard.errors import NotFound
from wheelyard.simple_index import file_path
from wheelyard.wheel_record import record_name

router = APIRouter(prefix="/v1/wheels", tags=["wheels"])
ProjectName = Annotated[
    str,
    Query(
        max_length=200,
        pattern=r"^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?$",
        description="A project's name in any spelling; empty for all.",
    ),
]
BuildKey = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="SHA-256 over the inputs of a wheel.")]


@router.get("", operation_id="list_wheels", summary="Files of the cache", responses=responses(403, 422))
def listing(
    services: Opened,
    identity: CurrentIdentity,
    project: ProjectName = "",
    channel: Annotated[str, Query(max_length=63, description="A channel's name; empty for all.")] = "",
) -> WheelList:
    """What the index shows, with sizes and build keys; of every channel that the token is for."""
    if channel:
        identity.check_channel(channel)
    files = services.catalogue.files(
        check_channel(channel) if channel else None, canonicalize_name(project) if project else None
    )
    return WheelList(
        wheels=[wheel_document(file, file_path(file)) for file in files if identity.may_use(file.channel)]
    )


@router.get(
    "/{build_key}",
    operation_id="get_wheel",
    summary="The wheel of one build key",
    responses=responses(403, 404, 422),
)
def one(build_key: BuildKey, services: Opened, identity: CurrentIdentity) -> WheelDetail:
    """The inputs are the very ones that the key covers."""
    body = services.store.get_document(record_name(build_key))
    if body is None:
        raise NotFound(f"no wheel has the build key {build_key}", do="see `wheelyard cache ls`")
    everywhere = services.catalogue.of_build_key(build_key)
    shown = [file for file in everywhere if identity.may_use(file.channel)]
    if not shown and everywhere:
        identity.check_channel(everywhere[0].channel)
    return WheelDetail(
        wheels=[wheel_document(file, file_path(file)) for file in shown], record=json.loads(body)
    )
