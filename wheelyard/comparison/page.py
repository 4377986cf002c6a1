"""The comparison as a page of documentation: Markdown, with the command that made it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from wheelyard.comparison.figures import Comparison
from wheelyard.comparison.rows import remarks_of, rows_of


def write_page(comparison: Comparison, command: Sequence[str], picture: str) -> str:
    """The page.

    :param command: argument list that made it.
    :param picture: address of the picture from the page on; empty leaves it out.
    """
    names = [one.name for one in comparison.images]
    table = [
        f"| | {' | '.join(names)} |",
        f"| --- |{' ---: |' * len(names)}",
        *(f"| {what} | {' | '.join(cells)} |" for what, cells in rows_of(comparison)),
    ]
    agreed = "It ran without network, read-only and as an ordinary user."
    if comparison.same:
        agreed = (
            "Each ran on the same input, without network, read-only and as an ordinary user, and all "
            "gave the same result."
        )
    machine = f"{comparison.engine} on {comparison.cores} cores"
    lines = [
        f"# {comparison.app}: its images compared",
        "",
        "Made by the command below. How to make such a page of your own application:",
        "[Compare images](../how-to/compare.md).",
        "",
        f"    {shlex.join(command)}",
        "",
        f"Measured on {comparison.made_on} with {machine}, in one run. {agreed}",
        "",
        *table,
        "",
        *([f"![Sizes and times as bars]({picture})", ""] if picture else []),
        *(f"- {note}" for note in _notes(comparison)),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _notes(comparison: Comparison) -> Iterator[str]:
    yield (
        "Unpacked is the sum of the layers' tar streams; compressed is the same after gzip, layer by layer, "
        "for all images alike. Executables are files that may be run, shared libraries not counted."
    )
    yield (
        "The time ends when the image is in the engine. Cold, a Dockerfile's build downloads its packages "
        "and wheels; ours takes wheels that were built once, for everybody, and makes the layers that are "
        "missing."
    )
    if comparison.base:
        wheels = "the service's cache, as ours does" if comparison.wheels == "service" else "pip's index"
        yield f"The Dockerfiles begin from `{comparison.base}` and take their wheels from {wheels}."
    if comparison.change:
        yield (
            f"The second image has `{comparison.change}`; the bytes are those that a node lacks which has "
            "the first one."
        )
    yield from (f"{remark}." for remark in remarks_of(comparison))
