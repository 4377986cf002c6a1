"""What is asked of the service where an image is wanted, of a file and of options, and what is sent."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from wheelyard.cli.image_options import merged
from wheelyard.cli.input_options import BuildDepsFrom, Chosen, build_request, constraint_lines
from wheelyard.cli.own_sdists import with_uploads
from wheelyard.cli.progress.display import ProgressStyle
from wheelyard.cli.session import Session
from wheelyard.errors import InputError

if TYPE_CHECKING:
    # Loaded when they are needed: `--help` answers sooner without.
    from wheelyard.client import Client
    from wheelyard.digests import Digest
    from wheelyard.image_file import ImageFile

_CHUNK = 1 << 18


def asked_image(spec: Path | None, options: Mapping[str, Any]) -> ImageFile:
    """What a spec file and the options together ask for; nothing is sent yet.

    :param options: by the file's names; None where one is not given.
    :raises InputError: a field is unknown or can't be, or no image can be all that.
    """
    from wheelyard.build_request import BuildRequest
    from wheelyard.image_file import parse_image_file, read_image_file
    from wheelyard.image_policy import read_policy

    fields = merged(read_image_file(spec) if spec is not None else {}, options)
    asked = parse_image_file(fields, "the command" if spec is None else f"the command with {spec}")
    if asked.policy_file:
        if asked.policy is not None:
            raise InputError(
                "the image has two policies", expected="the table policy, or policy_file", do="leave one out"
            )
        asked = asked.model_copy(update={"policy": read_policy(Path(asked.policy_file))})
    # The service checks the same again; said here, it is said before anything is uploaded.
    named = ("(named)",) if asked.requirements or asked.requirement_files or asked.app else ()
    asked.checked_request(BuildRequest(requirements=named, toolchain=asked.toolchain))
    app = Path(asked.app)
    if asked.app and not (app.is_dir() or (app.suffix == ".whl" and app.is_file())):
        raise InputError(
            f"{app} is neither a folder nor a wheel",
            do="name the application's folder, or its .whl, with --app",
        )
    return asked


def image_body(
    session: Session, client: Client, asked: ImageFile, style: ProgressStyle, *, refresh: bool
) -> dict[str, Any]:
    """The body of the request; sdists of the user's own and the application are uploaded for it.

    :raises InputError: a file can't be read, or the application holds what can't be in an image.
    """
    from wheelyard.image_fields import ImageFields

    build = _build_fields(session, asked, refresh=refresh)
    image = asked.model_dump(mode="json", include=asked.model_fields_set & set(ImageFields.model_fields))
    if asked.policy is not None:
        image["policy"] = asked.policy.to_document()
    return {**build, **image, **_application(client, asked, style)}


def _build_fields(session: Session, asked: ImageFile, *, refresh: bool) -> dict[str, Any]:
    from wheelyard.requirements import normalise_requirements

    toolchain = asked.toolchain or session.settings().toolchain
    if asked.requirements or asked.requirement_files:
        request = _requirement_fields(session, asked, toolchain, refresh=refresh)
    else:
        # The application's wheel may require something all the same.
        request = {
            "toolchain": toolchain,
            "channel": asked.channel,
            "refresh": refresh,
            "constraints": constraint_lines([Path(file) for file in asked.constraint_files]),
            "build_constraints": constraint_lines([Path(file) for file in asked.build_constraint_files]),
            "build_deps": asked.build_deps,
            "variants": dict(asked.variants),
        }
    for name, lines in (("constraints", asked.constraints), ("build_constraints", asked.build_constraints)):
        if lines:
            request[name] = list(normalise_requirements([*request.get(name, ()), *lines]))
    limits = asked.limits.to_document()
    return {**request, "limits": limits} if limits else request


def _requirement_fields(
    session: Session, asked: ImageFile, toolchain: str, *, refresh: bool
) -> dict[str, Any]:
    chosen = Chosen(
        constraints=[Path(file) for file in asked.constraint_files],
        extras=asked.extras,
        groups=asked.groups,
        locked=asked.locked,
        build_deps=BuildDepsFrom(asked.build_deps),
        build_constraints=[Path(file) for file in asked.build_constraint_files],
        variants=[f"{project}={variant}" for project, variant in asked.variants.items()],
    )
    return build_request(
        with_uploads(session, asked.requirements, asked.channel),
        [Path(file) for file in asked.requirement_files],
        toolchain,
        asked.channel,
        refresh=refresh,
        chosen=chosen,
    )


def _application(client: Client, asked: ImageFile, style: ProgressStyle) -> dict[str, str]:
    if not asked.app:
        return {}
    app = Path(asked.app)
    if app.is_dir():
        return {"app": upload_app(client, app, style)}
    return {"app_wheel": _upload_wheel(client, app, style), "app_wheel_name": app.name}


def upload_app(client: Client, folder: Path, style: ProgressStyle) -> str:
    """Give the service the application's folder, unless it has it already; returns the tar's digest.

    :raises InputError: the folder holds something that can't be in an image.
    """
    from wheelyard.app_archive import write_app_archive

    with tempfile.TemporaryFile() as tar:
        archive = write_app_archive(folder, tar)
        if not archive.files:
            raise InputError(
                f"{folder} holds no file that would go into the image", do="look at its .dockerignore"
            )
        _upload(client, tar, archive.digest, archive.size, f"upload of {folder}", style)
    return str(archive.digest)


def _upload_wheel(client: Client, wheel: Path, style: ProgressStyle) -> str:
    from wheelyard.digests import Digest

    try:
        with wheel.open("rb") as stream:
            digest = Digest.parse(f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}")
            _upload(client, stream, digest, stream.tell(), f"upload of {wheel.name}", style)
    except OSError as error:
        raise InputError(f"{wheel} can't be read", found=error.strerror or str(error)) from error
    return str(digest)


def _upload(
    client: Client, stream: IO[bytes], digest: Digest, size: int, title: str, style: ProgressStyle
) -> None:
    from wheelyard.cli.byte_progress import byte_progress

    if not client.has_blob(digest):
        stream.seek(0)
        with byte_progress(title, size, style) as progress:
            client.put_blob(digest, size, _counted(stream, progress.add))


def _counted(stream: IO[bytes], on_bytes: Callable[[int], None]) -> Iterator[bytes]:
    while chunk := stream.read(_CHUNK):
        yield chunk
        on_bytes(len(chunk))
