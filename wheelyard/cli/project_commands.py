"""The commands about projects: project show, own, disown, status."""

# ruff: noqa: D301 - \b keeps the lines of an example apart in the help; it must not be raw.

from __future__ import annotations

from typing import Annotated, Any

import typer

from wheelyard.answers import CachedWheel
from wheelyard.cli.exits import exit_codes_help
from wheelyard.cli.session import session_of
from wheelyard.cli.tables import write_json, write_line

project_app = typer.Typer(
    help="What the team says of projects, in every channel: ownership and status.", no_args_is_help=True
)
Name = Annotated[str, typer.Argument(help="The project's name in any spelling.", metavar="NAME")]
AsJson = Annotated[bool, typer.Option("--json", help="As one JSON document.")]


@project_app.command("show", epilog=exit_codes_help())
def show_project(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Show who owns a project's name, its status, and its files in each channel.

    \b
    Examples:
      wheelyard project show numpy
    """
    with session_of(context).client() as client:
        found, files = client.project(name), client.wheels(name)
    if as_json:
        write_json({**found, "channels": dict(_by_channel(files))})
        return
    _show(found)
    for channel, names in _by_channel(files):
        write_line(f"{len(names)} files in {channel}: {', '.join(names)}")


@project_app.command("own", epilog=exit_codes_help())
def own_project(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Say that a name is the team's: nothing of it is taken from upstream, whatever somebody puts there.

    \b
    Examples:
      wheelyard project own acme-billing
    """
    _change(context, name, {"owned": True}, as_json=as_json)


@project_app.command("disown", epilog=exit_codes_help())
def disown_project(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Say that a name is not the team's: upstream's files are shown behind its uploads.

    \b
    Examples:
      wheelyard project disown numpy
    """
    _change(context, name, {"owned": False}, as_json=as_json)


@project_app.command("status", epilog=exit_codes_help())
def set_project_status(
    context: typer.Context,
    name: Name,
    status: Annotated[
        str, typer.Argument(help="active, archived, quarantined or deprecated.", metavar="STATUS")
    ],
    reason: Annotated[str, typer.Option("--reason", help="For people.", metavar="TEXT")] = "",
    as_json: AsJson = False,
) -> None:
    """Give a project a status (PEP 792). Nothing is offered of a quarantined one.

    \b
    Examples:
      wheelyard project status acme-old deprecated --reason "use acme-new"
      wheelyard project status evil-thing quarantined --reason "steals keys"
    """
    _change(context, name, {"status": status, "reason": reason}, as_json=as_json)


def _change(context: typer.Context, name: str, change: dict[str, Any], *, as_json: bool) -> None:
    with session_of(context).client() as client:
        changed = client.change_project(name, change)
    if as_json:
        write_json(changed)
    else:
        _show(changed)


def _show(found: dict[str, Any]) -> None:
    owner = "the team" if found["owned"] else "nobody here"
    decided = "said so" if found["decided"] else "by its uploads" if found["owned"] else "never said"
    for label, value in (
        ("name", found["name"]),
        ("owner", f"{owner} ({decided})"),
        ("status", found["status"]),
        *((("reason", found["reason"]),) if found["reason"] else ()),
    ):
        write_line(f"{label + ':':<9}{value}")


def _by_channel(files: list[CachedWheel]) -> list[tuple[str, list[str]]]:
    channels = sorted({file.channel for file in files})
    return [
        (channel, sorted(file.filename for file in files if file.channel == channel)) for channel in channels
    ]
