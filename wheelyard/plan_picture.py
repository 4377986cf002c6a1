"""The picture of a plan as SVG: what is needed on the left, what needs it on the right."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from xml.sax.saxutils import escape, quoteattr

from wheelyard.plan import Plan, PlanNode, Role, Standing
from wheelyard.plan_layout import Arrow, layout_of
from wheelyard.plan_outlook import count_standings

_WIDTH, _HEIGHT = 220, 44
_ACROSS, _DOWN = 72, 14
_MARGIN, _TOP, _BOTTOM = 24, 76, 74
_LEAST_WIDTH = 1060
_MOST_LETTERS = 38
_PAD = 10
_NOT_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# Both looks of a page, the light one and the dark one, as the reader's system has it.
_STYLE = """
.wy-page { fill: #fbfbf9 } .wy-ink { fill: #1b1f24 } .wy-soft { fill: #5b6672 } .wy-tip { fill: #9aa5b1 }
.wy-box rect { stroke: #5b6672; stroke-width: 1.2 } .wy-box text { fill: #1b1f24 }
.wy-hit rect { fill: #d3efdf; stroke: #1a7f4b } .wy-built rect { fill: #a9dfc1; stroke: #1a7f4b }
.wy-waiting rect { fill: #fdeec9; stroke: #8a5a00 } .wy-building rect { fill: #f7d27e; stroke: #8a5a00 }
.wy-failed rect { fill: #f2a8a2; stroke: #b3261e } .wy-blocked rect { fill: #fadedb; stroke: #b3261e }
.wy-runtime rect { stroke-width: 2.4 } .wy-bootstrap rect { stroke-dasharray: 7 3 }
.wy-seed rect { stroke-dasharray: 2 3 } .wy-box rect.wy-inner { fill: none; stroke-width: 1 }
.wy-arrow { fill: none; stroke: #9aa5b1; stroke-width: 1.1 } .wy-runs { stroke-dasharray: 4 4 }
.wy-path { stroke: #8a5a00; stroke-width: 2.6 } .wy-key rect { fill: none }
@media (prefers-color-scheme: dark) {
.wy-page { fill: #15181c } .wy-ink { fill: #e8eaed } .wy-soft { fill: #9aa5b1 } .wy-tip { fill: #5b6672 }
.wy-box rect { stroke: #9aa5b1 } .wy-box text { fill: #e8eaed }
.wy-hit rect { fill: #173a29; stroke: #5fd39a } .wy-built rect { fill: #1f5a3d; stroke: #5fd39a }
.wy-waiting rect { fill: #3d3115; stroke: #f0bd5f } .wy-building rect { fill: #6b5216; stroke: #f0bd5f }
.wy-failed rect { fill: #7a2620; stroke: #ff8a80 } .wy-blocked rect { fill: #3f1d1b; stroke: #ff8a80 }
.wy-arrow { stroke: #5b6672 } .wy-path { stroke: #f0bd5f } .wy-key rect { fill: none }
}
"""
_TIP = (
    '<defs><marker id="wy-tip" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto" '
    'markerUnits="userSpaceOnUse"><path class="wy-tip" d="M0 0 8 4 0 8z"/></marker></defs>'
)
_STANDING_WORDS = {
    Standing.HIT: "in the cache",
    Standing.BUILT: "built",
    Standing.WAITING: "to build",
    Standing.BUILDING: "being built",
    Standing.FAILED: "failed",
    Standing.BLOCKED: "blocked",
}
_ROLE_WORDS = {
    Role.RUNTIME: "asked for, or needed to run",
    Role.BUILD: "needed to build others",
    Role.BOOTSTRAP: "built with a seed first",
    Role.SEED: "upstream's wheel, for a cycle",
    Role.NATIVE: "native artifact",
}


def plan_picture(plan: Plan, *, title: str = "", path: Collection[str] = ()) -> str:
    """A plan as an SVG document; the same arguments give the same bytes.

    :param title: of the picture, foreign text.
    :param path: ids of the chain that the end waits for longest, whose arrows are drawn thick.
    """
    layout = layout_of(plan)
    rows = max(map(len, layout.columns), default=0)
    places: dict[str, tuple[int, int]] = {}
    for column, names in enumerate(layout.columns):
        above = (rows - len(names)) * (_HEIGHT + _DOWN) // 2
        for row, name in enumerate(names):
            places[name] = (_MARGIN + column * (_WIDTH + _ACROSS), _TOP + above + row * (_HEIGHT + _DOWN))
    width = max(_LEAST_WIDTH, 2 * _MARGIN + len(layout.columns) * (_WIDTH + _ACROSS) - _ACROSS)
    height = _TOP + rows * (_HEIGHT + _DOWN) + _BOTTOM
    name = title or "plan"
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" aria-label={quoteattr(_xml(name))} '
        'font-family="system-ui, sans-serif" font-size="13">'
    )
    parts = [
        svg,
        f"<title>{_text(name)}</title>",
        f"<style>{_STYLE}</style>",
        _TIP,
        f'<rect class="wy-page" width="{width}" height="{height}"/>',
        f'<text class="wy-ink" x="{_MARGIN}" y="30" font-size="17">{_text(_cut(name, 90))}</text>',
        f'<text class="wy-soft" x="{_MARGIN}" y="52">{_text(_summary(plan))}</text>',
        *(_arrow(arrow, places, thick=False) for arrow in layout.arrows if not _is_on(path, arrow)),
        *(_arrow(arrow, places, thick=True) for arrow in layout.arrows if _is_on(path, arrow)),
        *(_box(node, places[node.id]) for node in plan),
        *_legend(plan, layout.arrows, height - _BOTTOM + 22),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def seconds_words(seconds: float) -> str:
    """An estimate, no finer than it can be: `40 s`, `4 min`, `2.5 h`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _summary(plan: Plan) -> str:
    counts = count_standings(plan)
    said = [f"{count} {_STANDING_WORDS[standing]}" for standing, count in counts.items() if count]
    left = sum(node.seconds for node in plan if not node.standing.is_over)
    estimate = f"; about {seconds_words(left)} of building" if left else ""
    nodes = f"{len(plan.nodes)} node{'' if len(plan.nodes) == 1 else 's'}"
    return f"{nodes} for {plan.toolchain}: {', '.join(said) or 'none'}{estimate}"


def _is_on(path: Collection[str], arrow: Arrow) -> bool:
    return arrow.need in path and arrow.user in path


def _arrow(arrow: Arrow, places: Mapping[str, tuple[int, int]], *, thick: bool) -> str:
    (x, y), (to_x, to_y) = places[arrow.need], places[arrow.user]
    x, y, to_y = x + _WIDTH, y + _HEIGHT // 2, to_y + _HEIGHT // 2
    bend = max(_ACROSS // 2, (to_x - x) // 3)
    classes = "wy-arrow" + (" wy-runs" if arrow.runs else "") + (" wy-path" if thick else "")
    course = f"M{x} {y}C{x + bend} {y} {to_x - bend} {to_y} {to_x} {to_y}"
    return f'<path class="{classes}" marker-end="url(#wy-tip)" d="{course}"/>'


def _box(node: PlanNode, place: tuple[int, int]) -> str:
    x, y = place
    role, standing = node.role.value, node.standing.value
    inner = (
        f'<rect class="wy-inner" x="{x + 3}" y="{y + 3}" width="{_WIDTH - 6}" height="{_HEIGHT - 6}" rx="4"/>'
        if node.role is Role.NATIVE
        else ""
    )
    return (
        f'<g class="wy-box wy-{standing} wy-{role}"><title>{_text(_told(node))}</title>'
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="6"/>{inner}'
        f'<text x="{x + _PAD}" y="{y + 18}" font-weight="600"{_fitted(_name(node), 24)}</text>'
        f'<text x="{x + _PAD}" y="{y + 35}" font-size="11.5"{_fitted(_line(node), 31)}</text></g>'
    )


def _fitted(text: str, letters: int) -> str:
    """The end of a text's tag, and the text: no wider than a box, whatever font the reader has.

    :param letters: up to so many it is set as it is; what is longer is set closer.
    """
    width = (
        f' textLength="{_WIDTH - 2 * _PAD}" lengthAdjust="spacingAndGlyphs"' if len(text) > letters else ""
    )
    return f"{width}>{_text(_cut(text, _MOST_LETTERS))}"


def _name(node: PlanNode) -> str:
    """What the box is called: the id, without the role that the line below says."""
    return node.id.removesuffix(f" ({node.role})").replace("==", " ", 1)


def _line(node: PlanNode) -> str:
    words = _STANDING_WORDS[node.standing]
    if node.standing in (Standing.WAITING, Standing.BUILDING) and node.seconds:
        words += f", about {seconds_words(node.seconds)}"
    return words if node.role is Role.RUNTIME else f"{node.role}: {words}"


def _told(node: PlanNode) -> str:
    """All of a node, for whoever points at its box."""
    lines = [node.id, f"{_ROLE_WORDS[node.role]}; {_line(node)}"]
    lines += [node.reason] if node.reason else []
    lines += [f"built with {', '.join(node.build_needs)}"] if node.build_needs else []
    lines += [f"runs with {', '.join(node.run_needs)}"] if node.run_needs else []
    lines += [f"key {node.key[:12]}"] if node.key else []
    return "\n".join(lines)


def _legend(plan: Plan, arrows: Collection[Arrow], y: int) -> Iterator[str]:
    """What the colours and frames of this picture mean; only those that are in it."""
    x = _MARGIN
    for standing in [standing for standing, count in count_standings(plan).items() if count]:
        yield _swatch(x, y, f"wy-{standing.value}", _STANDING_WORDS[standing])
        x += 46 + 7 * len(_STANDING_WORDS[standing])
    for runs, words, kind in ((False, "built with", ""), (True, "runs with", " wy-runs")):
        if all(arrow.runs is not runs for arrow in arrows):
            continue
        yield f'<path class="wy-arrow{kind}" marker-end="url(#wy-tip)" d="M{x} {y}h26"/>'
        yield f'<text class="wy-soft" x="{x + 33}" y="{y + 4}" font-size="12">{words}</text>'
        x += 46 + 7 * len(words)
    x, y = _MARGIN, y + 26
    for role in [role for role in Role if any(node.role is role for node in plan)]:
        yield _swatch(x, y, f"wy-key wy-{role.value}", _ROLE_WORDS[role], double=role is Role.NATIVE)
        x += 46 + 7 * len(_ROLE_WORDS[role])


def _swatch(x: int, y: int, classes: str, words: str, *, double: bool = False) -> str:
    inner = (
        f'<rect class="wy-inner" x="{x + 2}" y="{y - 6}" width="22" height="12" rx="2"/>' if double else ""
    )
    return (
        f'<g class="wy-box {classes}"><rect x="{x}" y="{y - 8}" width="26" height="16" rx="4"/>{inner}</g>'
        f'<text class="wy-soft" x="{x + 33}" y="{y + 4}" font-size="12">{_text(words)}</text>'
    )


def _cut(text: str, letters: int) -> str:
    return text if len(text) <= letters else text[: letters - 1] + "…"


def _text(text: str) -> str:
    return escape(_xml(text))


def _xml(text: str) -> str:
    """Text without the characters that XML 1.0 does not have."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
