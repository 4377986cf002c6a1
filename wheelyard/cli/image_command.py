"""The command that makes runtime images."""

# ruff: noqa: D301 - \b keeps the lines of an example apart in the help; it must not be raw.

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from wheelyard.cli.build_command import (
    Batch,
    ChannelName,
    Progress,
    Refresh,
    ToolchainName,
    Webhook,
    asker_fields,
)
from wheelyard.cli.image_loading import LoadEngine, find_engine
from wheelyard.cli.input_options import (
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
from wheelyard.cli.progress.display import ProgressStyle, resolve_style
from wheelyard.cli.session import session_of
from wheelyard.errors import InputError

if TYPE_CHECKING:
    # Loaded when it is needed: `--help` answers sooner without.
    from wheelyard.client import Client

_CHUNK = 1 << 18


def image(
    context: typer.Context,
    requirements: Requirements = None,
    files: RequirementFiles = None,
    constraint: Constraints = None,
    extra: Extras = None,
    group: Groups = None,
    locked: Locked = False,
    build_deps: BuildDeps = BuildDepsFrom.WHEELS,
    variant: Variants = None,
    toolchain: ToolchainName = "",
    channel: ChannelName = "default",
    refresh: Refresh = False,
    app: Annotated[
        Path | None,
        typer.Option(
            "--app", help="Folder of the application; its .dockerignore is followed.", metavar="DIR"
        ),
    ] = None,
    memory: Memory = "",
    cpus: Cpus = 0.0,
    disk: Disk = "",
    timeout: Timeout = "",
    entrypoint: Annotated[
        str,
        typer.Option(
            help="What the container runs, as one word list: 'python3 main.py'. Empty means Python.",
            metavar="WORDS",
        ),
    ] = "",
    cmd: Annotated[
        str, typer.Option(help="Arguments after the entry point, as one word list.", metavar="WORDS")
    ] = "",
    env: Annotated[
        list[str] | None,
        typer.Option("--env", "-e", help="Variable of the image; may be repeated.", metavar="K=V"),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option("--label", "-l", help="Label of the image; may be repeated.", metavar="K=V"),
    ] = None,
    workdir: Annotated[str, typer.Option(help="Working folder.", metavar="PATH")] = "/app",
    user: Annotated[
        str, typer.Option(help="User and group that it runs as.", metavar="UID:GID")
    ] = "1000:1000",
    tag: Annotated[
        list[str] | None,
        typer.Option("--tag", help="Name of the image; may be repeated.", metavar="NAME:TAG"),
    ] = None,
    load: Annotated[bool, typer.Option("--load", help="Load it into podman or docker.")] = False,
    engine: Annotated[LoadEngine, typer.Option(help="Which one --load means.")] = LoadEngine.AUTO,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write an archive for `docker load`.", metavar="FILE"),
    ] = None,
    oci: Annotated[
        Path | None, typer.Option("--oci", help="Write an OCI image layout.", metavar="DIR")
    ] = None,
    batch: Batch = False,
    webhook: Webhook = "",
    progress: Progress = ProgressStyle.AUTO,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Print the job's id and leave.")] = False,
) -> None:
    """Make a slim runtime image of requirements: wheels from the cache, Python, and nothing that builds.

    Wheels that the cache lacks are built first. The image has a layer per wheel; the same request is the same
    image, byte for byte. Without --load, --output or --oci it stays in the service.

    \b
    Examples:
      wheelyard image numpy --load --tag np:latest
      wheelyard image -r requirements.txt --app ./src --entrypoint 'python3 main.py' --output app.tar
      wheelyard image numpy opencv-python-headless --oci ./layout --label team=video
    """
    from wheelyard.answers import ImageAnswer
    from wheelyard.cli.follow_job import follow_to_end, report_end
    from wheelyard.cli.image_outputs import ImageOutputs, check_outputs, deliver

    session = session_of(context)
    style = resolve_style(progress)
    outputs = ImageOutputs(load=load, archive=output, layout=oci, tags=tuple(tag or ()))
    check_outputs(outputs, detach=detach)
    loader = find_engine(engine) if load else ""
    # What is wrong with the command is said before an sdist is in the channel.
    more: dict[str, Any] = {
        **limits_field(memory, cpus, disk, timeout),
        **asker_fields(batch=batch, webhook=webhook),
        "entrypoint": _words(entrypoint, "--entrypoint"),
        "command": _words(cmd, "--cmd"),
        "environment": _pairs(env, "--env"),
        "labels": _pairs(label, "--label"),
        "workdir": workdir,
        "user": user,
    }
    build = build_request(
        with_uploads(session, requirements, channel), files,
        toolchain or session.settings().toolchain, channel, refresh=refresh,
        chosen=Chosen.of(
            constraint, extra, group, locked=locked, build_deps=build_deps, variants=variant
        ),
    )  # fmt: skip
    request = {**build, **more}
    with session.client() as client:
        if app is not None:
            request["app"] = upload_app(client, app, style)
        job = client.image(request)
        if detach:
            typer.echo(job.id)
            return
        ended = follow_to_end(client, job, style)
        code = report_end(ended, style, client.url)
        if ended.succeeded and ended.result is not None:
            record = ImageAnswer.from_document(ended.result["image"])
            deliver(client, record, outputs, loader, style)
    raise typer.Exit(code)


def upload_app(client: Client, folder: Path, style: ProgressStyle) -> str:
    """Give the service the application's folder, unless it has it already; returns the tar's digest.

    :raises InputError: the folder holds something that can't be in an image.
    """
    from wheelyard.app_archive import write_app_archive
    from wheelyard.cli.byte_progress import byte_progress

    with tempfile.TemporaryFile() as tar:
        archive = write_app_archive(folder, tar)
        if not archive.files:
            raise InputError(
                f"{folder} holds no file that would go into the image", do="look at its .dockerignore"
            )
        if not client.has_blob(archive.digest):
            tar.seek(0)
            with byte_progress(f"upload of {folder}", archive.size, style) as progress:
                client.put_blob(archive.digest, archive.size, _counted(tar, progress.add))
    return str(archive.digest)


def _counted(stream: IO[bytes], on_bytes: Callable[[int], None]) -> Iterator[bytes]:
    while chunk := stream.read(_CHUNK):
        yield chunk
        on_bytes(len(chunk))


def _words(text: str, option: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise InputError(
            f"{option} can't be split into words", expected="balanced quotes", found=text
        ) from error


def _pairs(pairs: list[str] | None, option: str) -> dict[str, str]:
    found = {}
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise InputError(f"{option} {pair!r} is not a name and a value", expected=f"{option} NAME=VALUE")
        found[name] = value
    return found
