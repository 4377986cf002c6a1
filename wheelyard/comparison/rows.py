"""The comparison as rows for people: the same words in the terminal and on the page."""

from __future__ import annotations

from collections.abc import Iterator

from wheelyard.comparison.figures import Comparison, ImageFigures

NOTHING = "-"


def rows_of(comparison: Comparison) -> Iterator[tuple[str, list[str]]]:
    """What is compared, and a cell for each image, in their order."""
    images = comparison.images
    yield "size, unpacked", [megabytes(one.unpacked) for one in images]
    yield "size, compressed", [megabytes(one.compressed) for one in images]
    yield "layers", [str(one.layers) for one in images]
    yield "Debian packages", [str(one.debian_packages) for one in images]
    yield "Python packages", [str(one.python_packages) for one in images]
    yield "setuid files", [str(len(one.setuid)) for one in images]
    yield "executables", [str(one.executables) for one in images]
    yield "build tools inside", [_tools(one) for one in images]
    yield "time, cold", [seconds(one.cold_seconds) for one in images]
    if comparison.change:
        yield "time, one requirement changed", [seconds(one.changed_seconds) for one in images]
        yield (
            "bytes to pull for the second image",
            [NOTHING if one.second_bytes is None else megabytes(one.second_bytes) for one in images],
        )


def remarks_of(comparison: Comparison) -> list[str]:
    """What has to be said of how the images were made and what they ran."""
    found = [f"{one.name}: {one.remark}" for one in comparison.images if one.remark]
    versions = [
        f"{one.name} ran {', '.join(f'{what} {version}' for what, version in one.versions.items())}"
        for one in comparison.images
        if one.versions
    ]
    return [*found, *versions]


def megabytes(size: int) -> str:
    """A size in decimal megabytes, as registries and disks count; smaller ones in kilobytes."""
    if size < 1_000_000:
        return f"{size / 1000:.1f} kB"
    return f"{size / 1_000_000:,.1f} MB" if size < 100_000_000 else f"{size / 1_000_000:,.0f} MB"


def seconds(value: float | None) -> str:
    """A duration."""
    if value is None:
        return NOTHING
    return f"{value:.1f} s" if value < 100 else f"{value:.0f} s"


def _tools(image: ImageFigures) -> str:
    return ", ".join(sorted(image.build_tools)) or "none"
