"""The command that says why something is in an image."""

# ruff: noqa: D301 - \b keeps the lines of an example apart in the help; it must not be raw.

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from wheelyard.cli.image_receipt_command import AsJson, ImageArgument
from wheelyard.cli.session import session_of
from wheelyard.cli.tables import write_json, write_line
from wheelyard.sizes import size_text

_REACH = {
    "started": "it is a program",
    "imported": "Python imports it",
    "needed": "the loader takes it",
    "mentioned": "a guess: its name stands in a file that runs",
    "plugin": "a guess: it lies in a folder that programs look for plugins in",
    "foreign": "it can't run here: it is for another machine or C library",
    "nothing": "nothing leads to it, as far as files say",
}


def image_why(
    context: typer.Context,
    image: ImageArgument,
    what: Annotated[
        str,
        typer.Argument(
            help="A library or the beginning of its name, a path, a project, or a package.", metavar="WHAT"
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Say why something is in an image: the chain from a wheel over files and sonames down to it.

    \b
    Examples:
      wheelyard image why team/clip:latest libLLVM
      wheelyard image why team/clip:latest imageio-ffmpeg
      wheelyard image why sha256:3f1c… /usr/lib/x86_64-linux-gnu/libz.so.1
    """
    with session_of(context).client() as client:
        answer = client.image_why(image, what)
    if as_json:
        write_json(answer)
        return
    for number, reason in enumerate(answer["reasons"]):
        if number:
            write_line()
        write_reason_of_image(reason)


def write_reason_of_image(reason: Mapping[str, Any]) -> None:
    """Write why one thing is in an image.

    :param reason: as the service answers it.
    """
    owner = f", of {reason['owner']}" if reason["owner"] != reason["title"] else ""
    write_line(f"{reason['title']}  ({reason['kind']}{owner}, {size_text(reason['size'])})")
    if reason["layer"]:
        write_line(f"  in the layer: {reason['layer']}")
    if reason["reach"]:
        write_line(f"  {_REACH.get(reason['reach'], reason['reach'])}")
    for chain in reason["chains"]:
        _write_chain(chain)
    for way in reason["required_by"]:
        write_line(f"  required: {' → '.join(way)}")
    if (
        not reason["chains"]
        and not reason["required_by"]
        and reason["kind"] in ("project", "package", "native")
    ):
        write_line("  nothing else in the image requires or loads it: it was asked for, or is the base's")


def _write_chain(chain: Sequence[Mapping[str, Any]]) -> None:
    write_line(f"  {chain[0]['owner']}")
    for depth, step in enumerate(chain):
        indent = "    " + "  " * depth
        if depth:
            write_line(f"{indent}{step['how']} {step['soname']}")
        owner = f", {step['owner']}" if depth else ""
        write_line(f"{indent}{'→ ' if depth else ''}{step['path']}  ({size_text(step['size'])}{owner})")
