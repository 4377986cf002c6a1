"""Uploads over HTTP: what is taken, what is refused and how that reads; half an upload leaves nothing."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from tests.distributions import attestation, metadata_of, sdist, wheel
from wheelyard.access_token import Scope
from wheelyard.channels import Channel
from wheelyard.digests import Digest
from wheelyard.index_file import FILES, Origin
from wheelyard.projects import Status

NAME = "demo-1.0-py3-none-any.whl"
FIELDS = {":action": "file_upload", "protocol_version": "1"}


def send(door, content, filename=NAME, place="/legacy/", client=None, accept="*/*", **fields):
    return (client or door.http).post(
        place,
        data={**FIELDS, **fields},
        files={"content": (filename, content, "application/octet-stream")},
        headers={"accept": accept},
    )


def shown(door, project="demo", channel="default"):
    return door.services.catalogue.files(channel, project)


def test_an_uploaded_wheel_is_shown_with_its_metadata_and_an_sdist_beside_it(front_door):
    content = wheel(metadata=metadata_of("Demo", "1.0", "Requires-Python: >=3.8\n"))
    answer = send(
        front_door, content, name="demo", version="1.0", filetype="bdist_wheel", pyversion="py3",
        sha256_digest=hashlib.sha256(content).hexdigest(),
        md5_digest=hashlib.md5(content, usedforsecurity=False).hexdigest(),
        blake2_256_digest=hashlib.blake2b(content, digest_size=32).hexdigest(),
    )  # fmt: skip
    assert (answer.status_code, answer.json()["added"]) == (200, True), answer.text
    (file,) = shown(front_door)
    assert (file.project, file.version, file.filename) == ("demo", "1.0", NAME)
    assert (file.origin, file.size, file.requires_python) == (Origin.UPLOADED, len(content), ">=3.8")
    assert file.uploader == "service"
    assert front_door.guest.get(answer.json()["url"]).content == content
    metadata = front_door.guest.get(answer.json()["url"] + ".metadata").content
    assert metadata == metadata_of("Demo", "1.0", "Requires-Python: >=3.8\n")
    page = front_door.guest.get("/simple/demo/", headers={"accept": "application/vnd.pypi.simple.v1+json"})
    assert page.json()["files"][0]["core-metadata"]["sha256"] == Digest.of(metadata).hex
    assert send(front_door, sdist(), "demo-1.0.tar.gz", filetype="sdist").status_code == 200
    (_, file) = sorted(shown(front_door), key=lambda one: one.filename)
    assert (file.kind, file.metadata_digest, file.filename) == ("sdist", None, "demo-1.0.tar.gz")


def test_a_name_keeps_its_bytes_and_has_one_spelling(front_door):
    content, other = wheel(), wheel(members={"demo/more.py": b"1"})
    first, second = send(front_door, content), send(front_door, content)
    assert [answer.json()["added"] for answer in (first, second)] == [True, False]
    assert second.status_code == 200
    answer = send(front_door, other)
    assert answer.status_code == 409
    assert "has another demo-1.0-py3-none-any.whl already" in answer.text
    assert "build number (PEP 427)" in answer.text
    answer = send(front_door, other, "Demo-1.0-py3-none-any.whl")
    assert (answer.status_code, "another spelling" in answer.text) == (409, True)
    assert [file.digest for file in shown(front_door)] == [Digest.of(content)]


REFUSALS = [
        (NAME, wheel(), {"sha256_digest": "0" * 64}, "another digest than the form's sha256_digest"),
        (NAME, wheel(), {"md5_digest": "0" * 32}, "another digest than the form's md5_digest"),
        (NAME, wheel(), {"name": "other"}, "the form names another project or version"),
        (NAME, wheel(), {"version": "2.0"}, "the form names another project or version"),
        (NAME, wheel(), {"filetype": "sdist"}, "another kind"),
        (NAME, wheel(metadata=metadata_of("other", "1.0")), {}, "METADATA names another project"),
        (NAME, wheel(metadata=metadata_of("demo", "1.0", "Requires-Python: three\n")), {}, "PEP 345"),
        (NAME, wheel(metadata=metadata_of("demo", "1.0", "Requires-Dist: a b\n")), {}, "PEP 508"),
        (NAME, wheel(record=b"demo/__init__.py,sha256=AAAA,1\n"), {}, "RECORD lies"),
        (NAME, wheel() + b"more", {}, "bytes after its end"),
        (NAME, b"#!/bin/sh\n" + wheel(), {}, "bytes before its first member"),
        ("demo-1.0.tar.gz", sdist(metadata=metadata_of("demo", "2.0")), {}, "PKG-INFO names another"),
        ("Demo-1.0.tar.gz", sdist(), {}, "PEP 625"),
        ("demo-1.0.exe", b"MZ", {}, "neither a wheel nor an sdist"),
        ("../demo-1.0-py3-none-any.whl", wheel(), {}, "can't be that of a wheel"),
        ("d\0emo-1.0-py3-none-any.whl", wheel(), {}, "can't be"),
        ("x" * 10_000 + ".whl", wheel(), {}, "can't be"),
        ("demo-1.0.whl", wheel(), {}, "PEP 427"),
        (NAME, wheel(), {":action": "submit"}, "file_upload"),
        (NAME, wheel(), {"protocol_version": "2"}, "protocol_version"),
    ]  # fmt: skip


def test_a_refusal_says_why_and_keeps_nothing(front_door):
    for filename, content, fields, words in REFUSALS:
        answer = send(front_door, content, filename, **fields)
        assert answer.status_code == 422
        assert answer.headers["content-type"].startswith("text/plain")
        assert words in answer.text
        problem = send(front_door, content, filename, accept="application/json", **fields)
        assert (problem.headers["content-type"], problem.status_code) == ("application/problem+json", 422)
    assert shown(front_door) == []
    assert list(front_door.services.store.list_documents(FILES)) == []


def test_uploads_need_the_token(front_door):
    answer = send(front_door, wheel(), client=front_door.guest)
    assert (answer.status_code, "WWW-Authenticate" in answer.headers) == (401, True)
    assert "__token__" in answer.text


def test_a_token_uploads_where_it_may_and_stands_beside_the_file(front_door):
    front_door.services.channels.create(Channel(name="nightly"), "ada")
    _, secret = front_door.services.tokens.create("release", [Scope.PUBLISH], ["nightly"])
    with httpx2.Client(base_url=front_door.url, auth=("__token__", secret), trust_env=False) as http:
        answer = send(front_door, wheel(), client=http)
        assert (answer.status_code, "not for the channel default" in answer.text) == (403, True)
        assert send(front_door, wheel(), place="/channels/nightly/legacy/", client=http).status_code == 200
    assert [file.uploader for file in shown(front_door, channel="nightly")] == ["release"]
    assert shown(front_door) == []
    _, reader = front_door.services.tokens.create("reader", [Scope.READ], [])
    with httpx2.Client(base_url=front_door.url, auth=("__token__", reader), trust_env=False) as http:
        answer = send(front_door, wheel(), client=http)
        assert (answer.status_code, "does not have the scope publish" in answer.text) == (403, True)


def test_a_channel_that_does_not_exist_is_not_made(front_door):
    for channel in ("nowhere", "..%2f..", "UPPER", "x" * 100):
        answer = send(front_door, wheel(), place=f"/channels/{channel}/legacy/")
        assert answer.status_code in (404, 405, 422)
    assert [channel.name for channel in front_door.services.channels.list()] == ["default"]


def test_a_project_that_is_archived_takes_no_files(front_door):
    front_door.services.projects.set_status("demo", Status.ARCHIVED, "it moved", "ada")
    answer = send(front_door, wheel())
    assert (answer.status_code, "PEP 792" in answer.text, "it moved" in answer.text) == (409, True, True)


def test_a_file_over_the_limit_is_refused_whether_its_length_is_announced_or_not(front_door):
    body = os.urandom(1 << 20) * 14

    def pieces():
        yield b'--x\r\nContent-Disposition: form-data; name="content"; filename="%s"\r\n\r\n' % NAME.encode()
        for start in range(0, len(body), 65536):
            yield body[start : start + 65536]

    kind = {"content-type": "multipart/form-data; boundary=x"}
    for answer in (
        send(front_door, body),
        front_door.http.post("/legacy/", content=pieces(), headers=kind),
    ):
        assert (answer.status_code, "WHEELYARD_MAX_UPLOAD_BYTES" in answer.text) == (413, True)


def test_fields_are_bounded(front_door):
    for fields, words in (
        ({f"field-{number}": "x" for number in range(5_001)}, "too many fields"),
        ({"description": "x" * (9 << 20)}, "fields are larger"),
        ({"attestations": "x" * (2 << 20)}, "'attestations' is too large"),
    ):
        answer = send(front_door, wheel(), **fields)
        assert (answer.status_code in (413, 422), words in answer.text) == (True, True)


def test_a_body_that_is_no_form_is_refused(front_door):
    for kind in ("application/json", "multipart/form-data", "multipart/form-data; boundary=" + "x" * 500):
        answer = front_door.http.post("/legacy/", content=b"{}", headers={"content-type": kind})
        assert answer.status_code == 422, answer.text
    kind = {"content-type": "multipart/form-data; boundary=x"}
    for body in (
        b"",
        b"--x\r\n",
        b"--x--\r\n",
        b"\0" * 1000,
        b"--x\r\nContent-Disposition: form-data\r\n\r\na",
    ):
        assert front_door.http.post("/legacy/", content=body, headers=kind).status_code == 422


def test_an_upload_that_breaks_off_leaves_nothing(front_door, until, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    body = b'--x\r\nContent-Disposition: form-data; name="content"; filename="%s"\r\n\r\n' % NAME.encode()
    head = (
        f"POST /legacy/ HTTP/1.1\r\nHost: x\r\nAuthorization: {front_door.http.headers['authorization']}\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 3000000\r\n\r\n"
    )
    host, port = front_door.url.removeprefix("http://").split(":")

    def left():
        return list(tmp_path.glob("wheelyard-upload-*"))

    with socket.create_connection((host, int(port))) as client:
        client.sendall(head.encode() + body + wheel() + b"\0" * 100_000)
        until(left)
    until(lambda: not left())
    assert shown(front_door) == []
    assert list(front_door.services.store.list_documents(FILES)) == []
    assert send(front_door, wheel()).status_code == 200


def test_of_two_uploads_of_one_name_at_the_same_time_one_wins(front_door):
    contents = [wheel(members={"demo/number.py": b"%d" % (number % 4)}) for number in range(16)]
    gate = threading.Barrier(16)

    def one(content):
        gate.wait()
        return send(front_door, content)

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(one, contents))
    (file,) = shown(front_door)
    for content, answer in zip(contents, answers, strict=True):
        won = Digest.of(content) == file.digest
        assert answer.status_code == (200 if won else 409), answer.text
    assert sum(answer.status_code == 200 and answer.json()["added"] for answer in answers) == 1


def test_attestations_become_the_files_provenance(front_door):
    content = wheel()
    given = [attestation(NAME, Digest.of(content))]
    assert send(front_door, content, attestations=json.dumps(given)).status_code == 200
    kind = {"accept": "application/vnd.pypi.simple.v1+json"}
    (file,) = front_door.guest.get("/simple/demo/", headers=kind).json()["files"]
    provenance = front_door.guest.get(urlsplit(file["provenance"]).path).json()
    assert provenance["version"] == 1
    (bundle,) = provenance["attestation_bundles"]
    assert (bundle["attestations"], bundle["publisher"]["kind"]) == (given, "Wheelyard")


def test_attestations_of_something_else_are_refused(front_door):
    for text in (
        "{", "[]", "{}", "[1]", "[" * 100_000, json.dumps([{"version": 1}]),
        json.dumps([attestation("other-1.0-py3-none-any.whl", Digest.of(wheel()))]),
        json.dumps([attestation(NAME, Digest.of(b"other"))]),
        json.dumps([attestation(NAME, Digest.of(wheel()), subject=[])]),
        json.dumps([attestation(NAME, Digest.of(wheel()), _type="other")]),
    ):  # fmt: skip
        answer = send(front_door, wheel(), attestations=text)
        assert (answer.status_code, "PEP 740" in answer.text) == (422, True), answer.text
    assert shown(front_door) == []


def test_the_address_explains_itself(front_door):
    text = front_door.guest.get("/legacy/").text
    assert "twine upload" in text
    assert f"{front_door.services.settings.effective_public_url}/legacy/" in text
    assert "/channels/nightly/legacy/" in front_door.guest.get("/channels/nightly/legacy/").text


def test_what_a_failing_disk_says(front_door, monkeypatch):
    monkeypatch.setattr(Path, "rename", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
    answer = send(front_door, wheel())
    assert (answer.status_code, "make room" in answer.text) == (503, True)
