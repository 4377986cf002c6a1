"""The command that says what a build would do, before anything is compiled."""

# ruff: noqa: D301 - \b keeps the lines of an example apart in the help; it must not be raw.

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wheelyard.cli.build_command import (
    Batch,
    ChannelName,
    Progress,
    Refresh,
    ToolchainName,
    asker_fields,
)
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
from wheelyard.cli.progress.display import ProgressStyle
from wheelyard.cli.session import session_of
from wheelyard.errors import InputError


def plan(
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
    of: Annotated[
        str, typer.Option("--of", help="The plan of this build, image or plan, as it stands.", metavar="ID")
    ] = "",
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--if",
            help="What a change would cost: toolchain=NAME, constraint=REQ, build-deps=source, "
            "variant=PROJECT=VARIANT; may be repeated.",
            metavar="CHANGE",
        ),
    ] = None,
    workers: Annotated[
        int,
        typer.Option(
            help="Builds at a time that the end is reckoned for; 0 for what the live workers do.",
            min=0,
            max=1000,
        ),
    ] = 0,
    tree: Annotated[bool, typer.Option("--tree", help="Each node below what needs it.")] = False,
    svg: Annotated[
        Path | None,
        typer.Option("--svg", help="Write the picture there, too.", metavar="FILE", dir_okay=False),
    ] = None,
    progress: Progress = ProgressStyle.AUTO,
    as_json: Annotated[bool, typer.Option("--json", help="Only one JSON document at the end.")] = False,
) -> None:
    """Say what a build would do: what is in the cache, what is to be built, for how long, and what can't be.

    The same inputs as those of `wheelyard build`; the requirements are resolved, and nothing is compiled.
    Ends with 1 where something can't be built.

    \b
    Examples:
      wheelyard plan numpy
      wheelyard plan -r requirements.txt --svg plan.svg
      wheelyard plan -r requirements.txt --if toolchain=debian13-cp313
      wheelyard plan -r requirements.txt --if constraint='cython==3.1.0'
      wheelyard plan --of 0199a1b2c3d47e5f8a6b0c1d2e3f4a5b --tree
    """
    from wheelyard.cli.plan_run import PlanRun

    session = session_of(context)
    if of and (requirements or files or changes):
        raise InputError(
            "--of shows the plan of a job, which has its requirements already",
            do="leave the requirements and --if away, or leave --of away",
        )
    with session.client() as client:
        run = PlanRun(client=client, style=progress, workers=workers, tree=tree, svg=svg, as_json=as_json)
        if of:
            raise typer.Exit(run.look(of))
        chosen = Chosen.of(
            constraint, extra, group, locked=locked, build_deps=build_deps, variants=variant,
            build_constraints=build_constraint,
        )  # fmt: skip
        name = toolchain or session.settings().toolchain
        request = build_request(requirements, files, name, channel, refresh=refresh, chosen=chosen)
        request |= asker_fields(batch=batch, webhook="")
        raise typer.Exit(run.compare(request, changes) if changes else run.run(request))
