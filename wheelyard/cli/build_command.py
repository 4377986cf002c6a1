"""The command that builds wheels."""

# ruff: noqa: D301 - \b keeps the lines of an example apart in the help; it must not be raw.

from __future__ import annotations

from typing import Annotated, Any

import typer

from wheelyard.cli.input_options import (
    BuildConstraints,
    BuildDeps,
    BuildDepsFrom,
    Chosen,
    Constraints,
    Extras,
    Groups,
    Locked,
    RequirementFiles,
    Requirements,
    Variants,
    build_request,
)
from wheelyard.cli.limit_options import Cpus, Disk, Memory, Timeout, limits_field
from wheelyard.cli.own_sdists import with_uploads
from wheelyard.cli.progress.display import ProgressStyle
from wheelyard.cli.session import session_of

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
    constraint: Constraints = None,
    extra: Extras = None,
    group: Groups = None,
    locked: Locked = False,
    build_deps: BuildDeps = BuildDepsFrom.WHEELS,
    build_constraint: BuildConstraints = None,
    variant: Variants = None,
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

    What is asked for stands on the command line and in files of every usual kind: requirements, locks with
    hashes, a project's pyproject.toml. Follows the work to its end; Ctrl-C cancels it, and a second Ctrl-C
    leaves at once. The same request of two people is built once.

    \b
    Examples:
      wheelyard build numpy
      wheelyard build 'numpy>=2' opencv-python-headless --toolchain debian12-cp311
      wheelyard build -r requirements.in --constraint versions.txt
      wheelyard build -r uv.lock --extra video --locked
      wheelyard build . --group test --build-deps source
      wheelyard build 'demo @ git+https://git.example.org/demo.git@1f0e…'
      wheelyard build ./dist/demo-1.0.tar.gz --channel team
      wheelyard build opencv-python-headless --memory 16G --timeout 4h
      id=$(wheelyard build numpy --detach); wheelyard logs -f $id
    """
    from wheelyard.cli.follow_job import follow_job

    session = session_of(context)
    # What is wrong with the command is said before an sdist is in the channel.
    more = {**asker_fields(batch=batch, webhook=webhook), **limits_field(memory, cpus, disk, timeout)}
    request = build_request(
        with_uploads(session, requirements, channel), files,
        toolchain or session.settings().toolchain, channel, refresh=refresh,
        chosen=Chosen.of(
            constraint, extra, group, locked=locked, build_deps=build_deps, variants=variant,
            build_constraints=build_constraint,
        ),
    )  # fmt: skip
    with session.client() as client:
        raise typer.Exit(follow_job(client, client.build(request | more), progress, detach=detach))


def asker_fields(*, batch: bool, webhook: str) -> dict[str, Any]:
    """The fields of a request that are no part of what it asks for; only those that differ from the rule."""
    fields = {"priority": "batch" if batch else "", "webhook": webhook}
    return {name: value for name, value in fields.items() if value}
