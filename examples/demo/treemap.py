"""A treemap as SVG: rectangles whose areas are sizes, each as square as it can be (Bruls and others)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True, slots=True)
class Tile:
    """One rectangle: what it is called, the line below the name, its weight and its colour class."""

    name: str
    detail: str
    weight: float
    style: str


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in the picture."""

    x: float
    y: float
    width: float
    height: float


def lay_out(weights: Sequence[float], box: Box) -> list[Box]:
    """A box for each weight, in the order given, which is to be from large to small."""
    if not weights:
        return []
    scale = box.width * box.height / sum(weights)
    areas = [weight * scale for weight in weights]
    boxes: list[Box] = []
    while areas:
        side = min(box.width, box.height)
        row = 1
        while row < len(areas) and _worst(areas[: row + 1], side) <= _worst(areas[:row], side):
            row += 1
        thickness = sum(areas[:row]) / side
        offset = 0.0
        for area in areas[:row]:
            length = area / thickness
            boxes.append(
                Box(box.x, box.y + offset, thickness, length)
                if box.width >= box.height
                else Box(box.x + offset, box.y, length, thickness)
            )
            offset += length
        box = (
            Box(box.x + thickness, box.y, box.width - thickness, box.height)
            if box.width >= box.height
            else Box(box.x, box.y + thickness, box.width, box.height - thickness)
        )
        areas = areas[row:]
    return boxes


def _worst(areas: Sequence[float], side: float) -> float:
    """The worst ratio of sides in a row of these areas along that side."""
    thickness = sum(areas) / side
    return max(max(thickness**2 / area, area / thickness**2) for area in areas)


def draw_treemap(tiles: Sequence[Tile], width: int = 960, height: int = 380) -> str:
    """The SVG element; a tile too small for its name has it as a tooltip only."""
    ordered = sorted((tile for tile in tiles if tile.weight > 0), key=lambda tile: -tile.weight)
    # A layer of a few bytes still has to be seen.
    least = sum(tile.weight for tile in ordered) / 1200
    boxes = lay_out([max(tile.weight, least) for tile in ordered], Box(0, 0, width, height))
    parts = [f'<svg class="treemap" viewBox="0 0 {width} {height}" role="img" aria-label="layers by size">']
    for tile, box in zip(ordered, boxes, strict=True):
        name, detail = escape(tile.name), escape(tile.detail)
        parts.append(
            f'<g class="{tile.style}"><title>{name}: {detail}</title>'
            f'<rect x="{box.x + 1.5:.1f}" y="{box.y + 1.5:.1f}" width="{max(box.width - 3, 1):.1f}" '
            f'height="{max(box.height - 3, 1):.1f}" rx="5"/>'
        )
        if box.width > 9 * len(tile.name) + 20 and box.height > 50:
            parts.append(f'<text x="{box.x + 14:.1f}" y="{box.y + 28:.1f}">{name}</text>')
            parts.append(f'<text class="detail" x="{box.x + 14:.1f}" y="{box.y + 46:.1f}">{detail}</text>')
        parts.append("</g>")
    return "".join([*parts, "</svg>"])
