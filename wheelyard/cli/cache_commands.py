"""The commands about the cache: cache ls, cache show."""

# ruff: noqa: D301 - \b keeps the lines of an example apart in the help; it must not be raw.

from __future__ import annotations

from typing import Annotated, Any

import typer

from wheelyard.answers import CachedWheel
from wheelyard.cli.exits import exit_codes_help
from wheelyard.cli.session import session_of
from wheelyard.cli.tables import age_text, moment_text, write_json, write_line, write_table
from wheelyard.errors import NotFound
from wheelyard.sizes import size_text

cache_app = typer.Typer(help="The wheels that are built already.", no_args_is_help=True)
Channel = Annotated[str, typer.Option("--channel", "-c", help="Only of this channel.", metavar="NAME")]
AsJson = Annotated[bool, typer.Option("--json", help="As one JSON document.")]


@cache_app.command("ls", epilog=exit_codes_help())
def list_cache(
    context: typer.Context,
    project: Annotated[
        str, typer.Argument(help="Only of this project.", metavar="[PROJECT]", show_default=False)
    ] = "",
    channel: Channel = "",
    as_json: AsJson = False,
) -> None:
    """List the wheels that the cache holds.

    \b
    Examples:
      wheelyard cache ls
      wheelyard cache ls numpy --channel default --json
    """
    with session_of(context).client() as client:
        found = client.wheels(project, channel)
    if as_json:
        write_json([_document(wheel) for wheel in found])
        return
    if not found:
        write_line("the cache holds no such wheel" if project or channel else "the cache is empty")
        return
    rows = [
        (
            wheel.channel,
            wheel.project,
            wheel.version,
            size_text(wheel.size),
            age_text(wheel.published_at),
            wheel.filename if wheel.yanked is None else f"{wheel.filename} (yanked)",
        )
        for wheel in found
    ]
    write_table(("CHANNEL", "PROJECT", "VERSION", "SIZE", "BUILT", "WHEEL"), rows, right=(3,))
    write_line(
        f"{len(found)} wheels, {size_text(sum({wheel.digest: wheel.size for wheel in found}.values()))}"
    )


@cache_app.command("show", epilog=exit_codes_help())
def show_cache(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(help="A project, a wheel's file name, or the start of its digest.", metavar="NAME"),
    ],
    channel: Channel = "",
    as_json: AsJson = False,
) -> None:
    """Show what the cache knows of a project's wheels: of what they were made, and the line to install them.

    \b
    Examples:
      wheelyard cache show numpy
      wheelyard cache show numpy-2.4.6-cp311-cp311-manylinux_2_36_x86_64.whl
    """
    from wheelyard.cli.results import pip_line
    from wheelyard.index_address import index_url

    with session_of(context).client() as client:
        found = _matching(client.wheels("", channel), name)
        keys = sorted({wheel.build_key for wheel in found if wheel.build_key})
        records = {key: client.record(key) for key in keys}
        url = client.url
    if not found:
        raise NotFound(
            f"the cache holds no wheel {name!r}",
            do="see `wheelyard cache ls`, or build it: `wheelyard build`",
        )
    if as_json:
        write_json([{**_document(wheel), "record": records.get(wheel.build_key)} for wheel in found])
        return
    for wheel in found:
        for label, value in (
            ("wheel", wheel.filename),
            ("digest", str(wheel.digest)),
            ("size", f"{size_text(wheel.size)} ({wheel.size} bytes)"),
            ("channel", wheel.channel),
            ("python", wheel.requires_python or "any"),
            ("build key", wheel.build_key or "none: it was not built here"),
            ("built" if wheel.build_key else "came", moment_text(wheel.published_at)),
            *((("yanked", wheel.yanked or "yes"),) if wheel.yanked is not None else ()),
            *_inputs(records.get(wheel.build_key)),
        ):
            write_line(f"{label + ':':<11}{value}")
        write_line()
    newest = max(found, key=lambda wheel: wheel.published_at)
    write_line(pip_line(index_url(url, newest.channel), [f"{newest.project}=={newest.version}"]))


def _inputs(record: dict[str, Any] | None) -> list[tuple[str, str]]:
    """What a wheel was made of, a line each."""
    if record is None:
        return []
    inputs = record["inputs"]
    return [
        ("sdist", f"{inputs['sdist_filename']} {inputs['sdist']}"),
        ("toolchain", f"{record['toolchain']} {inputs['toolchain']}"),
        *(("made with", filename) for filename in sorted(inputs["build_wheels"])),
        *(("package", f"{name} {text}") for name, text in sorted(inputs.get("packages", {}).items())),
        *(("native", f"{name} {digest}") for name, digest in sorted(inputs.get("natives", {}).items())),
    ]


def _matching(wheels: list[CachedWheel], name: str) -> list[CachedWheel]:
    from packaging.utils import canonicalize_name

    project, digest = canonicalize_name(name), name.removeprefix("sha256:").lower()
    long_enough = len(digest) >= 6
    return [
        wheel
        for wheel in wheels
        if name == wheel.filename
        or project == wheel.project
        or (long_enough and wheel.digest.hex.startswith(digest))
    ]


def _document(wheel: CachedWheel) -> dict[str, object]:
    return {
        "channel": wheel.channel,
        "project": wheel.project,
        "version": wheel.version,
        "filename": wheel.filename,
        "digest": str(wheel.digest),
        "size": wheel.size,
        "requires_python": wheel.requires_python,
        "build_key": wheel.build_key,
        "published_at": wheel.published_at,
        "yanked": wheel.yanked,
    }
