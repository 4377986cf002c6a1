"""The command that says why a wheel was built."""

# ruff: noqa: D301 - \b keeps the lines of an example apart in the help; it must not be raw.

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from wheelyard.cli.session import session_of
from wheelyard.cli.tables import moment_text, write_json, write_line
from wheelyard.errors import InputError


def why(
    context: typer.Context,
    wheel: Annotated[str, typer.Argument(help="A project and its version.", metavar="PROJECT==VERSION")],
    toolchain: Annotated[
        str, typer.Option("--toolchain", "-t", help="Only builds of this toolchain.", metavar="NAME")
    ] = "",
    channel: Annotated[
        str, typer.Option("--channel", "-c", help="Index that shows the wheel.", metavar="NAME")
    ] = "default",
    against: Annotated[
        str,
        typer.Option(
            help="Build key to compare with, or its first digits; else the build before.", metavar="KEY"
        ),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON document.")] = False,
) -> None:
    """Say why a wheel was built: the inputs of its key, and what changed since the build before it.

    The build before it is the one of the same version, else of the version before, of the same toolchain
    and variant where there is one.

    \b
    Examples:
      wheelyard why numpy==2.4.6
      wheelyard why numpy==2.4.6 --toolchain debian12-cp311
      wheelyard why numpy==2.4.6 --against 8d1f20c3a9b4
    """
    project, _, version = wheel.partition("==")
    if not project.strip() or not version.strip():
        raise InputError(
            f"{wheel!r} names no build", expected="a project and its version, such as numpy==2.4.6"
        )
    with session_of(context).client() as client:
        found = client.why(
            project.strip(), version.strip(), channel=channel, toolchain=toolchain, against=against.lower()
        )
    if as_json:
        write_json(found)
    else:
        write_reason(found)


def write_reason(reason: Mapping[str, Any]) -> None:
    """Write why a wheel was built.

    :param reason: as the service answers it.
    """
    write_line(f"{reason['text']}.")
    changes = reason["changes"]
    if len(changes) > 1:
        write_line()
        for change in changes:
            write_line(f"  {change['text']}")
    build, before = reason["build"], reason["before"]
    for label, one in (("this build", build), ("compared with", before)):
        if one is None:
            continue
        write_line()
        write_line(f"{label}:")
        for name, value in (
            ("wheel", one["filename"]),
            ("key", one["build_key"]),
            ("toolchain", one["toolchain"]),
            ("published", moment_text(float(one["published_at"]))),
        ):
            write_line(f"  {name + ':':<11}{value}")
    write_line()
    write_line("inputs of this build:")
    for name, value in _inputs(build["inputs"]):
        write_line(f"  {name + ':':<22}{value}")


def _inputs(inputs: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Every input that the key covers, a line each; what is empty says nothing."""
    lines: list[tuple[str, str]] = []
    for name, value in inputs.items():
        label = name.replace("_", " ")
        if isinstance(value, Mapping):
            lines += [(label, f"{key} {entry}".strip()) for key, entry in sorted(value.items())]
        elif isinstance(value, list):
            lines += [(label, str(entry)) for entry in value]
        elif value not in ("", None):
            lines.append((label, str(value)))
    return lines
