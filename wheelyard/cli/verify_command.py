"""The command that builds a published wheel again and compares the two."""

# ruff: noqa: D301 - \b keeps the lines of an example apart in the help; it must not be raw.

from __future__ import annotations

from typing import Annotated, Any

import typer

from wheelyard.cli.build_command import Batch, ChannelName, Progress, Webhook, asker_fields
from wheelyard.cli.exits import BUILD_FAILED, DONE, exit_code_of_job
from wheelyard.cli.progress.display import ProgressStyle
from wheelyard.cli.session import session_of
from wheelyard.errors import InputError


def verify(
    context: typer.Context,
    requirement: Annotated[
        str, typer.Argument(help="A project with its version, such as numpy==2.4.6.", metavar="NAME==VERSION")
    ],
    toolchain: Annotated[
        str,
        typer.Option(
            "--toolchain",
            "-t",
            help="Toolchain that the wheel was built with; empty prefers the service's default.",
            metavar="NAME",
        ),
    ] = "",
    channel: ChannelName = "default",
    batch: Batch = False,
    webhook: Webhook = "",
    progress: Progress = ProgressStyle.AUTO,
    as_json: Annotated[
        bool, typer.Option("--json", help="The outcome as one JSON document, and nothing else.")
    ] = False,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Print the job's id and leave.")] = False,
) -> None:
    """Build a published wheel again, in another place, on another host and at another time, and compare.

    The wheel that is published stays. Where the two are not the same byte for byte, the members that differ
    are shown, and how; the exit code is then 1.

    \b
    Examples:
      wheelyard verify numpy==2.4.6
      wheelyard verify opencv-python-headless==4.13.0.92 --toolchain debian12-cp311 --json
    """
    from wheelyard.cli.follow_job import follow_job, follow_to_end, report_end

    body: dict[str, Any] = {**_pin(requirement), "channel": channel}
    body |= {"toolchain": toolchain} if toolchain else {}
    body |= asker_fields(batch=batch, webhook=webhook)
    with session_of(context).client() as client:
        job = client.verify(body)
        if detach:
            raise typer.Exit(follow_job(client, job, progress, detach=True))
        ended = follow_to_end(client, job, ProgressStyle.QUIET if as_json else progress)
        if not ended.succeeded and as_json:
            raise ended.failure()
        if as_json:
            from wheelyard.cli.tables import write_json

            write_json(_outcome(ended.result))
            code = exit_code_of_job(ended)
        else:
            code = report_end(ended, progress, client.url)
    equal = bool(_outcome(ended.result).get("equal"))
    raise typer.Exit(BUILD_FAILED if code == DONE and not equal else code)


def _pin(requirement: str) -> dict[str, str]:
    """Project and version of a requirement that leaves no choice.

    :raises InputError: it leaves one, or is none.
    """
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        parsed = Requirement(requirement)
    except InvalidRequirement as error:
        raise _wrong(requirement) from error
    pins = [one.version for one in parsed.specifier if one.operator in ("==", "===")]
    if len(parsed.specifier) != 1 or len(pins) != 1 or pins[0].endswith("*") or parsed.url or parsed.marker:
        raise _wrong(requirement)
    return {"project": parsed.name, "version": pins[0]}


def _wrong(requirement: str) -> InputError:
    return InputError(
        f"{requirement[:100]!r} names no wheel",
        expected="a project with one version, such as numpy==2.4.6",
        do="see `wheelyard cache ls` for what there is",
    )


def _outcome(result: Any) -> dict[str, Any]:
    found = (result or {}).get("verification")
    return found if isinstance(found, dict) else {}
