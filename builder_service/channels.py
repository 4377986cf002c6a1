"""Addresses of channels, and of the yanks of their files (PEP 592)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from builder_service.documents import WheelDocument, wheel_document
from builder_service.index_bodies import (
    ChannelBody,
    ChannelChange,
    ChannelDocument,
    ChannelList,
    YankBody,
    channel_document,
)
from builder_service.problems import responses
from builder_service.services import Opened
from builder_service.tokens import CurrentIdentity, allowed
from wheelyard.access_token import Scope
from wheelyard.simple_index import file_path

router = APIRouter(prefix="/v1/channels", tags=["index"])
_ADMIN = [Depends(allowed(Scope.ADMIN))]
_PUBLISHER = [Depends(allowed(Scope.PUBLISH))]
Name = Annotated[str, Path(max_length=63, description="A channel's name.")]
FileName = Annotated[str, Path(max_length=300, description="A file's name.")]


@router.get("", operation_id="list_channels", summary="Channels")
def listing(services: Opened) -> ChannelList:
    """Each is an index of its own, perhaps on top of another one."""
    return ChannelList(channels=[channel_document(channel) for channel in services.channels.list()])


@router.get("/{channel}", operation_id="get_channel", summary="One channel", responses=responses(404, 422))
def one(channel: Name, services: Opened) -> ChannelDocument:
    """With its settings."""
    return channel_document(services.channels.get(channel))


@router.put(
    "/{channel}",
    operation_id="create_channel",
    summary="Make a channel",
    dependencies=_ADMIN,
    responses={
        201: {"model": ChannelDocument, "description": "It was made"},
        **responses(400, 401, 403, 404, 409, 413, 422),
    },
)
def create(
    channel: Name,
    services: Opened,
    identity: CurrentIdentity,
    response: Response,
    body: ChannelBody | None = None,
) -> ChannelDocument:
    """The same one again is a no-op; one of that name with other settings is a conflict."""
    settings = body or ChannelBody.model_validate({})
    made, is_new = services.channels.create(settings.channel(channel), identity.name)
    response.status_code = 201 if is_new else 200
    return channel_document(made)


@router.patch(
    "/{channel}",
    operation_id="change_channel",
    summary="Give a channel other settings",
    dependencies=_ADMIN,
    responses=responses(400, 401, 403, 404, 409, 413, 422),
)
def change(
    channel: Name, body: ChannelChange, services: Opened, identity: CurrentIdentity
) -> ChannelDocument:
    """What it has already stays as it is; what it shows of its base and of upstream changes at once."""
    return channel_document(services.channels.change(channel, body.apply, identity.name))


@router.delete(
    "/{channel}",
    status_code=204,
    operation_id="remove_channel",
    summary="Take an empty channel away",
    dependencies=_ADMIN,
    responses=responses(401, 403, 404, 409, 422),
)
def remove(channel: Name, services: Opened, identity: CurrentIdentity) -> None:
    """One that has files, or on which another one builds, stays."""
    services.channels.remove(channel, identity.name)


@router.put(
    "/{channel}/files/{filename}/yank",
    operation_id="yank_file",
    summary="Yank a file",
    dependencies=_PUBLISHER,
    responses=responses(400, 401, 403, 404, 413, 422),
)
def yank(
    channel: Name,
    filename: FileName,
    services: Opened,
    identity: CurrentIdentity,
    body: YankBody | None = None,
) -> WheelDocument:
    """Installers pass over it, unless a lock or a requirement names that very version."""
    identity.check_channel(services.channels.get(channel).name)
    reason = "" if body is None else body.reason
    file = services.yanks.set(channel, filename, reason, identity.name)
    return wheel_document(file, file_path(file))


@router.delete(
    "/{channel}/files/{filename}/yank",
    operation_id="unyank_file",
    summary="Take a yank back",
    dependencies=_PUBLISHER,
    responses=responses(401, 403, 404, 422),
)
def unyank(channel: Name, filename: FileName, services: Opened, identity: CurrentIdentity) -> WheelDocument:
    """The file is as before."""
    identity.check_channel(services.channels.get(channel).name)
    file = services.yanks.set(channel, filename, None, identity.name)
    return wheel_document(file, file_path(file))
