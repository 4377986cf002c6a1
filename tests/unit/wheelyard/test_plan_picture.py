"""The picture of a plan: well-formed, the same each time, no box on another, and words that are safe."""

import re
from itertools import combinations
from xml.etree import ElementTree as ET

import pytest

from tests.plans import large_plan, node, plan
from wheelyard.plan import Role, Standing
from wheelyard.plan_layout import layout_of
from wheelyard.plan_picture import plan_picture, seconds_words

SVG = "{http://www.w3.org/2000/svg}"
SMALL = plan(
    node("setuptools", Standing.HIT, role=Role.BUILD),
    node("numpy", Standing.WAITING, needs=["setuptools"], seconds=300.0),
    node(
        "opencv-python-headless",
        Standing.BLOCKED,
        needs=["setuptools", "numpy"],
        reason="no <cmake> & no way",
    ),
)


def read(text):
    return ET.fromstring(text.encode("utf-8"))  # noqa: S314 - it is our own


def boxes(text):
    """Title and place of each node's box."""
    found = []
    for group in read(text).iter(f"{SVG}g"):
        title, rect = group.find(f"{SVG}title"), group.find(f"{SVG}rect")
        if title is not None:
            found.append((title.text, tuple(float(rect.get(name)) for name in ("x", "y", "width", "height"))))
    return found


@pytest.mark.parametrize("drawn", [SMALL, large_plan(), plan()], ids=["small", "large", "empty"])
def test_every_node_has_a_box_of_its_own_inside_the_picture(drawn):
    text = plan_picture(drawn)
    root = read(text)
    width, height = float(root.get("width")), float(root.get("height"))
    found = boxes(text)
    assert sorted(title.partition("\n")[0] for title, _place in found) == sorted(one.id for one in drawn)
    for _title, (x, y, wide, high) in found:
        assert 0 < x < x + wide < width
        assert 0 < y < y + high < height
    for (_a, (x, y, wide, high)), (_b, (other_x, other_y, *_)) in combinations(found, 2):
        assert abs(x - other_x) >= wide or abs(y - other_y) >= high


def test_what_is_needed_stands_further_left():
    places = {title.partition("\n")[0]: place for title, place in boxes(plan_picture(SMALL))}
    assert places["setuptools==1.0"][0] < places["numpy==1.0"][0] < places["opencv-python-headless==1.0"][0]


def test_the_same_plan_is_the_same_picture():
    assert plan_picture(large_plan(), title="t") == plan_picture(large_plan(), title="t")


def test_an_arrow_that_a_chain_says_already_is_left_out():
    assert [(arrow.need, arrow.user) for arrow in layout_of(SMALL).arrows] == [
        ("setuptools==1.0", "numpy==1.0"),
        ("numpy==1.0", "opencv-python-headless==1.0"),
    ]


def test_a_large_layer_is_no_tower():
    assert max(map(len, layout_of(plan(*(node(f"p{number}") for number in range(100)))).columns)) <= 24


def test_standing_role_estimate_and_reason_can_be_read():
    text = plan_picture(SMALL, title="opencv")
    titles = dict(title.split("\n", 1) for title, _place in boxes(text))
    assert "no <cmake> & no way" in titles["opencv-python-headless==1.0"]
    assert "to build, about 5 min" in text
    assert "build: in the cache" in text
    assert (
        "3 nodes for debian12-cp311: 1 in the cache, 1 to build, 1 blocked; about 5 min of building" in text
    )
    for words in ("wy-hit wy-build", "wy-waiting wy-runtime", "wy-blocked wy-runtime"):
        assert words in text


def test_the_legend_tells_only_what_is_in_the_picture():
    text = plan_picture(plan(node("a", Standing.HIT)))
    assert "1 node for debian12-cp311: 1 in the cache" in text
    assert ">in the cache</text>" in text
    for words in ("blocked", "to build", "native artifact", "built with", "runs with"):
        assert f">{words}</text>" not in text
    assert ">built with</text>" in plan_picture(SMALL)


def test_the_longest_chain_is_thick():
    text = plan_picture(SMALL, path=["setuptools==1.0", "numpy==1.0"])
    assert len(re.findall(r'class="wy-arrow wy-path"', text)) == 1


@pytest.mark.parametrize(
    "text", ["</title><script>alert(1)</script>", "a\x00b\x1b[31m\ud800\ufffe", '" onload="x', "&amp;", "]]>"]
)
def test_foreign_words_stay_words(text):
    drawn = plan_picture(plan(node("a", Standing.BLOCKED, reason=text)), title=text)
    root = read(drawn)
    assert {child.tag.removeprefix(SVG) for child in root.iter()} <= {
        "svg", "title", "style", "defs", "marker", "path", "rect", "text", "g",
    }  # fmt: skip
    assert set(root.attrib) == {
        "viewBox", "width", "height", "role", "aria-label", "font-family", "font-size",
    }  # fmt: skip
    assert "\x00" not in drawn


def test_a_circle_at_run_time_is_drawn():
    drawn = plan_picture(plan(node("a", run_needs=("b==1.0",)), node("b", run_needs=("a==1.0",))))
    assert len(boxes(drawn)) == 2


@pytest.mark.parametrize(("seconds", "words"), [(0.2, "1 s"), (40, "40 s"), (240, "4 min"), (9000, "2.5 h")])
def test_an_estimate_is_no_finer_than_it_can_be(seconds, words):
    assert seconds_words(seconds) == words
