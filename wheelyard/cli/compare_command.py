"""The command that compares images of one application: other people's Dockerfiles and ours."""

# ruff: noqa: D301 - \b keeps the lines of an example apart in the help; it must not be raw.

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wheelyard.cli.build_command import ToolchainName
from wheelyard.cli.image_loading import LoadEngine
from wheelyard.cli.session import Session, session_of
from wheelyard.cli.tables import write_json, write_line
from wheelyard.errors import InputError

if TYPE_CHECKING:
    # Loaded when they are needed: `--help` answers sooner without.
    from wheelyard.comparison.figures import Comparison
    from wheelyard.comparison.order import ComparisonOrder


def compare(
    context: typer.Context,
    app: Annotated[
        Path,
        typer.Option(
            "--app",
            help="Folder of the application: requirements.txt, Dockerfiles, image.toml.",
            metavar="DIR",
        ),
    ],
    spec: Annotated[
        Path | None,
        typer.Option("--spec", help="Spec of our image.  [default: image.toml in DIR]", metavar="FILE"),
    ] = None,
    dockerfile: Annotated[
        list[str] | None,
        typer.Option(
            help="A Dockerfile to compare with; may be repeated.  [default: each NAME.Dockerfile in DIR]",
            metavar="NAME=FILE",
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Image to make, by name; may be repeated. Ours is wheelyard.", metavar="NAME"),
    ] = None,
    change: Annotated[
        str,
        typer.Option(help="Requirement that changes: time and bytes of the second image.", metavar="REQ"),
    ] = "",
    shared: Annotated[
        str,
        typer.Option(
            help="Folder that all images see: the first may write, the others read.", metavar="PATH"
        ),
    ] = "/shared",
    base: Annotated[
        str,
        typer.Option(
            help="What ${BASE} of the Dockerfiles stands for; empty makes one from Debian packages.",
            metavar="IMAGE",
        ),
    ] = "",
    service_wheels: Annotated[
        bool,
        typer.Option(
            "--service-wheels", help="The Dockerfiles install from the cache, not from pip's index."
        ),
    ] = False,
    toolchain: ToolchainName = "",
    channel: Annotated[
        str, typer.Option(help="Channel of the wheels.  [default: the spec's]", metavar="NAME")
    ] = "",
    engine: Annotated[LoadEngine, typer.Option(help="Engine that builds and runs.")] = LoadEngine.AUTO,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the images in the engine.")] = False,
    picture: Annotated[
        Path | None, typer.Option(help="Write bars of sizes and times.", metavar="FILE.svg")
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option(help="Write a page, and its picture beside it.", metavar="FILE.md"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON document.")] = False,
) -> None:
    """Make the images of one application by its Dockerfiles and by its spec, and measure them all.

    Each is built on this machine, run on the same input, and measured: size, packages, setuid files,
    executables, build tools inside, the time that it takes, cold and after one requirement changed, and what
    a node pulls then. Images that give different results are not compared. Nothing stays in the engine but
    the base; an interrupted comparison cleans up, and one that was killed is cleaned up by the next.

    The application ends its output with one line of JSON: `result`, what must be the same in every image,
    and, if it likes, `tolerance` for the numbers in its lists and `versions`.

    \b
    Examples:
      wheelyard compare --app examples/video-app --change tqdm==4.66.5
      wheelyard compare --app . --only multi-stage --only wheelyard --json
      wheelyard compare --app . --dockerfile today=Dockerfile --service-wheels --page docs/comparison.md
    """
    from wheelyard.comparison.order import (
        OURS,
        SPEC,
        ComparisonOrder,
        check_order,
        find_dockerfiles,
        spread,
    )
    from wheelyard.comparison.program import run_comparison
    from wheelyard.image_file import read_image_file
    from wheelyard.index_address import DEFAULT_CHANNEL

    session = session_of(context)
    for target in (picture, page):
        if target is not None and not target.absolute().parent.is_dir():
            raise InputError(f"the folder of {target} does not exist", do="make it first")
    found = dict(_named(dockerfile)) if dockerfile else find_dockerfiles(app)
    chosen = tuple(only or ())
    ours = not chosen or OURS in chosen
    place = (spec or app / SPEC).absolute()
    asked = read_image_file(place) if ours else {}
    order = ComparisonOrder(
        app=app.absolute(),
        spec=place,
        dockerfiles={name: one.absolute() for name, one in spread(found, chosen)},
        ours=ours,
        change=change,
        shared=shared,
        base=base,
        toolchain=toolchain or asked.get("toolchain") or session.settings().toolchain,
        wheels="service" if service_wheels else "index",
        channel=channel or asked.get("channel") or DEFAULT_CHANNEL,
        engine=engine.value,
        keep=keep,
    )
    check_order(order)
    if ours and change:
        _check_change(order, asked)
    comparison = run_comparison(order, _environment(session, order))
    _write(comparison, picture, page)
    if as_json:
        write_json(comparison.to_document())
    else:
        _show(comparison)


def _check_change(order: ComparisonOrder, asked: Mapping[str, Any]) -> None:
    """Refuse a spec that would not see the change."""
    from wheelyard.comparison.order import REQUIREMENTS

    files = [Path(place).resolve() for place in asked.get("requirement_files", ())]
    if (order.app / REQUIREMENTS).resolve() not in files:
        raise InputError(
            f"{order.spec} does not take its requirements from the file that --change changes",
            expected=f'requirement_files = ["{REQUIREMENTS}"]',
            do="let the spec read that file, or leave --change out",
        )


def _named(pairs: Sequence[str]) -> Iterator[tuple[str, Path]]:
    for pair in pairs:
        name, equals, place = pair.partition("=")
        if not equals or not place:
            raise InputError(
                f"--dockerfile {pair!r} is not a name and a file", expected="--dockerfile today=Dockerfile"
            )
        yield name, Path(place)


def _environment(session: Session, order: ComparisonOrder) -> dict[str, str]:
    """The program's: the service is named in it, so that no token stands on a command line."""
    from wheelyard.cli.service_address import find_service

    if not order.ours and order.wheels == "index":
        return dict(os.environ)
    address = find_service(session.settings())
    return {**os.environ, "WHEELYARD_URL": address.url, "WHEELYARD_TOKEN": address.token}


def _write(comparison: Comparison, picture: Path | None, page: Path | None) -> None:
    from wheelyard.comparison.page import write_page
    from wheelyard.comparison.picture import draw_comparison

    if page is not None:
        beside = picture or page.with_suffix(".svg")
        beside.write_text(draw_comparison(comparison), "utf-8")
        address = os.path.relpath(beside.absolute(), page.absolute().parent)
        page.write_text(write_page(comparison, ["wheelyard", *sys.argv[1:]], address), "utf-8")
    elif picture is not None:
        picture.write_text(draw_comparison(comparison), "utf-8")


def _show(comparison: Comparison) -> None:
    from rich.console import Console
    from rich.table import Table

    from wheelyard.comparison.rows import remarks_of, rows_of

    table = Table(title=f"{comparison.app}: {comparison.engine}, {comparison.cores} cores")
    table.add_column("")
    for image in comparison.images:
        table.add_column(image.name, justify="right", overflow="fold")
    for what, cells in rows_of(comparison):
        table.add_row(what, *cells)
    Console(highlight=False).print(table)
    for remark in remarks_of(comparison):
        write_line(remark)
    if comparison.same:
        write_line("All of them gave the same result.")
