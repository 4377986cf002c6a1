"""A treemap as SVG: rectangles whose areas are sizes, each as square as it can be (Bruls and others)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True, slots=True)
class Tile:
    """One rectangle.

    :param name: what it is called.
    :param detail: the line below the name.
    :param weight: its area.
    :param style: class of its colour.
    :param href: where a click on it leads; empty for nowhere.
    """

    name: str
    detail: str
    weight: float
    style: str
    href: str = ""


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


def draw_treemap(
    tiles: Sequence[Tile], width: int = 960, height: int = 380, label: str = "layers by size"
) -> str:
    """The SVG element; a tile too small for its name has it as a tooltip only.

    Tiles of one style lie together. With links each is reached by the keyboard, and read by its name.

    :param label: what the picture is, for who can't see it.
    """
    shown = [tile for tile in tiles if tile.weight > 0]
    # A layer of a few bytes still has to be seen.
    least = sum(tile.weight for tile in shown) / 1200
    groups: dict[str, list[Tile]] = {}
    linked = any(tile.href for tile in shown)
    for tile in sorted(shown, key=lambda tile: -tile.weight):
        groups.setdefault(tile.style if linked else "", []).append(tile)
    ordered = sorted(
        ([(tile, max(tile.weight, least)) for tile in group] for group in groups.values() if group),
        key=lambda group: -sum(weight for _tile, weight in group),
    )
    outer = lay_out([sum(weight for _tile, weight in group) for group in ordered], Box(0, 0, width, height))
    role = "group" if linked else "img"
    parts = [
        f'<svg class="treemap" viewBox="0 0 {width} {height}" role="{role}" aria-label="{escape(label)}">'
    ]
    for group, place in zip(ordered, outer, strict=True):
        for (tile, _weight), box in zip(group, lay_out([weight for _t, weight in group], place), strict=True):
            parts.append(_drawn(tile, box))
    return "".join([*parts, "</svg>"])


def _drawn(tile: Tile, box: Box) -> str:
    name, detail = escape(tile.name), escape(tile.detail)
    drawn = (
        f'<g class="{escape(tile.style)}"><title>{name}: {detail}</title>'
        f'<rect x="{box.x + 1.5:.1f}" y="{box.y + 1.5:.1f}" width="{max(box.width - 3, 1):.1f}" '
        f'height="{max(box.height - 3, 1):.1f}" rx="5"/>'
    )
    if box.width > 9 * len(tile.name) + 20 and box.height > 50:
        drawn += f'<text x="{box.x + 14:.1f}" y="{box.y + 28:.1f}">{name}</text>'
        if box.width > 7.5 * len(tile.detail) + 20:
            drawn += f'<text class="detail" x="{box.x + 14:.1f}" y="{box.y + 46:.1f}">{detail}</text>'
    drawn += "</g>"
    if not tile.href:
        return drawn
    return f'<a href="{escape(tile.href)}" aria-label="{name}, {detail}">{drawn}</a>'
