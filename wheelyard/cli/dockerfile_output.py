"""The Dockerfile of an image, and the files beside it, in a folder of this machine."""

from __future__ import annotations

from pathlib import Path

import typer

from wheelyard.answers import ImageAnswer
from wheelyard.cli.blob_file import bring_blob
from wheelyard.cli.byte_progress import byte_progress
from wheelyard.cli.progress.display import ProgressStyle
from wheelyard.cli.progress.json_lines import write_json_line
from wheelyard.cli.tables import write_line
from wheelyard.client import Client
from wheelyard.dockerfile_parts import CONTEXT
from wheelyard.errors import InputError

STANDARD_OUTPUT = "-"


def check_dockerfile(place: Path | None, *, detach: bool) -> None:
    """Look at where a Dockerfile is to be written, before anything is built.

    :raises InputError: it can't be there.
    """
    if place is None:
        return
    if detach:
        raise InputError("--detach leaves before there is an image", do="leave --dockerfile out")
    if str(place) == STANDARD_OUTPUT:
        return
    if place.is_dir():
        raise InputError(f"{place} is a folder", do=f"name a file, such as {place / 'Dockerfile'}")
    if not place.parent.is_dir():
        raise InputError(f"the folder {place.parent} does not exist", do="make it first")
    context = place.parent / CONTEXT
    if context.exists() and not context.is_dir():
        raise InputError(
            f"{context} is a file, and what the Dockerfile takes would lie there", do="choose another folder"
        )


def write_dockerfile(client: Client, record: ImageAnswer, place: Path, style: ProgressStyle) -> None:
    """Write an image's Dockerfile, and beside it the wheels and layers that it takes; safe to repeat.

    :param place: `-` writes the text to standard output, and nothing else.
    :param style: a resolved one.
    :raises StoreUnavailable: bytes that are not the ones that the image names.
    """
    image = str(record.manifest_digest)
    text = client.image_dockerfile(image)
    if str(place) == STANDARD_OUTPUT:
        typer.echo(text, nl=False)
        return
    files = client.image_dockerfile_context(image)
    # The wheels are about as large as their layers.
    with byte_progress("download", record.size, style) as progress:
        for file in files:
            bring_blob(client, file.digest, place.parent / file.path, progress.add)
    _forget_others(place.parent / CONTEXT, {(place.parent / file.path) for file in files})
    place.write_text(text, "utf-8")
    if style is ProgressStyle.JSON:
        write_json_line({"type": "output", "kind": "dockerfile", "place": str(place)})
    else:
        write_line(f"dockerfile: {place}, with what it takes in {place.parent / CONTEXT}")


def _forget_others(context: Path, wanted: set[Path]) -> None:
    """Take away what an earlier Dockerfile took: all of `wheels` goes into the build."""
    for place in (*context.glob("wheels/*.whl"), *context.glob("layers/*.tar.gz")):
        if place not in wanted:
            place.unlink()
