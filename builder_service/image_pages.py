"""An image for people: a picture of what is in it, its layers, what is proved of it, and its SBOMs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from builder_service.human_pages import human_page
from builder_service.image_receipts import FORMS, advice_on, attached_documents, receipt_of
from builder_service.named_images import named_image
from builder_service.services import Opened
from builder_service.tokens import CurrentIdentity
from wheelyard.image_catalogue import title_of
from wheelyard.image_receipt import Part, PartKind, Reach, Receipt
from wheelyard.image_record import ImageRecord
from wheelyard.sizes import size_text
from wheelyard.treemap import Tile, draw_treemap

router = APIRouter(include_in_schema=False)

_MOST_TILES = 60
_GUESSES = {
    Reach.MENTIONED: "a file that runs has its name",
    Reach.PLUGIN: "in a folder that programs look for plugins in",
    Reach.FOREIGN: "for another machine or C library",
    Reach.NOTHING: "nothing leads to it",
}


@router.get("/images/{image:path}")
def image_page(
    record: Annotated[ImageRecord, Depends(named_image)], services: Opened, identity: CurrentIdentity
) -> HTMLResponse:
    """The receipt of an image, as far as people want to see it."""
    receipt = receipt_of(services, record)
    there = attached_documents(services, record)
    return human_page(
        "image.html",
        title=title_of(record),
        record=record,
        receipt=receipt,
        parts=receipt.largest,
        counts=Counter(part.kind.value for part in receipt.parts),
        # Drawn by our own module, which escapes every word of others.
        picture=Markup(draw_treemap(list(_tiles(receipt)), label="what is in the image, by size")),  # noqa: S704 - see above
        starting=[one for one in receipt.executables if one.can_start],
        absent=[tool.tool for tool in receipt.tools if tool.absent],
        found=[tool for tool in receipt.tools if not tool.absent],
        idle=[(elf, _GUESSES[elf.reach]) for elf in receipt.not_loaded],
        advice=advice_on(services, identity, receipt),
        licences=receipt.licences(),
        documents=[form for form in FORMS if form in there],
        size=size_text,
    )


def _tiles(receipt: Receipt) -> Iterator[Tile]:
    """One for each part, the small ones in one of their kind."""
    for number, part in enumerate(receipt.largest):
        if number < _MOST_TILES:
            yield Tile(part.name, _detail(part), part.unpacked, part.kind.value, href=f"#part-{number + 1}")
    rests: dict[PartKind, list[Part]] = {}
    for part in receipt.largest[_MOST_TILES:]:
        rests.setdefault(part.kind, []).append(part)
    for kind, parts in rests.items():
        size = sum(part.unpacked for part in parts)
        yield Tile(f"{len(parts)} more", size_text(size), size, kind.value, href="#parts")


def _detail(part: Part) -> str:
    return f"{part.version}, {size_text(part.unpacked)}" if part.version else size_text(part.unpacked)
