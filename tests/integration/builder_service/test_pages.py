"""The pages over HTTP: compressed, tagged, kept, never old; and what is there when something is not."""

from __future__ import annotations

import gzip
import time
from dataclasses import replace

import httpx2
import pytest

from wheelyard.channels import Channel
from wheelyard.digests import Digest
from wheelyard.index_file import FileKind, IndexFile, Origin
from wheelyard.jobs.database import Database
from wheelyard.jobs.models import FileRow
from wheelyard.projects import Status
from wheelyard.simple_index import HTML, JSON

PAGE = "/simple/tiny-thing/"


@pytest.fixture
def door(front_door, publish):
    """A service with one project of several versions."""
    for version in ("1.0", "1.3"):
        publish(front_door.services, version=version)
    return front_door


def json_page(door, path=PAGE):
    answer = door.guest.get(path, headers={"accept": JSON})
    assert answer.status_code == 200, answer.text
    return answer.json()


def raw(door, method="GET", **headers):
    """Status, headers and the very bytes that came."""
    with httpx2.Client(base_url=door.url, trust_env=False) as client:
        request = client.build_request(method, PAGE)
        request.headers.pop("accept-encoding", None)
        request.headers.update(headers)
        with client.stream(method, request.url, headers=request.headers) as answer:
            return answer.status_code, answer.headers, b"".join(answer.iter_raw())


@pytest.mark.parametrize("form", [JSON, HTML, "text/html"])
@pytest.mark.parametrize("turn", ["long way", "short way"])
def test_a_page_comes_compressed_or_plain_with_a_tag_of_its_own(door, form, turn):
    if turn == "short way":
        raw(door, accept=form)
    status, plain, body = raw(door, accept=form, **{"accept-encoding": "identity"})
    assert (status, plain.get("content-encoding")) == (200, None)
    status, packed, compressed = raw(door, accept=form, **{"accept-encoding": "gzip"})
    assert (status, packed["content-encoding"], gzip.decompress(compressed)) == (200, "gzip", body)
    assert len(compressed) < len(body)
    for headers, content, encoding in ((plain, body, "identity"), (packed, compressed, "gzip")):
        assert int(headers["content-length"]) == len(content)
        assert headers["vary"] == "Accept, Accept-Encoding"
        assert headers["cache-control"] == "no-cache"
        asked = {"accept": form, "accept-encoding": encoding}
        head = raw(door, "HEAD", **asked)
        assert (head[0], head[2]) == (200, b"")
        for name in ("content-length", "content-type", "etag", "vary"):
            assert head[1][name] == headers[name]
        again = raw(door, **asked, **{"if-none-match": headers["etag"]})
        assert (again[0], again[2], again[1]["etag"]) == (304, b"", headers["etag"])
    assert plain["etag"] != packed["etag"]


def test_html_and_json_name_the_same_files(door):
    html = door.guest.get(PAGE, headers={"accept": HTML}).text
    for file in json_page(door)["files"]:
        assert f'href="{file["url"]}#sha256={file["hashes"]["sha256"]}"' in html


def test_a_page_shows_at_once_what_went_through_this_process(door):
    name = "tiny_thing-1.3-py3-none-any.whl"
    place = f"/v1/channels/default/files/{name}/yank"
    for reason in ("loses rows", ""):
        assert json_page(door)["files"][-1].get("yanked") is None
        assert door.http.put(place, json={"reason": reason}).status_code == 200
        assert json_page(door)["files"][-1]["yanked"] == (reason or True)
        assert f'data-yanked="{reason}"' in door.guest.get(PAGE).text
        assert door.http.delete(place).json()["yanked"] is None


def test_a_page_shows_within_a_second_what_another_process_wrote(door, until):
    other = Database(door.services.settings.effective_database_url)
    json_page(door)
    with other.transaction() as session:
        session.get(FileRow, ("default", "tiny_thing-1.0-py3-none-any.whl")).yanked = "old"
    written = time.monotonic()
    until(lambda: json_page(door)["files"][0].get("yanked") == "old", seconds=5, pause=0.02)
    # A machine that does something else meanwhile may answer late.
    assert time.monotonic() - written < 2
    other.close()


def test_a_channel_shows_the_files_of_its_base_behind_its_own(door, publish):
    door.services.channels.create(Channel(name="team", base="default"), "the-test")
    path = f"/channels/team{PAGE}"
    assert json_page(door, path)["files"] == json_page(door)["files"]
    publish(door.services, version="2.0", channel="team")
    assert json_page(door, path)["versions"] == ["1.0", "1.3", "2.0"]
    assert json_page(door)["versions"] == ["1.0", "1.3"]
    publish(door.services, "other-thing")
    assert [one["name"] for one in json_page(door, "/channels/team/simple/")["projects"]] == [
        "other-thing", "tiny-thing",
    ]  # fmt: skip
    door.http.patch("/v1/channels/team", json={"base": ""})
    assert json_page(door, path)["versions"] == ["2.0"]


def test_what_is_said_of_a_project_stands_on_its_pages(door):
    place = "/v1/projects/Tiny_Thing"
    assert door.guest.patch(place, json={"owned": True}).status_code == 401
    door.http.patch(place, json={"status": "archived", "reason": "done"})
    assert json_page(door)["project-status"] == {"status": "archived", "reason": "done"}
    assert 'name="pypi:project-status" content="archived"' in door.guest.get(PAGE).text


def test_nothing_of_a_quarantined_project_is_offered(door):
    file = json_page(door)["files"][0]
    door.guest.get(file["url"] + ".metadata")
    door.services.projects.set_status("tiny-thing", Status.QUARANTINED, "steals keys", "the-test")
    page = json_page(door)
    assert (page["files"], page["project-status"]["status"]) == ([], "quarantined")
    for address in (file["url"], file["url"] + ".metadata"):
        answer = door.guest.get(address)
        assert (answer.status_code, answer.json()["kind"], answer.json()["found"]) == (
            403, "quarantined", "steals keys",
        )  # fmt: skip
    door.services.projects.set_status("tiny-thing", Status.ACTIVE, "", "the-test")
    assert door.guest.get(file["url"] + ".metadata").status_code == 200


def show(door, filename, body, **fields):
    door.services.store.put_blob(body, Digest.of(body))
    file = IndexFile(
        channel="default", project="acme", version="1.0", filename=filename, digest=Digest.of(body),
        size=len(body), metadata_digest=None, origin=Origin.UPLOADED, published_at=1_764_000_000.0, **fields,
    )  # fmt: skip
    with door.services.catalogue.database.transaction() as session:
        door.services.catalogue.add(session, file)
    return file


def test_provenance_has_an_address_of_its_own(door):
    body = b'{"version": 1, "attestation_bundles": []}'
    door.services.store.put_blob(body, Digest.of(body))
    name = "acme-1.0-py3-none-any.whl"
    show(door, name, b"wheel", provenance=str(Digest.of(body)))
    (file,) = json_page(door, "/simple/acme/")["files"]
    site = door.services.settings.effective_public_url
    assert file["provenance"] == f"{site}/integrity/default/{name}/provenance"
    answer = door.guest.get(file["provenance"].removeprefix(site))
    assert (answer.status_code, answer.content) == (200, body)
    assert answer.headers["content-type"] == "application/vnd.pypi.integrity.v1+json"
    for path in ("default/tiny_thing-1.0-py3-none-any.whl", "default/a%00", "nightly/x"):
        assert door.guest.get(f"/integrity/{path}/provenance").status_code == 404


@pytest.mark.parametrize(
    ("filename", "media_type"),
    [
        ("acme-1.0.tar.gz", "application/gzip"),
        ("acme-1.0.tar", "application/x-tar"),
        ("acme-1.0.zip", "application/zip"),
    ],
)
def test_an_sdist_is_a_file_and_not_an_encoding_of_one(door, filename, media_type):
    file = show(door, filename, filename.encode(), kind=FileKind.SDIST)
    (shown,) = json_page(door, "/simple/acme/")["files"]
    assert "core-metadata" not in shown
    answer = door.guest.get(shown["url"])
    assert (answer.content, answer.headers["content-type"]) == (filename.encode(), media_type)
    assert "content-encoding" not in answer.headers
    assert door.guest.get(f"/files/{file.digest.hex}/{filename}.metadata").status_code == 404


def test_that_a_file_was_taken_is_noted_after_the_answer(door, until):
    file = json_page(door)["files"][0]

    def used_at():
        with door.services.catalogue.database.reading() as session:
            return session.get(FileRow, ("default", file["filename"])).used_at

    door.guest.head(file["url"])
    door.guest.get(file["url"] + ".metadata")
    assert used_at() == 0
    door.guest.get(file["url"])
    until(lambda: used_at() == pytest.approx(time.time(), abs=60))


def test_an_absent_project_is_remembered_only_briefly(door):
    answer = door.guest.get("/simple/nothing/", headers={"accept": JSON})
    assert (answer.status_code, answer.json()["kind"]) == (404, "not-found")
    assert answer.headers["cache-control"] == "max-age=5"
    assert "wheelyard build nothing" in answer.json()["do"]


@pytest.mark.parametrize("path", ["/channels/nightly/simple/", f"/channels/nightly{PAGE}"])
def test_a_channel_that_does_not_exist_is_said_with_what_makes_it(door, path):
    answer = door.guest.get(path, headers={"accept": JSON})
    assert (answer.status_code, answer.json()["kind"]) == (404, "not-found")
    assert "wheelyard channel create nightly" in answer.json()["do"]


def test_a_build_for_a_channel_that_does_not_exist_is_refused(door):
    for place in ("/v1/builds", "/v1/images"):
        answer = door.http.post(place, json={"requirements": ["tiny-thing"], "channel": "nightly"})
        assert (answer.status_code, answer.json()["kind"]) == (404, "not-found")
        assert "wheelyard channel create nightly" in answer.json()["do"]
    assert door.guest.get("/v1/jobs").json()["jobs"] == []


@pytest.mark.parametrize(
    ("name", "statuses"),
    [
        ("..%2fetc", {404}),
        ("%2e%2e%2f%2e%2e%2fetc", {404}),
        ("tiny-thing%00", {404}),
        ("x" * 10_000, {404, 414, 422}),
        ("-x", {404}),
        ("%F0%9F%90%8D", {404}),
        ("tiny%20thing", {404}),
    ],
)
def test_a_name_that_can_be_no_projects_is_refused(door, name, statuses):
    for path in (f"/simple/{name}/", f"/simple/{name}", f"/channels/default/simple/{name}/"):
        answer = door.guest.get(path)
        assert answer.status_code in statuses
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("name", ["..%2fx", "a%00", "x" * 10_000, "%F0%9F%90%8D"])
def test_a_name_that_can_be_no_channels_is_refused(door, name):
    for path in (f"/channels/{name}/simple/", f"/channels/{name}{PAGE}", f"/v1/channels/{name}"):
        assert door.guest.get(path).status_code in (404, 422)


def test_a_name_that_needs_normalising_leads_to_the_page(door):
    answer = door.guest.get("/simple/TINY___Thing/")
    assert (answer.status_code, answer.headers["location"]) == (301, PAGE)


def test_while_the_database_is_out_no_page_reads_as_empty(door, monkeypatch):
    json_page(door)
    away = Database("postgresql+psycopg://nobody@127.0.0.1:9/nothing")
    for name in ("engine", "_readers", "_writers", "_turn"):
        monkeypatch.setattr(door.services.catalogue.database, name, getattr(away, name))
    monkeypatch.setattr(door.services.catalogue.database, "_writes", 99)
    for path in (PAGE, "/simple/", "/simple/nothing/", f"/files/{'0' * 64}/x-1-py3-none-any.whl"):
        answer = door.guest.get(path, headers={"accept": JSON})
        assert (answer.status_code, answer.json()["kind"]) == (503, "infrastructure")
        assert answer.headers["retry-after"]
    away.close()


def test_while_the_store_is_out_its_files_are_said_to_be_out(settings_with, redis_url, serve, door):
    record = json_page(door)["files"][0]
    settings = settings_with(redis_url=redis_url, s3_endpoint="http://127.0.0.1:9")
    settings = settings.model_copy(update={"database_url": door.services.settings.database_url})
    other = serve(settings)
    assert json_page(other)["files"][0] == record
    for address in (record["url"] + ".metadata", record["url"]):
        answer = other.guest.get(address)
        assert (answer.status_code, answer.json()["kind"]) == (503, "store-unavailable")


def test_a_change_that_can_not_be_kept_in_the_store_is_not_made(door, monkeypatch):
    from wheelyard.errors import StoreUnavailable

    def out(*_arguments):
        raise StoreUnavailable("the store does not answer")

    monkeypatch.setattr(door.services.store, "put_document", out)
    place = "/v1/channels/default/files/tiny_thing-1.3-py3-none-any.whl/yank"
    assert door.http.put(place).status_code == 503
    assert door.http.put("/v1/channels/team").status_code == 503
    assert door.http.patch("/v1/projects/tiny-thing", json={"owned": True}).status_code == 503
    monkeypatch.undo()
    assert "yanked" not in json_page(door)["files"][-1]
    assert [one["name"] for one in door.guest.get("/v1/channels").json()["channels"]] == ["default"]
    assert not door.guest.get("/v1/projects/tiny-thing").json()["owned"]


def test_a_link_to_the_store_is_the_same_for_half_of_its_life(settings_with, redis_url, serve, publish):
    door = serve(settings_with(redis_url=redis_url, serve_files="redirect"))
    record = publish(door.services)
    path = f"/files/{record.digest.hex}/{record.filename}"
    first, second = door.guest.get(path), door.guest.get(path)
    assert (first.status_code, first.headers["location"]) == (302, second.headers["location"])
    assert first.headers["cache-control"] == "private, max-age=43200"
    assert "immutable" in httpx2.get(first.headers["location"], trust_env=False).headers["cache-control"]


def test_settings_of_a_channel_are_checked(door):
    for body in (
        {"upstream": "some"}, {"min_age": -1}, {"base": "../x"}, {"projects": ["-"]}, {"color": "red"},
    ):  # fmt: skip
        assert door.http.put("/v1/channels/team", json=body).status_code == 422
    assert door.guest.put("/v1/channels/team").status_code == 401
    made = door.http.put("/v1/channels/team", json={"base": "default"})
    assert (made.status_code, door.http.put("/v1/channels/team", json={"base": "default"}).status_code) == (
        201, 200,
    )  # fmt: skip
    channel = door.services.channels.get("team")
    assert channel == replace(Channel(name="team", base="default"), made_at=channel.made_at)
    assert door.http.delete("/v1/channels/team").status_code == 204


def test_metadata_that_is_kept_is_as_it_was_the_first_time(door):
    address = json_page(door)["files"][0]["url"] + ".metadata"
    first, second = door.guest.get(address), door.guest.get(address)
    for name in ("etag", "content-length", "content-type", "cache-control", "vary"):
        assert first.headers[name] == second.headers[name]
    assert (first.content, "immutable" in first.headers["cache-control"]) == (second.content, True)
    again = door.guest.get(address, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_page_that_is_kept_is_still_for_those_who_may_read(settings_with, redis_url, serve, publish):
    door = serve(settings_with(redis_url=redis_url, public_reads=False))
    publish(door.services)
    for _ in range(2):
        answer = door.http.get(PAGE, headers={"accept": JSON})
        assert answer.status_code == 200
        address = answer.json()["files"][0]["url"] + ".metadata"
        assert door.http.get(address).status_code == 200
        assert [door.guest.get(path).status_code for path in (PAGE, "/simple/", address)] == [401, 401, 401]
