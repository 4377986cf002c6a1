"""The command that compares two images."""

# ruff: noqa: D301 - \b keeps the lines of an example apart in the help; it must not be raw.

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from wheelyard.cli.image_receipt_command import AsJson
from wheelyard.cli.session import session_of
from wheelyard.cli.tables import write_json, write_line, write_table
from wheelyard.sizes import size_text

_SHOWN = 20


def image_diff(
    context: typer.Context,
    before: Annotated[
        str, typer.Argument(help="What is compared with, named as IMAGE is.", metavar="BEFORE")
    ],
    after: Annotated[
        str,
        typer.Argument(help="A job's id, an image id, a digest, or REPOSITORY:TAG.", metavar="AFTER"),
    ],
    everything: Annotated[bool, typer.Option("--all", help="Each file, however many.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say what an image has more, less or otherwise than another one: wheels, packages, files, settings.

    \b
    Examples:
      wheelyard image diff team/clip:1.0 team/clip:1.1
      wheelyard image diff team/clip:1.0 team/clip:1.1 --json
    """
    with session_of(context).client() as client:
        difference = client.image_difference(before, after)
    if as_json:
        write_json(difference)
    else:
        write_difference(difference, most=1_000_000 if everything else _SHOWN)


def write_difference(difference: Mapping[str, Any], *, most: int) -> None:
    """Write what differs.

    :param difference: as the service answers it.
    :param most: files that are shown, the largest changes first.
    """
    if difference["equal"]:
        write_line(f"equal: {difference['after']}")
        return
    write_line(f"before {difference['before']}")
    write_line(f"after  {difference['after']}")
    write_line(
        f"{_change(difference['size'])} compressed, {_change(difference['file_bytes'])} of files; "
        f"{difference['shared_layers']} layers shared, {difference['new_layers']} new: "
        f"{size_text(difference['to_pull'])} to pull"
    )
    if difference["parts"]:
        write_line()
        rows = [
            [part["what"], part["kind"], part["name"], _versions(part), _change(part["unpacked"])]
            for part in difference["parts"]
        ]
        write_table(["", "kind", "name", "version", "files"], rows, right=(4,))
    if difference["files"]:
        write_line()
        files = sorted(difference["files"], key=lambda file: (-abs(file["size"]), file["path"]))
        rows = [[file["what"], file["path"], file["owner"], _change(file["size"])] for file in files[:most]]
        write_table(["", "file", "of", "size"], rows, right=(3,))
        if len(files) > most:
            write_line(f"and {len(files) - most} more files; see --all")
    for name, setting in difference["settings"].items():
        write_line()
        write_line(f"{name}: {_value(setting['before'])} → {_value(setting['after'])}")


def _versions(part: Mapping[str, Any]) -> str:
    if part["before"] and part["after"] and part["before"] != part["after"]:
        return f"{part['before']} → {part['after']}"
    return str(part["after"] or part["before"])


def _change(size: int) -> str:
    return f"{'-' if size < 0 else '+'}{size_text(abs(size))}"


def _value(value: Any) -> str:
    return "not set" if value is None else str(value)
