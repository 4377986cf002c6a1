"""Pushes that a command makes: an image of the service goes into registries, and each push is reported."""

from __future__ import annotations

import time
from collections.abc import Sequence

from wheelyard.cli.named_image import NamedImage
from wheelyard.cli.progress.display import ProgressStyle
from wheelyard.cli.progress.json_lines import write_json_line
from wheelyard.cli.push_progress import PushLines, push_progress
from wheelyard.cli.tables import seconds_text, write_line
from wheelyard.registry.address import PushTarget
from wheelyard.registry.blob_upload import Arrival, BlobSource
from wheelyard.registry.connection import Connection
from wheelyard.registry.image_push import Pushed, layer_titles, push_image, read_parts
from wheelyard.registry.known_places import KnownPlaces
from wheelyard.registry.logins import own_logins
from wheelyard.registry.referrers_push import Attached, push_referrers
from wheelyard.sizes import size_text


def push_to_all(
    image: NamedImage,
    targets: Sequence[PushTarget],
    style: ProgressStyle,
    known: KnownPlaces,
    mount_from: Sequence[str] = (),
    *,
    referrers: bool = False,
) -> None:
    """Push an image to each target in turn.

    :param style: a resolved one.
    :param known: where this machine pushed blobs before.
    :param referrers: whether what is said of it beside it (SBOM, provenance) goes, too.
    """
    parts = read_parts(image.manifest, layer_titles(image.manifest, image.config))
    attached: list[Attached] = []
    documents: BlobSource = image
    if referrers:
        attached, documents = image.attached()
    for target in targets:
        began = time.monotonic()
        with push_progress(style) as progress:

            def bring_attached(connection: Connection, progress: PushLines = progress) -> None:
                push_referrers(connection, image.digest, attached, documents, progress, known)

            pushed = push_image(
                target, parts, image, own_logins(), progress, known, mount_from, before_tag=bring_attached
            )
        _say(pushed, time.monotonic() - began, style)


def _say(pushed: Pushed, seconds: float, style: ProgressStyle) -> None:
    if style is ProgressStyle.JSON:
        write_json_line({"type": "pushed", **pushed.to_document(), "seconds": round(seconds, 3)})
        return
    amounts = [
        f"{size_text(amount)} {word}"
        for arrival, word in (
            (Arrival.SENT, "sent"),
            (Arrival.MOUNTED, "mounted"),
            (Arrival.THERE, "there before"),
        )
        if (amount := pushed.bytes_of(arrival))
    ]
    write_line(f"pushed: {pushed.target}")
    write_line(f"digest: {pushed.digest}, {', '.join(amounts) or 'nothing sent'}, {seconds_text(seconds)}")
