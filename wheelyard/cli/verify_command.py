"""The command that builds a published wheel again and compares the two."""

# ruff: noqa: D301 - \b keeps the lines of an example apart in the help; it must not be raw.

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wheelyard.cli.build_command import Batch, ChannelName, Progress, Webhook, asker_fields
from wheelyard.cli.exits import BUILD_FAILED, DONE, exit_code_of_job
from wheelyard.cli.progress.display import ProgressStyle, resolve_style
from wheelyard.cli.session import session_of
from wheelyard.digests import Digest
from wheelyard.errors import InputError

if TYPE_CHECKING:
    from wheelyard.client import Client


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
    keep: Annotated[
        Path | None,
        typer.Option(
            "--keep",
            help="Where the two are not equal, put both files there: published/WHEEL and rebuilt/WHEEL.",
            metavar="FOLDER",
            file_okay=False,
        ),
    ] = None,
    progress: Progress = ProgressStyle.AUTO,
    as_json: Annotated[
        bool, typer.Option("--json", help="The outcome as one JSON document, and nothing else.")
    ] = False,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Print the job's id and leave.")] = False,
) -> None:
    """Build a published wheel again, in another place, on another host and at another time, and compare.

    The wheel that is published stays. Where the two are not the same byte for byte, the members that differ
    are shown, and how; the exit code is then 1. The service keeps the rebuilt wheel for a week, for a closer
    look.

    \b
    Examples:
      wheelyard verify numpy==2.4.6
      wheelyard verify numpy==2.4.6 --keep both || diffoscope both/published both/rebuilt
      wheelyard verify opencv-python-headless==4.13.0.92 --toolchain debian12-cp311 --json
    """
    from wheelyard.cli.follow_job import follow_job, follow_to_end, report_end

    if keep is not None and detach:
        raise InputError("--detach leaves before there is a second wheel", do="leave --keep out")
    body: dict[str, Any] = {**_pin(requirement), "channel": channel}
    body |= {"toolchain": toolchain} if toolchain else {}
    body |= asker_fields(batch=batch, webhook=webhook)
    with session_of(context).client() as client:
        job = client.verify(body)
        if detach:
            raise typer.Exit(follow_job(client, job, progress, detach=True))
        style = ProgressStyle.QUIET if as_json else progress
        ended = follow_to_end(client, job, style)
        if not ended.succeeded and as_json:
            raise ended.failure()
        outcome = _outcome(ended.result)
        if as_json:
            from wheelyard.cli.tables import write_json

            write_json(outcome)
            code = exit_code_of_job(ended)
        else:
            code = report_end(ended, progress, client.url)
        if keep is not None and ended.succeeded:
            _keep_both(client, outcome, keep, style)
    raise typer.Exit(BUILD_FAILED if code == DONE and not outcome.get("equal") else code)


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


def _keep_both(client: Client, outcome: Mapping[str, Any], folder: Path, style: ProgressStyle) -> None:
    from wheelyard.cli.blob_file import bring_blob
    from wheelyard.cli.byte_progress import byte_progress
    from wheelyard.wheel_difference import WheelDifference

    difference = WheelDifference.from_document(outcome["difference"])
    if difference.equal:
        return
    with byte_progress("download", sum(difference.sizes), resolve_style(style)) as progress:
        for which, name, digest in zip(
            ("published", "rebuilt"), difference.names, difference.digests, strict=True
        ):
            bring_blob(client, Digest.parse(digest), folder / which / name, progress.add)


def _outcome(result: Any) -> dict[str, Any]:
    found = (result or {}).get("verification")
    return found if isinstance(found, dict) else {}
