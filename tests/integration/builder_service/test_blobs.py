"""Uploads, and what the store holds, over HTTP."""

from __future__ import annotations

import os
import threading
import time

import pytest

from wheelyard.digests import Digest


def test_what_was_uploaded_comes_back(front_door):
    body = os.urandom(3 << 20)
    digest = Digest.of(body)
    answer = front_door.http.put(f"/v1/blobs/{digest}", content=body)
    assert (answer.status_code, answer.json()) == (201, {"digest": str(digest), "size": len(body)})
    assert front_door.http.put(f"/v1/blobs/{digest}", content=body).status_code == 201
    assert front_door.guest.get(f"/v1/blobs/{digest}").content == body
    head = front_door.guest.head(f"/v1/blobs/{digest}")
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(body)), b"")
    part = front_door.guest.get(f"/v1/blobs/{digest}", headers={"range": "bytes=1000000-1999999"})
    assert (part.status_code, part.content) == (206, body[1_000_000:2_000_000])


def test_an_empty_blob_is_one(front_door):
    digest = Digest.of(b"")
    assert front_door.http.put(f"/v1/blobs/{digest}", content=b"").status_code == 201
    answer = front_door.guest.get(f"/v1/blobs/{digest}")
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "0")


def test_bytes_that_are_not_their_digests_are_refused_and_not_kept(front_door):
    digest = Digest.of(b"one thing")
    answer = front_door.http.put(f"/v1/blobs/{digest}", content=b"another thing")
    problem = answer.json()
    assert (answer.status_code, problem["kind"], problem["expected"]) == (422, "refused", str(digest))
    assert problem["found"] == str(Digest.of(b"another thing"))
    assert front_door.guest.head(f"/v1/blobs/{digest}").status_code == 404


@pytest.mark.parametrize("announced", [True, False])
def test_an_upload_that_is_too_large_is_refused(front_door, announced):
    body = b"x" * (5 << 20)
    content = body if announced else (body[start : start + 65536] for start in range(0, len(body), 65536))
    answer = front_door.http.put(f"/v1/blobs/{Digest.of(body)}", content=content)
    assert (answer.status_code, answer.json()["kind"]) == (413, "too-large")
    assert "WHEELYARD_MAX_UPLOAD_BYTES" in answer.json()["do"]


@pytest.mark.parametrize(
    "name",
    [
        "sha256:abc",
        "sha512:" + "0" * 64,
        "0" * 64,
        "sha256:" + "A" * 64,
        "..%2f..%2fetc",
        "sha256:" + "0" * 65,
    ],
)
def test_a_name_that_is_no_digest_is_refused(front_door, name):
    for method in ("GET", "PUT"):
        answer = front_door.http.request(
            method, f"/v1/blobs/{name}", content=b"x" if method == "PUT" else None
        )
        assert (answer.status_code, answer.headers["content-type"]) in (
            (422, "application/problem+json"),
            (404, "application/problem+json"),
        )


def test_a_blob_that_is_not_there_is_not_found(front_door):
    answer = front_door.guest.get(f"/v1/blobs/{Digest.of(b'nowhere')}")
    assert (answer.status_code, answer.json()["kind"]) == (404, "not-found")


def test_an_upload_that_breaks_off_leaves_nothing(front_door):
    body = os.urandom(1 << 20)
    digest = Digest.of(body)

    def half():
        yield body[: 1 << 19]
        raise ConnectionResetError("the client went away")

    with pytest.raises(ConnectionResetError):
        front_door.http.put(f"/v1/blobs/{digest}", content=half())
    assert front_door.guest.head(f"/v1/blobs/{digest}").status_code == 404
    assert front_door.guest.get("/healthz").status_code == 200


def test_listeners_that_leave_in_the_middle_of_a_download_leave_nothing_behind(front_door, until):
    body = os.urandom(4 << 20)
    digest = Digest.of(body)
    front_door.services.store.put_blob(body, digest)
    for _ in range(30):
        with front_door.guest.stream("GET", f"/v1/blobs/{digest}") as answer:
            next(answer.iter_raw(1024))
    begun = time.monotonic()
    assert front_door.guest.get(f"/v1/blobs/{digest}").content == body
    assert time.monotonic() - begun < 30
    until(lambda: threading.active_count() < 150)
