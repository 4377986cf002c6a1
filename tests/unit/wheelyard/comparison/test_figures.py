"""What two applications said, beside each other, and the comparison as a table, a page and a picture."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest

from wheelyard.comparison.figures import Comparison, ImageFigures, differences
from wheelyard.comparison.page import write_page
from wheelyard.comparison.picture import draw_comparison
from wheelyard.comparison.rows import rows_of

SAID = {"frames": 48, "size": {"width": 320}, "fingerprint": [10, 20, 30]}


def figures(name: str, **more: object) -> ImageFigures:
    fields: dict[str, object] = {
        "name": name, "unpacked": 1_490_000_000, "compressed": 510_000_000, "layers": 5,
        "debian_packages": 300, "python_packages": 12, "setuid": ("/usr/bin/su",), "executables": 700,
        "build_tools": {"gcc": "/usr/bin/gcc", "git": "/usr/bin/git"}, "cold_seconds": 181.4,
        "changed_seconds": 92.0, "second_bytes": 310_000_000, "result": SAID, "versions": {"numpy": "2.0"},
        **more,
    }  # fmt: skip
    return ImageFigures(**fields)  # type: ignore[arg-type]


def comparison(*images: ImageFigures, change: str = "tqdm==4.66.5") -> Comparison:
    return Comparison(
        app="video-app", change=change, engine="podman 4.3.1 (runc)", cores=2, base="python:3.11-slim",
        wheels="index", made_on="2026-11-28", same=True, images=images,
    )  # fmt: skip


OURS = figures(
    "wheelyard", unpacked=240_000_000, build_tools={}, setuid=(), second_bytes=61_000, cold_seconds=0.8
)
BOTH = comparison(figures("single-stage"), OURS)


def test_numbers_in_lists_may_be_apart_by_the_tolerance() -> None:
    near = {**SAID, "fingerprint": [12, 18, 30]}
    assert differences(SAID, near, 2) == ()
    assert differences(SAID, near, 1) == ("fingerprint[0]", "fingerprint[1]")


def test_single_numbers_are_counts_and_have_no_tolerance() -> None:
    assert differences(SAID, {**SAID, "frames": 47}, 5) == ("frames",)
    assert differences(SAID, {**SAID, "size": {"width": 321}}, 5) == ("size.width",)


@pytest.mark.parametrize("other", [{**SAID, "fingerprint": [10, 20]}, {**SAID, "fingerprint": "none"}])
def test_another_shape_is_another_result(other: dict[str, object]) -> None:
    assert differences(SAID, other, 99) == ("fingerprint",)


def test_what_one_of_them_does_not_say_is_a_difference() -> None:
    assert differences(SAID, {key: value for key, value in SAID.items() if key != "frames"}, 0) == ("frames",)


def test_a_comparison_is_the_same_after_it_was_written_down() -> None:
    document = json.loads(json.dumps(BOTH.to_document()))
    assert Comparison.from_document({**document, "from_a_newer_version": 1}) == BOTH


def test_the_page_has_every_row_and_the_command_that_made_it() -> None:
    page = write_page(BOTH, ["wheelyard", "compare", "--app", "my app"], "comparison.svg")
    assert "    wheelyard compare --app 'my app'\n" in page
    assert "| size, unpacked | 1,490 MB | 240 MB |" in page
    assert "| build tools inside | gcc, git | none |" in page
    assert "| bytes to pull for the second image | 310 MB | 61.0 kB |" in page
    assert "(comparison.svg)" in page
    assert "all gave the same result" in " ".join(page.split())


def test_without_a_change_there_is_no_row_of_one() -> None:
    alone = comparison(figures("single-stage", changed_seconds=None, second_bytes=None), change="")
    assert not [what for what, _ in rows_of(alone) if "second" in what or "changed" in what]
    assert "second image" not in draw_comparison(alone)


def test_the_picture_is_svg_whose_bars_are_as_long_as_their_values() -> None:
    root = ET.fromstring(draw_comparison(BOTH))  # noqa: S314 - it is our own
    widths = [float(bar.attrib["width"]) for bar in root.iter("{http://www.w3.org/2000/svg}rect")]
    assert widths[1] / widths[0] == pytest.approx(240 / 1490, abs=0.01)
    assert all(width >= 2 for width in widths)


def test_a_name_can_not_break_the_picture() -> None:
    ET.fromstring(draw_comparison(comparison(figures("a<b&c"), OURS)))  # noqa: S314 - it is our own
