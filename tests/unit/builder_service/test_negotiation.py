"""Which form of a page an `Accept` asks for, and which bytes a `Range`."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder_service.blob_response import RangeNotSatisfiable, _range, etag_matches
from builder_service.live import entry_id
from builder_service.simple_pages import NotAcceptable, negotiate
from wheelyard.simple_index import HTML, JSON


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", "text/html"),
        ("*/*", "text/html"),
        ("text/*", "text/html"),
        ("application/*", JSON),
        (f"{JSON};q=0.5, {HTML};q=0.6", HTML),
        (f"{HTML}, {JSON}", JSON),
        (f"{JSON.upper()}", JSON),
        (f"{JSON};q=nonsense, text/html;q=0.1", "text/html"),
        (f"{JSON};q=0, */*", "text/html"),
    ],
)
def test_the_best_of_our_forms_is_chosen(accept, form):
    assert negotiate(accept) == form


@pytest.mark.parametrize(
    "accept", ["image/png", "text/html;q=0", f"{JSON};q=0", ", ;", "application/json;q=0, text/plain"]
)
def test_a_form_that_we_do_not_have_is_refused(accept):
    with pytest.raises(NotAcceptable, match="does not exist in that form"):
        negotiate(accept)


@given(st.text(max_size=200))
def test_any_accept_is_answered_or_refused(accept):
    with contextlib.suppress(NotAcceptable):
        assert negotiate(accept) in {JSON, HTML, "text/html"}


@given(st.integers(1, 1000), st.integers(0, 1200), st.integers(0, 1200))
def test_a_range_is_what_slicing_says(size, first, last):
    header = f"bytes={first}-{last}"
    if last < first:
        assert _range(header, size) is None
    elif first >= size:
        with pytest.raises(RangeNotSatisfiable):
            _range(header, size)
    else:
        found = _range(header, size)
        assert found is not None
        offset, length = found
        assert range(offset, offset + length) == range(size)[first : last + 1]


@given(st.text(max_size=60), st.integers(0, 1000))
def test_any_range_lies_inside_or_is_passed_over_or_refused(header, size):
    for text in (header, f"bytes={header}"):
        try:
            found = _range(text, size)
        except RangeNotSatisfiable:
            continue
        assert found is None or (found[0] >= 0 and 0 < found[1] <= size - found[0])


@pytest.mark.parametrize(
    ("header", "matches"),
    [
        ('"a"', True),
        ('W/"a"', True),
        ('"b", "a"', True),
        ("*", True),
        ('"b"', False),
        ("", False),
        ("a", False),
    ],
)
def test_entity_tags_are_compared_weakly(header, matches):
    assert etag_matches(header, '"a"') is matches


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("1764000000000-3", "1764000000000-3"),
        (" 5 ", "5"),
        (f"{2**64 - 1}-0", f"{2**64 - 1}-0"),
        (f"{2**64}-0", "0"),
        ("", "0"),
        ("$", "0"),
        ("1-", "0"),
        ("\u0665", "0"),
    ],
)
def test_an_entrys_id_is_read_or_means_the_beginning(text, entry):
    assert entry_id(text) == entry
