"""The command that makes runtime images."""

# ruff: noqa: D301 - \b keeps the lines of an example apart in the help; it must not be raw.

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from wheelyard.cli import image_options
from wheelyard.cli.build_command import Batch, Progress, Refresh, ToolchainName, Webhook, asker_fields
from wheelyard.cli.image_loading import LoadEngine, find_engine
from wheelyard.cli.image_push_command import PlainHttp, Referrers, known_places
from wheelyard.cli.input_options import (
    BuildConstraints,
    BuildDepsFrom,
    Constraints,
    Extras,
    Groups,
    RequirementFiles,
    Requirements,
    Variants,
    variants_field,
)
from wheelyard.cli.limit_options import Cpus, Disk, Memory, Timeout, limits_field
from wheelyard.cli.progress.display import ProgressStyle, resolve_style
from wheelyard.cli.session import session_of


def image(
    context: typer.Context,
    requirements: Requirements = None,
    spec: image_options.Spec = None,
    files: RequirementFiles = None,
    constraint: Constraints = None,
    extra: Extras = None,
    group: Groups = None,
    locked: Annotated[
        bool, typer.Option("--locked", help="Refuse what has no exact version and hash in the files.")
    ] = False,
    build_deps: Annotated[
        BuildDepsFrom | None,
        typer.Option(
            "--build-deps",
            help="Where build requirements come from: upstream's wheels, or built here from source, to the "
            "root.  [default: wheels]",
        ),
    ] = None,
    build_constraint: BuildConstraints = None,
    variant: Variants = None,
    toolchain: ToolchainName = "",
    channel: Annotated[
        str | None,
        typer.Option(
            "--channel", "-c", help="Index that the wheels go to.  [default: default]", metavar="NAME"
        ),
    ] = None,
    refresh: Refresh = False,
    app: image_options.App = None,
    package: image_options.Packages = None,
    whole_package: image_options.WholePackages = None,
    native: image_options.Natives = None,
    base: image_options.Base = None,
    entrypoint: image_options.Entrypoint = None,
    command: image_options.Command = None,
    environment: image_options.Environment = None,
    label: image_options.Labels = None,
    workdir: image_options.Workdir = None,
    user: image_options.User = None,
    allow_root: image_options.AllowRoot = False,
    port: image_options.Ports = None,
    healthcheck: image_options.Healthcheck = None,
    health_interval: image_options.HealthInterval = None,
    health_timeout: image_options.HealthTimeout = None,
    health_start_period: image_options.HealthStartPeriod = None,
    health_retries: image_options.HealthRetries = None,
    image_format: image_options.Format = None,
    compression: image_options.Compression = None,
    bytecode: image_options.Bytecode = None,
    layer_limit: image_options.LayerLimit = None,
    size_budget: image_options.SizeBudget = None,
    optional_library: image_options.OptionalLibraries = None,
    smoke_test: image_options.SmokeTest = None,
    check: image_options.Check = None,
    policy: image_options.Policy = None,
    tag: image_options.Tags = None,
    memory: Memory = "",
    cpus: Cpus = 0.0,
    disk: Disk = "",
    timeout: Timeout = "",
    load: Annotated[bool, typer.Option("--load", help="Load it into podman or docker.")] = False,
    engine: Annotated[LoadEngine, typer.Option(help="Which one --load means.")] = LoadEngine.AUTO,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write an archive for `docker load`.", metavar="FILE"),
    ] = None,
    oci: Annotated[
        Path | None,
        typer.Option(
            "--oci",
            help="Write an OCI image layout into a folder, or as an archive into FILE.tar.",
            metavar="DIR|FILE.tar",
        ),
    ] = None,
    push: Annotated[
        list[str] | None,
        typer.Option(
            "--push", help="Push it into a registry; may be repeated.", metavar="REGISTRY/REPOSITORY:TAG"
        ),
    ] = None,
    referrers: Referrers = False,
    plain_http: PlainHttp = False,
    dockerfile: Annotated[
        Path | None,
        typer.Option(
            "--dockerfile",
            help="Write a Dockerfile that makes the same, and what it takes beside it; - prints it.",
            metavar="FILE",
        ),
    ] = None,
    batch: Batch = False,
    webhook: Webhook = "",
    progress: Progress = ProgressStyle.AUTO,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Print the job's id and leave.")] = False,
) -> None:
    """Make a slim runtime image of requirements: wheels from the cache, Python, and nothing that builds.

    Wheels that the cache lacks are built first. The image has a layer per wheel; the same request is the same
    image, byte for byte. Without --load, --output, --oci or --push it stays in the service, where its tags
    name it.
    All that an image is can stand in a TOML file instead (--spec); what an option says goes before the file.
    A project that is called like a command below is written with a version, or after `--`.

    \b
    Examples:
      wheelyard image numpy --load --tag np:latest
      wheelyard image --spec image.toml --load
      wheelyard image -r requirements.txt --app ./src --entrypoint 'python3 main.py' --output app.tar
      wheelyard image --app dist/app-1.0-py3-none-any.whl --port 8080 --size-budget '250 MB' --load
      wheelyard image opencv-python-headless --package ffmpeg --oci ./layout --label team=video
      wheelyard image numpy --app ./src --dockerfile ./build/Dockerfile
    """
    from wheelyard.answers import ImageAnswer
    from wheelyard.cli.dockerfile_output import check_dockerfile, write_dockerfile
    from wheelyard.cli.follow_job import follow_to_end, report_end
    from wheelyard.cli.image_ask import asked_image, image_body
    from wheelyard.cli.image_outputs import ImageOutputs, check_outputs, deliver
    from wheelyard.registry.address import parse_target

    session = session_of(context)
    style = resolve_style(progress)
    # What is wrong with the command is said before an sdist is in the channel.
    more = asker_fields(batch=batch, webhook=webhook)
    options: dict[str, Any] = {
        "requirements": requirements or None,
        "requirement_files": image_options.paths(files),
        "constraint_files": image_options.paths(constraint),
        "build_constraint_files": image_options.paths(build_constraint),
        "extras": extra or None,
        "groups": group or None,
        "locked": locked or None,
        "build_deps": None if build_deps is None else build_deps.value,
        "variants": variants_field(variant or ()) or None,
        "toolchain": toolchain or None,
        "channel": channel,
        "app": None if app is None else str(app),
        "packages": package or None,
        "whole_packages": whole_package or None,
        "natives": native or None,
        "base": base,
        **image_options.run_fields(entrypoint, command, environment, label),
        "workdir": workdir,
        "user": user,
        "allow_root": allow_root or None,
        "ports": port or None,
        "healthcheck": image_options.health_fields(
            healthcheck, health_interval, health_timeout, health_start_period, health_retries
        ),
        "format": image_format,
        "compression": compression,
        "bytecode": bytecode,
        "layer_limit": layer_limit,
        "size_budget": size_budget,
        "optional_libraries": optional_library or None,
        "smoke_test": smoke_test,
        "check": image_options.check_source(check),
        "policy_file": None if policy is None else str(policy),
        "tags": image_options.own_tags(tag),
        **limits_field(memory, cpus, disk, timeout),
    }
    asked = asked_image(spec, options)
    elsewhere = [name for name in tag or () if image_options.is_of_other_registry(name)]
    outputs = ImageOutputs(
        load=load,
        archive=output,
        layout=oci,
        tags=(*asked.tags, *elsewhere),
        pushes=tuple(parse_target(target, plain_http=plain_http) for target in push or ()),
        referrers=referrers,
    )
    check_outputs(outputs, detach=detach)
    check_dockerfile(dockerfile, detach=detach)
    loader = find_engine(engine) if load else ""
    with session.client() as client:
        # With --detach, standard output is the job's id alone.
        shown = ProgressStyle.QUIET if detach else style
        job = client.image({**image_body(session, client, asked, shown, refresh=refresh), **more})
        if detach:
            typer.echo(job.id)
            return
        ended = follow_to_end(client, job, style)
        code = report_end(ended, style, client.url)
        if ended.succeeded and ended.result is not None:
            record = ImageAnswer.from_document(ended.result["image"])
            deliver(client, record, outputs, loader, style, known_places(session))
            if dockerfile is not None:
                write_dockerfile(client, record, dockerfile, style)
    raise typer.Exit(code)
