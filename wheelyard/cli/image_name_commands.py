"""The commands about the names of images: image list, image tag."""

# ruff: noqa: D301 - \b keeps the lines of an example apart in the help; it must not be raw.

from __future__ import annotations

from typing import Annotated

import typer

from wheelyard.cli.session import session_of
from wheelyard.cli.tables import moment_text, write_json, write_line, write_table
from wheelyard.image_name import ImageName
from wheelyard.sizes import size_text

AsJson = Annotated[bool, typer.Option("--json", help="As one JSON document.")]


def image_list(
    context: typer.Context,
    limit: Annotated[int, typer.Option("--limit", "-n", help="How many, newest first.", min=1, max=500)] = 50,
    tag: Annotated[
        str, typer.Option("--history", help="What this tag stood for, instead.", metavar="REPOSITORY:TAG")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """List the images that were made here, with the tags that stand for them.

    \b
    Examples:
      wheelyard image list
      wheelyard image list --history team/clip:latest
    """
    if tag:
        name = ImageName.tagged(tag)
        with session_of(context).client() as client:
            history = client.image_tag_history(str(name))
        if as_json:
            write_json(history)
            return
        rows = [
            [moment_text(move["at"]), move["digest"] or "(removed)", move["actor"] or "-"]
            for move in history["moves"]
        ]
        write_table(["since", "stood for", "moved by"], rows)
        return
    with session_of(context).client() as client:
        found = client.made_images(limit)
    if as_json:
        write_json(found)
    elif not found:
        write_line("no images yet; make one with `wheelyard image numpy`")
    else:
        rows = [
            [
                image["digest"].removeprefix("sha256:")[:12],
                ", ".join(image["tags"]) or "-",
                size_text(image["size"]),
                size_text(image["unpacked"]),
                moment_text(image["made_at"]),
                image["title"][:60],
            ]
            for image in found
        ]
        write_table(["image", "tags", "to pull", "unpacked", "made", "of"], rows, right=(2, 3))


def image_tag(
    context: typer.Context,
    image: Annotated[str, typer.Argument(help="A digest, an image id, or REPOSITORY:TAG.", metavar="IMAGE")],
    name: Annotated[str, typer.Argument(help="The name that it gets.", metavar="REPOSITORY:TAG")],
    as_json: AsJson = False,
) -> None:
    """Let a tag of the service's own registry stand for an image; it moves there from what it stood for.

    \b
    Examples:
      wheelyard image tag 5fd924625f6a team/clip:1.2
      wheelyard image tag team/clip:1.2 team/clip:latest
    """
    wanted = ImageName.tagged(name)
    with session_of(context).client() as client:
        tagged = client.tag_image(image, str(wanted))
        address = client.url.partition("://")[2]
    if as_json:
        write_json(tagged)
    else:
        write_line(f"{tagged['name']} is {tagged['digest']}")
        write_line(f"podman pull {address}/{tagged['name']}")
