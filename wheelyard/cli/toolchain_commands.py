"""The commands about toolchains: toolchain list, show, build."""

# ruff: noqa: D301 - \b keeps the lines of an example apart in the help; it must not be raw.

from __future__ import annotations

from typing import Annotated, Any

import typer

from wheelyard.cli.build_command import Batch, Webhook, asker_fields
from wheelyard.cli.exits import exit_codes_help
from wheelyard.cli.progress.display import ProgressStyle
from wheelyard.cli.session import session_of
from wheelyard.cli.tables import write_json, write_line, write_table, write_wrapped

toolchain_app = typer.Typer(
    help="Compilers, one CPython and a platform policy, each a container image.", no_args_is_help=True
)
Name = Annotated[
    str, typer.Argument(help="The toolchain's name, as `toolchain list` prints it.", metavar="NAME")
]
AsJson = Annotated[bool, typer.Option("--json", help="As one JSON document.")]


@toolchain_app.command("list", epilog=exit_codes_help())
def list_toolchains(context: typer.Context, as_json: AsJson = False) -> None:
    """List the toolchains that the service knows.

    \b
    Examples:
      wheelyard toolchain list
    """
    with session_of(context).client() as client:
        found = client.toolchains()
    if as_json:
        write_json(found)
        return
    rows = [
        (
            str(entry.get("name", "")),
            _python(entry),
            str(entry.get("policy", "")),
            _made(entry),
            str(entry.get("description", "")),
        )
        for entry in found
    ]
    write_table(("NAME", "PYTHON", "POLICY", "IMAGE", "DESCRIPTION"), rows)


@toolchain_app.command("show", epilog=exit_codes_help())
def show_toolchain(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Show one toolchain: its image, its Python, its packages.

    \b
    Examples:
      wheelyard toolchain show debian12-cp311
    """
    with session_of(context).client() as client:
        found = client.toolchain(name)
    if as_json:
        write_json(found)
        return
    rows = [
        ("name", found.get("name")),
        ("description", found.get("description")),
        ("python", f"{_python(found)} ({found.get('tag') or '-'})"),
        ("policy", found.get("policy")),
        ("default", "yes" if found.get("default") else "no"),
    ]
    for label, value in rows:
        write_line(f"{label + ':':<15}{value or '-'}")
    record = found.get("record")
    if isinstance(record, dict):
        from wheelyard.cli.results import write_toolchain

        write_toolchain(record)
    else:
        write_line(
            f"compile image: {found.get('image') or f'not made yet; `wheelyard toolchain build {name}`'}"
        )
    debian = (found.get("definition") or {}).get("debian") or {}
    for label, field in (("compile packages", "packages"), ("base packages", "base_packages")):
        if debian.get(field):
            write_wrapped(f"{label}: {', '.join(debian[field])}")


@toolchain_app.command("build", epilog=exit_codes_help())
def build_toolchain(
    context: typer.Context,
    name: Name,
    batch: Batch = False,
    webhook: Webhook = "",
    progress: Annotated[ProgressStyle, typer.Option(help="How the work is shown.")] = ProgressStyle.AUTO,
    detach: Annotated[bool, typer.Option("--detach", help="Print the job's id and leave.")] = False,
) -> None:
    """Make a toolchain's images; a build that needs them does it by itself.

    \b
    Examples:
      wheelyard toolchain build debian12-cp311
    """
    from wheelyard.cli.follow_job import follow_job

    fields = asker_fields(batch=batch, webhook=webhook)
    with session_of(context).client() as client:
        raise typer.Exit(follow_job(client, client.build_toolchain(name, fields), progress, detach=detach))


def _python(entry: dict[str, Any]) -> str:
    python = entry.get("python")
    return str(python.get("version", "")) if isinstance(python, dict) else str(python or "")


def _made(entry: dict[str, Any]) -> str:
    return str(entry.get("image") or "").removeprefix("sha256:")[:12] or "not made yet"
