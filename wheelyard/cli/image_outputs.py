"""Where an image goes on this machine: into the engine, into an archive, into an OCI layout."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from wheelyard.answers import ImageAnswer
from wheelyard.cli.byte_progress import byte_progress
from wheelyard.cli.image_blobs import ImageBlobs
from wheelyard.cli.image_loading import load_archive
from wheelyard.cli.image_options import is_of_other_registry
from wheelyard.cli.progress.display import ProgressStyle
from wheelyard.cli.progress.json_lines import write_json_line
from wheelyard.cli.tables import write_line
from wheelyard.client import Client
from wheelyard.errors import InputError
from wheelyard.oci import write_docker_archive, write_oci_layout

# NAME[:TAG] of the distribution specification, with an optional host and port before it.
_TAG = re.compile(
    r"(?:[A-Za-z0-9.-]+(?::\d+)?/)?[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
    r"(?::[\w][\w.-]{0,127})?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageOutputs:
    """What is to be done with an image; any of them, or none.

    :param archive: file for a docker archive.
    :param layout: folder for an OCI image layout.
    :param tags: names that the image gets there.
    """

    load: bool
    archive: Path | None
    layout: Path | None
    tags: tuple[str, ...]


def check_outputs(outputs: ImageOutputs, *, detach: bool) -> None:
    """Look at the outputs before anything is built.

    :raises InputError: one that can't be made.
    """
    wanted = outputs.load or outputs.archive is not None or outputs.layout is not None
    if detach and wanted:
        raise InputError(
            "--detach leaves before there is an image", do="leave --load, --output and --oci out"
        )
    if not wanted and (elsewhere := [tag for tag in outputs.tags if is_of_other_registry(tag)]):
        raise InputError(
            f"--tag {elsewhere[0]} names nothing without --load, --output or --oci",
            do="say where the image goes, or leave the registry's host out",
        )
    for tag in outputs.tags:
        if not _TAG.fullmatch(tag):
            raise InputError(
                f"{tag!r} is not an image's name", expected="NAME:TAG in lower case, such as app:1.2"
            )
    if outputs.archive is not None:
        if outputs.archive.is_dir():
            raise InputError(
                f"{outputs.archive} is a folder", do="name a file with --output, or a folder with --oci"
            )
        if not outputs.archive.parent.is_dir():
            raise InputError(f"the folder {outputs.archive.parent} does not exist", do="make it first")
    if outputs.layout is not None and outputs.layout.exists() and not outputs.layout.is_dir():
        raise InputError(
            f"{outputs.layout} is not a folder", do="name a folder with --oci, or a file with --output"
        )


def deliver(
    client: Client, record: ImageAnswer, outputs: ImageOutputs, loader: str, style: ProgressStyle
) -> None:
    """Bring an image to where it is wanted; every byte is checked against its digest on the way.

    :param loader: the engine's command, from `find_engine`.
    :param style: a resolved one.
    :raises StoreUnavailable: bytes that are not the ones that the image names; nothing half is left.
    """
    tags = [tag if ":" in tag.rpartition("/")[2] else f"{tag}:latest" for tag in outputs.tags]
    if outputs.layout is not None:
        folder = outputs.layout
        with byte_progress("download", record.size, style) as progress:
            blobs = ImageBlobs(client, progress.add)
            write_oci_layout(folder, blobs.image(record), blobs.open, tags[0] if tags else "")
        _say(style, "layout", str(folder))
    if outputs.archive is not None:
        archive = outputs.archive
        with byte_progress("download", record.size, style) as progress:
            blobs = ImageBlobs(client, progress.add)
            whole = blobs.image(record)
            _write_whole(archive, lambda stream: write_docker_archive(stream, whole, blobs.open, tags))
        _say(style, "archive", str(archive))
    if outputs.load:
        with byte_progress(f"{loader} load", record.size, style) as progress:
            blobs = ImageBlobs(client, progress.add)
            whole = blobs.image(record)
            load_archive(loader, lambda stream: write_docker_archive(stream, whole, blobs.open, tags))
        _say(style, "loaded", ", ".join(tags) or str(record.image_id))


def _say(style: ProgressStyle, what: str, where: str) -> None:
    if style is ProgressStyle.JSON:
        write_json_line({"type": "output", "kind": what, "place": where})
    else:
        write_line(f"{what}: {where}")


def _write_whole(place: Path, write: Callable[[IO[bytes]], None]) -> None:
    """Write a file that is in its place only when it is whole."""
    with tempfile.NamedTemporaryFile(dir=place.parent, prefix=".part-", delete=False) as out:
        part = Path(out.name)
        try:
            write(out)
            out.flush()
            part.chmod(0o644)
            part.replace(place)
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise
