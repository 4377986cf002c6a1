"""The command that builds wheels."""

# ruff: noqa: D301 - \b keeps the lines of an example apart in the help; it must not be raw.

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from wheelyard.cli.limit_options import Cpus, Disk, Memory, Timeout, limits_field
from wheelyard.cli.progress.display import ProgressStyle
from wheelyard.cli.session import session_of
from wheelyard.requirements import normalise_requirements, read_requirements_file

Requirements = Annotated[
    list[str] | None,
    typer.Argument(help="Requirements such as numpy or 'numpy>=2,<3' (PEP 508).", metavar="[REQ]..."),
]
RequirementFiles = Annotated[
    list[Path] | None,
    typer.Option("--requirement", "-r", help="A file of requirements; may be repeated.", metavar="FILE"),
]
ToolchainName = Annotated[
    str,
    typer.Option("--toolchain", "-t", help="Toolchain; empty means the service's default.", metavar="NAME"),
]
ChannelName = Annotated[
    str, typer.Option("--channel", "-c", help="Index that the wheels go to.", metavar="NAME")
]
Refresh = Annotated[bool, typer.Option("--refresh", help="Ask the index for newer versions now.")]
Batch = Annotated[
    bool, typer.Option("--batch", help="Let interactive work go first: for nightly and other patient jobs.")
]
Webhook = Annotated[
    str, typer.Option(help="Address that the service tells of the end, signed.", metavar="URL")
]
Progress = Annotated[
    ProgressStyle,
    typer.Option(help="How the work is shown: auto is a live display on a terminal, else plain lines."),
]


def build(
    context: typer.Context,
    requirements: Requirements = None,
    files: RequirementFiles = None,
    toolchain: ToolchainName = "",
    channel: ChannelName = "default",
    refresh: Refresh = False,
    batch: Batch = False,
    webhook: Webhook = "",
    memory: Memory = "",
    cpus: Cpus = 0.0,
    disk: Disk = "",
    timeout: Timeout = "",
    progress: Progress = ProgressStyle.AUTO,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Print the job's id and leave.")] = False,
) -> None:
    """Build wheels of requirements and of all that they need, or take them from the cache.

    Follows the work to its end; Ctrl-C cancels it, and a second Ctrl-C leaves at once. The same request of
    two people is built once.

    \b
    Examples:
      wheelyard build numpy
      wheelyard build 'numpy>=2' opencv-python-headless --toolchain debian12-cp311
      wheelyard build -r requirements.txt --progress plain
      wheelyard build opencv-python-headless --memory 16G --timeout 4h
      id=$(wheelyard build numpy --detach); wheelyard logs -f $id
    """
    from wheelyard.cli.follow_job import follow_job

    session = session_of(context)
    request = build_request(
        requirements, files, toolchain or session.settings().toolchain, channel, refresh=refresh
    )
    request |= asker_fields(batch=batch, webhook=webhook)
    request |= limits_field(memory, cpus, disk, timeout)
    with session.client() as client:
        raise typer.Exit(follow_job(client, client.build(request), progress, detach=detach))


def build_request(
    requirements: list[str] | None, files: list[Path] | None, toolchain: str, channel: str, *, refresh: bool
) -> dict[str, Any]:
    """The body of a build request.

    :raises InputError: nothing is asked for, or a requirement names something other than an index.
    """
    lines = list(requirements or ())
    for path in files or ():
        lines += read_requirements_file(path)
    return {
        "requirements": list(normalise_requirements(lines)),
        "toolchain": toolchain,
        "channel": channel,
        "refresh": refresh,
    }


def asker_fields(*, batch: bool, webhook: str) -> dict[str, Any]:
    """The fields of a request that are no part of what it asks for; only those that differ from the rule."""
    fields = {"priority": "batch" if batch else "", "webhook": webhook}
    return {name: value for name, value in fields.items() if value}
