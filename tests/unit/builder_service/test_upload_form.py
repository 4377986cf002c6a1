"""The form of an upload, in pieces of any size and in bounded memory."""

from __future__ import annotations

import asyncio
import itertools
import os
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder_service.body_limit import TooLarge
from builder_service.upload_form import UploadForm
from wheelyard.digests import Digest
from wheelyard.errors import InputError

NAME = "demo-1.0-py3-none-any.whl"
KIND = "multipart/form-data; boundary=edge"


def part(name, value, filename=""):
    extra = f'; filename="{filename}"' if filename else ""
    head = f'--edge\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'
    return head.encode() + value + b"\r\n"


def form(*parts):
    return b"".join(parts) + b"--edge--\r\n"


def receive(folder, pieces, limit=1 << 20, kind=KIND):
    async def stream():
        for piece in pieces:
            yield piece

    return asyncio.run(UploadForm(kind, folder, limit).receive(stream()))


GOOD = form(
    part(":action", b"file_upload"),
    part("description", "é\r\n--edg".encode()),
    part("content", b"\r\n--edg\r\nbytes\r\n-", NAME),
    part("name", b"demo"),
)


@given(st.lists(st.integers(1, len(GOOD) - 1), max_size=8))
def test_a_form_is_the_same_however_it_is_cut(tmp_path_factory, cuts):
    places = [0, *sorted(set(cuts)), len(GOOD)]
    pieces = [GOOD[start:end] for start, end in itertools.pairwise(places)]
    received = receive(tmp_path_factory.mktemp("form"), pieces)
    assert received.fields == {":action": "file_upload", "name": "demo"}
    content = received.path.read_bytes()
    assert (received.path.name, content) == (NAME, b"\r\n--edg\r\nbytes\r\n-")
    assert (received.digest, received.size) == (Digest.of(content), len(content))


@given(st.binary(max_size=300), st.integers(0, len(GOOD)))
def test_a_broken_form_is_refused_or_read_and_never_crashes(tmp_path_factory, noise, at):
    try:
        receive(tmp_path_factory.mktemp("form"), [GOOD[:at] + noise + GOOD[at:]])
    except InputError as error:
        assert error.status in (413, 422)  # noqa: PT017 - what is not refused is fine as well


def test_a_large_file_passes_in_bounded_memory(tmp_path):
    piece = os.urandom(1 << 16)

    def pieces():
        yield part("content", b"", NAME)[:-2]
        for _ in range(400):
            yield piece
        yield b"\r\n--edge--\r\n"

    tracemalloc.start()
    received = receive(tmp_path, pieces(), limit=1 << 30)
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()
    assert received.size == 400 << 16


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (GOOD[:-10], "not whole"),
        (form(part("name", b"demo")), "not whole"),
        (form(part("content", b"1", NAME), part("content", b"2", NAME)), "two files"),
        (form(part("name", b"1"), part("name", b"2")), "twice"),
        (form(part("content", b"1", "a/b.whl")), "can't be that"),
        (form(part("content", b"1", "..")), "can't be that"),
        (form(part("content", b"1")), "can't be that"),
        (b"no form at all", "can't be read"),
    ],
)
def test_refuses_forms_that_are_not_an_upload(tmp_path, body, words):
    with pytest.raises(InputError, match=words):
        receive(tmp_path, [body])
    assert [path.name for path in tmp_path.iterdir()] in ([], ["content"])


def test_refuses_a_file_over_the_limit_while_it_comes(tmp_path):
    taken = 0

    def pieces():
        nonlocal taken
        yield part("content", b"", NAME)[:-2]
        for taken in range(100):  # noqa: B007 - how far it went is asserted
            yield b"x" * 1000

    with pytest.raises(TooLarge, match="the file is larger"):
        receive(tmp_path, pieces(), limit=10_000)
    assert taken < 12
