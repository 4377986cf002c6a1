"""The command that yanks files: cache yank."""

# ruff: noqa: D301 - \b keeps the lines of an example apart in the help; it must not be raw.

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from wheelyard.answers import CachedWheel
from wheelyard.cli.session import session_of
from wheelyard.cli.tables import write_json, write_line
from wheelyard.errors import NotFound

if TYPE_CHECKING:
    from wheelyard.client import Client


def yank(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(help="A file's name, or a release.", metavar="FILE|PROJECT==VERSION")
    ],
    reason: Annotated[str, typer.Option("--reason", help="Shown by installers.", metavar="TEXT")] = "",
    channel: Annotated[str, typer.Option("--channel", "-c", help="The files' channel.")] = "default",
    undo: Annotated[bool, typer.Option("--undo", help="Take the yank back.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON document.")] = False,
) -> None:
    """Yank a file or a release (PEP 592): installers pass over it, locks that name it go on working.

    \b
    Examples:
      wheelyard cache yank acme==1.4 --reason "loses rows"
      wheelyard cache yank acme-1.4-py3-none-any.whl --undo --channel team
    """
    with session_of(context).client() as client:
        names = _names(client, name, channel) if "==" in name else [name]
        if undo:
            changed = [client.unyank(channel, one) for one in names]
        else:
            changed = [client.yank(channel, one, reason) for one in names]
    if as_json:
        write_json(changed)
        return
    for filename in names:
        write_line(f"{filename} in {channel} is {'offered again' if undo else 'yanked'}")


def _names(client: Client, release: str, channel: str) -> list[str]:
    """File names of a release."""
    from packaging.version import InvalidVersion, Version

    project, _, wanted = (part.strip() for part in release.partition("=="))

    def is_meant(file: CachedWheel) -> bool:
        try:
            return Version(file.version) == Version(wanted)
        except InvalidVersion:
            return file.version == wanted

    names = sorted(file.filename for file in client.wheels(project, channel) if is_meant(file))
    if not names:
        raise NotFound(f"the channel {channel} has no files of {release}", do="see `wheelyard cache ls`")
    return names
