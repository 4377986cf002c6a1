"""The report as one page that needs nothing else: style, drawings and picture are inside it."""

from __future__ import annotations

from html import escape
from pathlib import Path
from string import Template

from examples.demo.phases import duration
from examples.demo.report import Report, megabytes
from wheelyard.treemap import Tile, draw_treemap

TEMPLATE = Path(__file__).with_name("page.html")


def write_page(report: Report, target: Path) -> None:
    """Write the page."""
    template = Template(TEMPLATE.read_text("utf-8"))
    target.write_text(template.substitute(fields(report)), "utf-8")


def fields(report: Report) -> dict[str, str]:
    """What the template asks for, escaped."""
    image = report.image
    return {
        "projects": escape(" and ".join(report.projects)),
        "image_size": megabytes(image["size"]),
        "image_unpacked": megabytes(image["unpacked"]),
        "toolchain_unpacked": megabytes(report.toolchain["unpacked"]),
        "layer_count": str(len(image["layers"])),
        "wheel_count": str(len(report.wheels)),
        "wheels_size": megabytes(sum(wheel["size"] for wheel in report.wheels)),
        "time": duration(report.seconds),
        "verdict": "every check held" if report.held else "something did not hold",
        "verdict_class": "good" if report.held else "bad",
        "picture": _picture(report),
        "treemap": draw_treemap(_tiles(report)),
        "phases": _phases(report),
        "layers": "".join(
            f"<tr><td>{escape(layer['title'])}</td><td>{megabytes(layer['size'])}</td>"
            f"<td>{megabytes(layer['unpacked'])}</td><td><code>{escape(layer['digest'][7:19])}</code></td></tr>"
            for layer in image["layers"]
        ),
        "wheels": "".join(
            f"<tr><td>{escape(wheel['filename'])}</td><td>{megabytes(wheel['size'])}</td>"
            f"<td>{'from the cache' if wheel['hit'] else duration(wheel['seconds'])}</td></tr>"
            for wheel in report.wheels
        ),
        "tools": "".join(
            f'<li class="{"bad" if paths else "good"}">{escape(tool)}</li>'
            for tool, paths in report.tools.items()
        ),
        "checks": _checks(report),
        "versions": escape(
            ", ".join(f"{name} {version}" for name, version in report.application["versions"].items())
        ),
        "run": escape(f"user {image.get('user', '')}, entry point {' '.join(image.get('entrypoint', []))}"),
        "digest": escape(image["manifest_digest"]),
    }


def _picture(report: Report) -> str:
    png = report.application.get("png")
    if not png:
        return ""
    clip = report.application["clip"]
    return (
        f'<figure><img alt="the tracked square" src="data:image/png;base64,{escape(png)}"><figcaption>'
        f"Drawn by the application inside the image: {clip['frames']} frames of {clip['width']} by "
        f"{clip['height']} pixels, made with numpy, encoded and tracked with cv2.</figcaption></figure>"
    )


def _tiles(report: Report) -> list[Tile]:
    tiles = []
    for layer in report.image["layers"]:
        title = layer["title"]
        kind = "wheel"
        if title.startswith("base"):
            kind = "base"
        elif title.startswith(("app", "system")):
            kind = "other"
        name, _, version = title.partition(" ")
        detail = f"{version}, {megabytes(layer['unpacked'])}" if version else megabytes(layer["unpacked"])
        tiles.append(Tile(name, detail, layer["unpacked"], kind))
    return tiles


def _phases(report: Report) -> str:
    longest = max((phase.seconds for phase in report.phases), default=1) or 1
    return "".join(
        f'<div class="phase"><span class="name">{escape(phase.title)}</span><span class="bar">'
        f'<i style="width:{max(100 * phase.seconds / longest, 0.4):.2f}%"></i></span>'
        f'<span class="time">{duration(phase.seconds)}</span></div>'
        for phase in report.phases
    )


def _checks(report: Report) -> str:
    rows = [
        f'<li class="{"good" if check["held"] else "bad"}">{escape(check["what"])}'
        f"<small>{escape(check['found'])}</small></li>"
        for check in report.application["checks"]
    ]
    rows += [
        f'<li class="good">{escape(name)}<small>{escape(value)}</small></li>'
        for name, value in report.extra.items()
    ]
    return "".join(rows)
