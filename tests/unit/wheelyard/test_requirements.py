"""Requirements: one spelling for equal requests, and nothing but names from an index."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelyard.errors import InputError
from wheelyard.requirements import normalise_requirements

NAMES = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,10}[A-Za-z0-9])?", fullmatch=True)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (["NumPy"], ("numpy",)),
        (["Opencv_Python.Headless >= 4"], ("opencv-python-headless>=4",)),
        (["numpy <3,>=2"], ("numpy<3,>=2",)),
        (["b", "a", "b", " a "], ("a", "b")),
        (["# a comment", "", "six # why"], ("six",)),
        (["celery[redis,msgpack]"], ("celery[msgpack,redis]",)),
        (["numpy; python_version >= '3.11'"], ('numpy; python_version >= "3.11"',)),
    ],
)
def test_requirements_are_read_in_one_spelling(written, read):
    assert normalise_requirements(written) == read


@given(st.lists(NAMES, min_size=1))
def test_order_and_repetition_make_no_difference(names):
    read = normalise_requirements(names)
    assert normalise_requirements([*reversed(names), *names]) == read
    assert normalise_requirements(read) == read


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("-e .", "a pip option"),
        ("--index-url https://example.org", "a pip option"),
        ("-r other.txt", "a pip option"),
        ("./here", "a path or an address"),
        ("/tmp/x.whl", "a path or an address"),
        ("~/x", "a path or an address"),
        ("C:\\x", "a path or an address"),
        ("https://example.org/x.whl", "a path or an address"),
        ("git+ssh://example.org/x", "a path or an address"),
        ("x @ https://example.org/x.whl", "names an address"),
        ("x @ file:///etc/passwd", "names an address"),
        ("numpy==1.0 --hash=sha256:abc", "can't be read"),
        ("numpy\n--index-url=https://example.org", "a path or an address"),
        ("numpy\n--pre", "can't be read"),
        ("num\x00py", "can't be read"),
        ("numpy =", "can't be read"),
        ("two words", "can't be read"),
    ],
)
def test_anything_but_a_name_from_an_index_is_refused(text, words):
    with pytest.raises(InputError, match=words):
        normalise_requirements([text])


@given(st.text())
def test_whatever_is_written_is_read_or_refused(text):
    try:
        read = normalise_requirements([text])
    except InputError:
        return
    assert all("\n" not in requirement and "://" not in requirement for requirement in read)


def test_asking_for_nothing_is_refused():
    with pytest.raises(InputError, match="no requirement was given"):
        normalise_requirements(["", "# nothing"])
