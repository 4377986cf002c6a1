"""Addresses of toolchains: their definitions, and the images that they stand for."""

from __future__ import annotations

from fastapi import APIRouter

from builder_service.documents import ToolchainDocument, ToolchainList, toolchain_document
from builder_service.problems import responses
from builder_service.services import Opened
from wheelyard.toolchain_record import load_record
from wheelyard.toolchains import get_toolchain, list_toolchains

router = APIRouter(prefix="/v1/toolchains", tags=["toolchains"])


@router.get("", operation_id="list_toolchains", summary="Every toolchain", responses=responses(422))
def listing(services: Opened) -> ToolchainList:
    """Those that are shipped, and those of the team's own folder."""
    settings = services.settings
    return ToolchainList(
        toolchains=[
            toolchain_document(
                toolchain,
                services.catalogue.toolchain_image(toolchain.name),
                default=toolchain.name == settings.toolchain,
            )
            for toolchain in list_toolchains(settings.toolchains_dir)
        ]
    )


@router.get(
    "/{name}", operation_id="get_toolchain", summary="One toolchain, with the record of its image",
    responses=responses(404, 422),
)  # fmt: skip
def one(name: str, services: Opened) -> ToolchainDocument:
    """The record holds the packages of both images, with their versions."""
    settings = services.settings
    toolchain = get_toolchain(name, settings.toolchains_dir)
    image = services.catalogue.toolchain_image(toolchain.name)
    record = load_record(services.store, toolchain.name, image) if image else None
    return toolchain_document(
        toolchain,
        image,
        default=toolchain.name == settings.toolchain,
        record=record.to_document() if record else None,
    )
