"""Digests and the canonical JSON that keys are made of."""

import hashlib
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelyard.digests import Digest, DigestingWriter, canonical_json, key_of
from wheelyard.errors import InputError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=20,
)


@given(st.binary())
def test_a_digest_is_the_sha256_of_the_bytes_and_reads_back(content):
    digest = Digest.of(content)
    assert digest.hex == hashlib.sha256(content).hexdigest()
    assert Digest.parse(str(digest)) == Digest.parse(digest.hex) == digest


def test_a_files_digest_is_that_of_its_bytes(tmp_path):
    path = tmp_path / "blob"
    path.write_bytes(b"x" * 3_000_000)
    assert Digest.of_file(path) == Digest.of(b"x" * 3_000_000)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256:",
        "sha256:" + "0" * 63,
        "0" * 65,
        "G" * 64,
        "A" * 64,
        "sha512:" + "0" * 64,
        "0" * 64 + "\n",
    ],
)
def test_what_is_no_digest_is_refused(text):
    with pytest.raises(InputError, match="could not be read"):
        Digest.parse(text)


@given(st.lists(st.binary()))
def test_a_digesting_writer_passes_hashes_and_counts(chunks):
    target = io.BytesIO()
    writer = DigestingWriter(target)
    assert [writer.write(chunk) for chunk in chunks] == [len(chunk) for chunk in chunks]
    writer.flush()
    whole = b"".join(chunks)
    assert (target.getvalue(), writer.size, writer.digest) == (whole, len(whole), Digest.of(whole))


@given(JSON)
def test_canonical_json_is_the_document_in_one_spelling(document):
    body = canonical_json(document)
    assert json.loads(body) == document
    assert canonical_json(json.loads(body)) == body


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), st.integers()))
def test_the_order_of_fields_changes_no_key(document):
    assert key_of(document) == key_of(dict(reversed(document.items())))


def test_any_other_document_has_another_key():
    documents = [{}, {"a": 1}, {"a": "1"}, {"a": None}, {"a": [1]}, {"b": 1}, {"a": 1, "b": 1}, [], [{}]]
    assert len({key_of(document) for document in documents}) == len(documents)


def test_a_number_that_json_does_not_know_is_refused():
    with pytest.raises(ValueError, match="Out of range"):
        canonical_json({"a": float("nan")})
