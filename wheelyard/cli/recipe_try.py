"""The command that tries a change of a recipe: `wheelyard recipe try`."""

# ruff: noqa: D301 - \b keeps the lines of an example apart in the help; it must not be raw.

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from wheelyard.cli.progress.display import ProgressStyle
from wheelyard.cli.session import Session, session_of
from wheelyard.cli.tables import write_line
from wheelyard.errors import InputError


def try_recipe(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(help="The project, and the version that is built.", metavar="NAME[==VERSION]")
    ],
    job: Annotated[
        str, typer.Option(help="A failed job, whose error names the recipe line that mends it.", metavar="ID")
    ] = "",
    package: Annotated[
        list[str] | None,
        typer.Option(help="A Debian package that the build needs; may be repeated.", metavar="NAME"),
    ] = None,
    build_require: Annotated[
        list[str] | None,
        typer.Option(help="A build requirement beside the sdist's own; may be repeated.", metavar="REQ"),
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="A field, such as environment.CFLAGS=-O1; may be repeated.", metavar="FIELD=VALUE"
        ),
    ] = None,
    variant: Annotated[str, typer.Option(help="The variant that is built.", metavar="NAME")] = "",
    toolchain: Annotated[
        str,
        typer.Option(
            "--toolchain", "-t", help="Toolchain; empty means the job's, or the default.", metavar="NAME"
        ),
    ] = "",
    channel: Annotated[
        str, typer.Option("--channel", "-c", help="Index; empty means the job's, or default.", metavar="NAME")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the change of the file; write nothing, build nothing.")
    ] = False,
    progress: Annotated[ProgressStyle, typer.Option(help="How the work is shown.")] = ProgressStyle.AUTO,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Print the job's id and leave.")] = False,
) -> None:
    """Change the team's recipe of a project, and build it again.

    The file in the team's folder (WHEELYARD_RECIPES_DIR, or `recipes` in the folder of `wheelyard up`) is
    written after the change was shown, and stays as it is then, whether the build succeeds or not. The
    command has to run where the service reads that same folder; where it does not, nothing is changed.

    \b
    Examples:
      wheelyard recipe try pyyaml --job 019abf2e5f7c7c3e8f0e5a1d2c3b4a59
      wheelyard recipe try psycopg2==2.9.10 --package libpq-dev --dry-run
      wheelyard recipe try pyyaml --set environment.CFLAGS=-O1
    """
    from wheelyard.cli.follow_job import follow_job
    from wheelyard.recipe_change import RecipeChange, read_assignments, split_project

    project, version = split_project(name)
    session = session_of(context)
    with session.client() as client:
        failed = client.job(job) if job else None
        facts = dict(failed.error.facts) if failed is not None and failed.error is not None else {}
        if failed is not None:
            _check_facts(facts, job, project)
        version = version or str(facts.get("version", ""))
        variant = variant or str(facts.get("variant", ""))
        change = RecipeChange.plan(
            project, _folder(session), version=version, variant=variant,
            packages=[*(package or ()), *_first(facts, "packages")],
            build_requires=[*(build_require or ()), *_first(facts, "build_requires")],
            settings=read_assignments(setting or ()),
        )  # fmt: skip
        # Progress as JSON is for programs: they have the job's events on standard output, and no more.
        if progress is not ProgressStyle.JSON or dry_run:
            for line in change.diff() or [f"{change.path} says that already"]:
                write_line(line)
        if dry_run:
            return
        change.write(lambda: _digest_at_service(client.recipe(project)))
        request = {
            "requirements": [f"{project}=={version}" if version else project],
            "toolchain": toolchain or (failed.toolchain if failed else "") or session.settings().toolchain,
            "channel": channel or (failed.channel if failed else "") or "default",
            "refresh": True,
        }
        if variant:
            request["variants"] = {project: variant}
        raise typer.Exit(follow_job(client, client.build(request), progress, detach=detach))


def _check_facts(facts: dict[str, Any], job: str, project: str) -> None:
    if not facts.get("recipe_line"):
        raise InputError(
            f"the job {job} names no recipe line that would mend it",
            expected="a job that failed for want of a header, a library, a program or a module",
            do="say what it needs with --package, --build-require or --set",
        )
    if facts.get("project") != project:
        raise InputError(
            f"what the job {job} lacks belongs into another recipe",
            expected=str(facts.get("project")),
            found=project,
            do=f"wheelyard recipe try {facts.get('project')} --job {job}",
        )


def _first(facts: dict[str, Any], name: str) -> list[str]:
    """The likeliest of what a failed job says that it wants."""
    return [str(one) for one in facts.get(name) or ()][:1]


def _folder(session: Session) -> Path:
    """The team's folder: the named one, or that of the stack on this machine.

    :raises InputError: the service is another one, and no folder is named.
    """
    from wheelyard.cli.service_address import client_file, find_service

    settings = session.settings()
    if settings.recipes_dir is not None:
        return settings.recipes_dir
    service = find_service(settings)
    own = client_file(settings)
    if own.is_file() and find_service(settings.model_copy(update={"url": ""})).url == service.url:
        return settings.data_dir.absolute() / "recipes"
    raise InputError(
        f"the recipes that {service.url} reads are in no folder that is known here",
        expected="WHEELYARD_RECIPES_DIR, the folder that the service and its workers read",
        do="run the command on the service's machine, or mount that folder and name it in the variable",
    )


def _digest_at_service(document: dict[str, Any]) -> str:
    layers = [layer for layer in document.get("layers") or () if layer.get("team")]
    return str(layers[-1].get("digest", "")) if layers else ""
