"""The commands about channels: channel create, list, show, set, remove."""

# ruff: noqa: D301 - \b keeps the lines of an example apart in the help; it must not be raw.

from __future__ import annotations

import re
from typing import Annotated, Any

import typer

from wheelyard.cli.exits import exit_codes_help
from wheelyard.cli.session import session_of
from wheelyard.cli.tables import moment_text, write_json, write_line, write_table
from wheelyard.errors import InputError

channel_app = typer.Typer(
    help="Named indexes inside the cache, each perhaps on top of another one.", no_args_is_help=True
)
_UNITS = {"": 1, "s": 1, "min": 60, "h": 3600, "d": 86400, "w": 604800}
_AGE = re.compile(r"([0-9]{1,9})\s*(s|min|h|d|w|)")
Name = Annotated[str, typer.Argument(help="The channel's name.", metavar="NAME")]
AsJson = Annotated[bool, typer.Option("--json", help="As one JSON document.")]
Base = Annotated[
    str | None,
    typer.Option("--base", help="Channel whose files it shows behind its own; '' for none.", metavar="NAME"),
]
Upstream = Annotated[
    str | None,
    typer.Option("--upstream", help="Of which projects it takes upstream's files: off, listed or all."),
]
Kinds = Annotated[
    str | None, typer.Option("--kinds", help="Which of upstream's files: wheels, sdists or both.")
]
Projects = Annotated[
    list[str] | None,
    typer.Option("--project", "-p", help="A project for --upstream listed; may be repeated.", metavar="NAME"),
]
MinAge = Annotated[
    str | None,
    typer.Option("--min-age", help="How long an upstream file must have been out: 12h, 7d.", metavar="AGE"),
]


@channel_app.command("create", epilog=exit_codes_help())
def create_channel(
    context: typer.Context,
    name: Name,
    base: Base = None,
    upstream: Upstream = None,
    kinds: Kinds = None,
    projects: Projects = None,
    min_age: MinAge = None,
    as_json: AsJson = False,
) -> None:
    """Make a channel. The same one again is no error; one with other settings is.

    \b
    Examples:
      wheelyard channel create nightly
      wheelyard channel create team --base default --upstream all --min-age 7d
      wheelyard channel create pinned --upstream listed -p numpy -p pillow --kinds wheels
    """
    with session_of(context).client() as client:
        made = client.create_channel(name, _settings(base, upstream, kinds, projects, min_age))
        _show(made, client.url, as_json=as_json)


@channel_app.command("list", epilog=exit_codes_help())
def list_channels(context: typer.Context, as_json: AsJson = False) -> None:
    """List the channels.

    \b
    Examples:
      wheelyard channel list
    """
    with session_of(context).client() as client:
        found = client.channels()
    if as_json:
        write_json(found)
        return
    rows = [(entry["name"], entry["base"] or "-", _upstream(entry), entry["url"]) for entry in found]
    write_table(("NAME", "BASE", "UPSTREAM", "INDEX"), rows)


@channel_app.command("show", epilog=exit_codes_help())
def show_channel(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Show a channel's settings, and the address that pip and uv get.

    \b
    Examples:
      wheelyard channel show default
    """
    with session_of(context).client() as client:
        _show(client.channel(name), client.url, as_json=as_json)


@channel_app.command("set", epilog=exit_codes_help())
def set_channel(
    context: typer.Context,
    name: Name,
    base: Base = None,
    upstream: Upstream = None,
    kinds: Kinds = None,
    projects: Projects = None,
    min_age: MinAge = None,
    as_json: AsJson = False,
) -> None:
    """Give a channel other settings; what is not named stays. --project gives the whole list anew.

    \b
    Examples:
      wheelyard channel set default --upstream all --min-age 7d
      wheelyard channel set nightly --base ''
    """
    settings = _settings(base, upstream, kinds, projects, min_age)
    if not settings:
        raise InputError(
            f"nothing of the channel {name} is to be changed",
            do="name a setting: --base, --upstream, --kinds, --project, --min-age",
        )
    with session_of(context).client() as client:
        _show(client.change_channel(name, settings), client.url, as_json=as_json)


@channel_app.command("remove", epilog=exit_codes_help())
def remove_channel(context: typer.Context, name: Name) -> None:
    """Take an empty channel away; one that has files, or on which another one builds, stays.

    \b
    Examples:
      wheelyard channel remove nightly
    """
    with session_of(context).client() as client:
        client.remove_channel(name)
    write_line(f"the channel {name} is gone")


def _settings(
    base: str | None,
    upstream: str | None,
    kinds: str | None,
    projects: list[str] | None,
    min_age: str | None,
) -> dict[str, Any]:
    given: dict[str, Any] = {
        "base": base,
        "upstream": upstream,
        "kinds": kinds,
        "projects": projects or None,
        "min_age": None if min_age is None else age_seconds(min_age),
    }
    return {name: value for name, value in given.items() if value is not None}


def age_seconds(text: str) -> int:
    """Seconds of an age such as `90`, `30min`, `12h`, `7d` or `2w`.

    :raises InputError: it is none.
    """
    match = _AGE.fullmatch(text.strip().lower())
    if match is None:
        raise InputError("an age can't be read", expected="such as 30min, 12h, 7d or 2w", found=text)
    return int(match[1]) * _UNITS[match[2]]


def age_words(seconds: int) -> str:
    """An age in the largest unit that holds it whole."""
    unit = next((unit for unit in ("w", "d", "h", "min") if seconds and seconds % _UNITS[unit] == 0), "s")
    return f"{seconds // _UNITS[unit]}{unit}"


def _upstream(entry: dict[str, Any]) -> str:
    if entry["upstream"] == "off":
        return "off"
    words = [entry["upstream"]]
    if entry["kinds"] != "both":
        words.append(f"{entry['kinds']} only")
    if entry["min_age"]:
        words.append(f"{age_words(entry['min_age'])} old")
    return ", ".join(words)


def _show(entry: dict[str, Any], url: str, *, as_json: bool) -> None:
    if as_json:
        write_json(entry)
        return
    for label, value in (
        ("name", entry["name"]),
        ("base", entry["base"] or "none"),
        ("upstream", _upstream(entry)),
        *((("projects", ", ".join(entry["projects"])),) if entry["projects"] else ()),
        ("made", moment_text(entry["made_at"])),
        ("index", f"{url}{entry['url']}"),
    ):
        write_line(f"{label + ':':<10}{value}")
