"""The comparison as a picture: bars of sizes and times, one colour for each image (SVG 1.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from wheelyard.comparison.figures import Comparison
from wheelyard.comparison.rows import megabytes, seconds

_COLOURS = ("#b4652b", "#d9a441", "#2f6f8f", "#6b8e4e", "#8d6a9f")
_WIDTH, _LEFT, _RIGHT, _BAR, _GAP, _HEAD = 860, 150, 110, 22, 6, 34


@dataclass(frozen=True, slots=True)
class _Bar:
    name: str
    value: float
    text: str


def draw_comparison(comparison: Comparison) -> str:
    """The picture as the text of an SVG file, the same for the same comparison."""
    parts: list[str] = []
    y = 0
    for title, bars in _groups(comparison):
        parts.append(f'<text class="head" x="0" y="{y + 20}">{escape(title)}</text>')
        y += _HEAD
        longest = max(bar.value for bar in bars) or 1.0
        for number, bar in enumerate(bars):
            # A value far smaller than the others is still to be seen.
            width = max(2.0, (_WIDTH - _LEFT - _RIGHT) * bar.value / longest)
            middle = y + _BAR / 2 + 5
            box = f'x="{_LEFT}" y="{y}" width="{width:.1f}" height="{_BAR}"'
            parts += [
                f'<text x="{_LEFT - 10}" y="{middle:g}" text-anchor="end">{escape(bar.name)}</text>',
                f'<rect {box} rx="3" fill="{_COLOURS[number % len(_COLOURS)]}"/>',
                f'<text x="{_LEFT + width + 8:.1f}" y="{middle:g}">{escape(bar.text)}</text>',
            ]
            y += _BAR + _GAP
        y += 12
    style = (
        "text{font:14px system-ui,sans-serif;fill:#333}.head{font-weight:600}"
        "@media(prefers-color-scheme:dark){text{fill:#ddd}}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y}" role="img" '
        f'aria-label="Images of {escape(comparison.app)} compared"><style>{style}</style>'
        + "".join(parts)
        + "</svg>\n"
    )


def _groups(comparison: Comparison) -> Sequence[tuple[str, list[_Bar]]]:
    images = comparison.images
    groups = [
        ("size, unpacked", [_Bar(one.name, one.unpacked, megabytes(one.unpacked)) for one in images]),
        ("size, compressed", [_Bar(one.name, one.compressed, megabytes(one.compressed)) for one in images]),
        ("time, cold", [_Bar(one.name, one.cold_seconds, seconds(one.cold_seconds)) for one in images]),
    ]
    changed = [
        _Bar(one.name, one.changed_seconds, seconds(one.changed_seconds))
        for one in images
        if one.changed_seconds is not None
    ]
    pulled = [
        _Bar(one.name, one.second_bytes, megabytes(one.second_bytes))
        for one in images
        if one.second_bytes is not None
    ]
    if changed:
        groups.append(("time, one requirement changed", changed))
    if pulled:
        groups.append(("bytes to pull for the second image", pulled))
    return [group for group in groups if group[1]]
