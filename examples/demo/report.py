"""The demo's report: one document, printed as tables, saved as JSON and as a page."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from examples.demo.phases import Phase, duration


@dataclass(slots=True, kw_only=True)
class Report:
    """What a run of the demo found out. Sizes in bytes, times in seconds.

    :param wheels: as the build's result names them: filename, size, seconds, hit.
    :param image: as the image's result describes it: layers, sizes, user, entry point.
    :param toolchain: name, and size of the compile image that stays behind.
    :param tools: build tool to the paths where it was found in the image; none means that it is not inside.
    :param application: what the application in the image printed.
    :param installs: `pip` and `uv` to the size of the environment that each filled.
    :param extra: what else was run, for instance numpy's own tests.
    """

    projects: list[str]
    phases: list[Phase]
    wheels: list[dict[str, Any]]
    image: dict[str, Any]
    toolchain: dict[str, Any]
    tools: dict[str, list[str]]
    application: dict[str, Any]
    installs: dict[str, int]
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """The whole time."""
        return sum(phase.seconds for phase in self.phases)

    @property
    def held(self) -> bool:
        """Whether every check of the application held and no build tool is inside."""
        return all(check["held"] for check in self.application["checks"]) and not any(
            paths for tool, paths in self.tools.items() if tool != "shell"
        )

    def to_document(self) -> dict[str, Any]:
        """The report as JSON-serialisable fields; the picture is left to the page."""
        return {
            "projects": self.projects,
            "held": self.held,
            "seconds": round(self.seconds, 3),
            "phases": [phase.to_document() for phase in self.phases],
            "wheels": self.wheels,
            "image": self.image,
            "toolchain": self.toolchain,
            "tools": self.tools,
            "application": {name: value for name, value in self.application.items() if name != "png"},
            "installs": self.installs,
            "extra": self.extra,
        }

    def save(self, target: Path) -> None:
        """Write the document."""
        target.write_text(json.dumps(self.to_document(), indent=2) + "\n", "utf-8")


def megabytes(size: int) -> str:
    """A size in units of 1,000,000 bytes, as registries count; small ones in units of 1000."""
    return f"{size / 1000:.1f} kB" if size < 1_000_000 else f"{size / 1_000_000:.1f} MB"


def print_report(report: Report, console: Console) -> None:
    """Print the tables."""
    console.print()
    console.print(_phase_table(report))
    console.print(_wheel_table(report))
    console.print(_layer_table(report))
    absent = [tool for tool, paths in report.tools.items() if not paths]
    console.print(Text.assemble(("not inside: ", "bold"), (", ".join(absent), "green")))
    for tool, paths in report.tools.items():
        if paths:
            console.print(Text.assemble((f"inside: {tool} ", "bold red"), ", ".join(paths[:5])))
    for check in report.application["checks"]:
        mark = ("held   ", "green") if check["held"] else ("broken ", "bold red")
        console.print(Text.assemble(mark, check["what"], (f"  {check['found']}", "dim")))
    for name, value in report.extra.items():
        console.print(Text.assemble((f"{name}: ", "bold"), value))


def _phase_table(report: Report) -> Table:
    table = Table(title="Time", title_justify="left", box=None, pad_edge=False, show_footer=True)
    table.add_column("phase", footer="whole")
    table.add_column("time", justify="right", footer=duration(report.seconds))
    table.add_column("")
    for phase in report.phases:
        table.add_row(phase.title, duration(phase.seconds), Text(phase.note, style="dim"))
    return table


def _wheel_table(report: Report) -> Table:
    table = Table(title="Wheels", title_justify="left", box=None, pad_edge=False)
    for name in ("file", "size", "compile and checks"):
        table.add_column(name, justify="left" if name == "file" else "right", overflow="fold")
    for wheel in report.wheels:
        table.add_row(
            wheel["filename"],
            megabytes(wheel["size"]),
            "from the cache" if wheel["hit"] else duration(wheel["seconds"]),
        )
    return table


def _layer_table(report: Report) -> Table:
    image = report.image
    table = Table(title="Image", title_justify="left", box=None, pad_edge=False, show_footer=True)
    table.add_column("layer", footer="whole")
    table.add_column("compressed", justify="right", footer=megabytes(image["size"]))
    table.add_column("unpacked", justify="right", footer=megabytes(image["unpacked"]))
    for layer in image["layers"]:
        table.add_row(layer["title"], megabytes(layer["size"]), megabytes(layer["unpacked"]))
    return table
