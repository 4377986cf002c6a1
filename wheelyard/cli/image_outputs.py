"""Where an image goes on this machine: into the engine, into an archive, into an OCI layout."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wheelyard.answers import ImageAnswer
from wheelyard.cli.byte_progress import byte_progress
from wheelyard.cli.image_blobs import ImageBlobs
from wheelyard.cli.image_loading import load_image
from wheelyard.cli.image_options import is_of_other_registry
from wheelyard.cli.progress.display import ProgressStyle
from wheelyard.cli.progress.json_lines import write_json_line
from wheelyard.cli.tables import write_line
from wheelyard.client import Client
from wheelyard.errors import InputError
from wheelyard.oci import write_docker_archive, write_oci_archive, write_oci_layout
from wheelyard.whole_file import whole_file

if TYPE_CHECKING:
    from wheelyard.registry.address import PushTarget
    from wheelyard.registry.known_places import KnownPlaces

# NAME[:TAG] of the distribution specification, with an optional host and port before it.
_TAG = re.compile(
    r"(?:[A-Za-z0-9.-]+(?::\d+)?/)?[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
    r"(?::[\w][\w.-]{0,127})?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageOutputs:
    """What is to be done with an image; any of them, or none.

    :param archive: file for a docker archive.
    :param layout: folder for an OCI image layout, or file for its archive, whose name ends in `.tar`.
    :param tags: names that the image gets there.
    :param pushes: where it is pushed.
    :param referrers: whether what is said of it beside it is pushed, too.
    """

    load: bool
    archive: Path | None
    layout: Path | None
    tags: tuple[str, ...]
    pushes: tuple[PushTarget, ...] = ()
    referrers: bool = False

    @property
    def layout_is_file(self) -> bool:
        """Whether the layout goes into one file."""
        return self.layout is not None and self.layout.suffix == ".tar" and not self.layout.is_dir()


def check_outputs(outputs: ImageOutputs, *, detach: bool) -> None:
    """Look at the outputs before anything is built.

    :raises InputError: one that can't be made.
    """
    wanted = outputs.load or outputs.archive is not None or outputs.layout is not None
    if detach and (wanted or outputs.pushes):
        raise InputError(
            "--detach leaves before there is an image", do="leave --load, --output, --oci and --push out"
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
    if outputs.archive is not None and outputs.archive.is_dir():
        raise InputError(
            f"{outputs.archive} is a folder", do="name a file with --output, or a folder with --oci"
        )
    files = [outputs.archive, outputs.layout if outputs.layout_is_file else None]
    for file in files:
        if file is not None and not file.parent.is_dir():
            raise InputError(f"the folder {file.parent} does not exist", do="make it first")
    if (
        outputs.layout is not None
        and outputs.layout.exists()
        and not outputs.layout.is_dir()
        and not outputs.layout_is_file
    ):
        raise InputError(
            f"{outputs.layout} is not a folder", do="name a folder with --oci, or a file with --output"
        )


def deliver(
    client: Client,
    record: ImageAnswer,
    outputs: ImageOutputs,
    loader: str,
    style: ProgressStyle,
    known: KnownPlaces,
) -> None:
    """Bring an image to where it is wanted; every byte is checked against its digest on the way.

    :param loader: the engine's command, from `find_engine`.
    :param style: a resolved one.
    :param known: where this machine pushed blobs before.
    :raises StoreUnavailable: bytes that are not the ones that the image names; nothing half is left.
    """
    tags = [tag if ":" in tag.rpartition("/")[2] else f"{tag}:latest" for tag in outputs.tags]
    if outputs.layout is not None:
        folder = outputs.layout
        with byte_progress("download", record.size, style) as progress:
            blobs = ImageBlobs(client, progress.add)
            whole, name = blobs.image(record), tags[0] if tags else ""
            if outputs.layout_is_file:
                with whole_file(folder) as stream:
                    write_oci_archive(stream, whole, blobs.open, name)
            else:
                write_oci_layout(folder, whole, blobs.open, name)
        _say(style, "layout", str(folder))
    if outputs.archive is not None:
        archive = outputs.archive
        with byte_progress("download", record.size, style) as progress:
            blobs = ImageBlobs(client, progress.add)
            whole = blobs.image(record)
            with whole_file(archive) as stream:
                write_docker_archive(stream, whole, blobs.open, tags)
        _say(style, "archive", str(archive))
    if outputs.load:
        with byte_progress(f"{loader} load", record.size, style) as progress:
            blobs = ImageBlobs(client, progress.add)
            whole = blobs.image(record)
            load_image(loader, whole, blobs.open, tags)
        _say(style, "loaded", ", ".join(tags) or str(record.image_id))
    if outputs.pushes:
        from wheelyard.cli.named_image import made_image
        from wheelyard.cli.pushing import push_to_all

        made = made_image(client, record.manifest_digest)
        push_to_all(made, outputs.pushes, style, known, referrers=outputs.referrers)


def _say(style: ProgressStyle, what: str, where: str) -> None:
    if style is ProgressStyle.JSON:
        write_json_line({"type": "output", "kind": what, "place": where})
    else:
        write_line(f"{what}: {where}")
