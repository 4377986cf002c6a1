"""The registry's reads, one by one as the conformance tests of the distribution specification have them."""

from __future__ import annotations

import httpx2
import pytest

from tests.integration.builder_service.registry_images import make_layer, make_record, push_image
from wheelyard.digests import Digest
from wheelyard.image_referrers import attach
from wheelyard.oci import MEDIA_INDEX, MEDIA_MANIFEST

ABSENT = str(Digest.of(b"nobody has this"))


def code_of(answer) -> str:
    """The one code of an answer in the specification's form."""
    (fault,) = answer.json()["errors"]
    assert set(fault) == {"code", "message", "detail"}
    assert fault["message"]
    return fault["code"]


@pytest.fixture(scope="module")
def made(registry_door):
    return make_record(registry_door.services, tags=["team/app:1.0", "team/app:latest"])


def test_the_ping_says_that_the_registry_speaks_the_api(registry_door):
    answer = registry_door.http.get("/v2/")
    assert (answer.status_code, answer.json()) == (200, {})
    assert answer.headers["docker-distribution-api-version"] == "registry/2.0"


def test_a_manifest_is_pulled_by_its_tag_and_by_its_digest(registry_door, made):
    for reference in ("1.0", "latest", str(made.manifest_digest)):
        address = f"/v2/team/app/manifests/{reference}"
        answer = registry_door.guest.get(address, headers={"accept": MEDIA_MANIFEST})
        assert answer.status_code == 200
        assert answer.headers["content-type"] == MEDIA_MANIFEST
        assert answer.headers["docker-content-digest"] == str(Digest.of(answer.content))
        assert str(Digest.of(answer.content)) == str(made.manifest_digest)
        head = registry_door.guest.head(address, headers={"accept": MEDIA_MANIFEST})
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(len(answer.content))
        assert head.headers["docker-content-digest"] == answer.headers["docker-content-digest"]


def test_every_image_that_was_made_is_pulled_by_its_digest_without_a_tag(registry_door):
    record = make_record(registry_door.services, b"untagged")
    answer = registry_door.guest.get(f"/v2/images/manifests/{record.manifest_digest}")
    assert answer.status_code == 200
    assert registry_door.guest.get(f"/v2/images/blobs/{record.layers[0].digest}").status_code == 200


def test_a_manifest_that_nobody_pushed_is_unknown(registry_door, made):
    for reference in (ABSENT, "no-such-tag"):
        answer = registry_door.guest.get(f"/v2/team/app/manifests/{reference}")
        assert (answer.status_code, code_of(answer)) == (404, "MANIFEST_UNKNOWN")
        assert registry_door.guest.head(f"/v2/team/app/manifests/{reference}").status_code == 404


def test_what_is_no_digest_and_no_tag_is_refused(registry_door, made):
    answer = registry_door.guest.get("/v2/team/app/manifests/sha256:baddigeststring")
    assert (answer.status_code, code_of(answer)) == (400, "DIGEST_INVALID")
    answer = registry_door.guest.get("/v2/team/app/manifests/.hidden")
    assert answer.status_code == 400
    answer = registry_door.guest.get(f"/v2/team/app/blobs/sha512:{'0' * 128}")
    assert (answer.status_code, code_of(answer)) == (400, "DIGEST_INVALID")


def test_a_repository_that_is_not_there_is_unknown(registry_door):
    for place in ("manifests/latest", f"blobs/{ABSENT}", "tags/list"):
        answer = registry_door.guest.get(f"/v2/no/such/{place}")
        assert (answer.status_code, code_of(answer)) == (404, "NAME_UNKNOWN")


@pytest.mark.parametrize(
    "name", ["Team/app", "team//app", "-team", "team/../app", "team%2f..%2fapp", "t" * 300, "team%00", "té"]
)
def test_a_name_that_no_repository_can_have_is_refused(registry_door, name):
    answer = registry_door.guest.get(f"/v2/{name}/tags/list")
    assert answer.status_code in (400, 404), answer.text
    assert code_of(answer) in {"NAME_INVALID", "NAME_UNKNOWN", "UNSUPPORTED"}
    assert "Traceback" not in answer.text


def test_a_manifest_of_a_type_that_the_client_does_not_take_is_not_given(registry_door, made):
    docker_only = "application/vnd.docker.distribution.manifest.v2+json"
    answer = registry_door.guest.get("/v2/team/app/manifests/1.0", headers={"accept": docker_only})
    assert (answer.status_code, code_of(answer)) == (404, "MANIFEST_UNKNOWN")
    assert MEDIA_MANIFEST in answer.json()["errors"][0]["message"]
    for accept in ("*/*", "application/*", f"{docker_only}, {MEDIA_MANIFEST};q=0.5"):
        answer = registry_door.guest.get("/v2/team/app/manifests/1.0", headers={"accept": accept})
        assert answer.status_code == 200


def test_several_accept_headers_are_one(registry_door, made):
    headers = [("accept", MEDIA_INDEX), ("accept", MEDIA_MANIFEST)]
    assert registry_door.guest.get("/v2/team/app/manifests/1.0", headers=headers).status_code == 200


def test_a_manifest_that_the_client_has_is_not_sent_again(registry_door, made):
    etag = registry_door.guest.get("/v2/team/app/manifests/1.0").headers["etag"]
    answer = registry_door.guest.get("/v2/team/app/manifests/1.0", headers={"if-none-match": etag})
    assert (answer.status_code, answer.content) == (304, b"")


def test_a_blob_is_pulled_whole_and_asked_for(registry_door, made):
    _layer, body = make_layer("greeting", b"hello")
    address = f"/v2/team/app/blobs/{made.layers[0].digest}"
    answer = registry_door.guest.get(address)
    assert (answer.status_code, answer.content) == (200, body)
    assert answer.headers["docker-content-digest"] == str(made.layers[0].digest)
    head = registry_door.guest.head(address)
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(body)))
    assert head.headers["docker-content-digest"] == str(made.layers[0].digest)


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("bytes=5-14", 5, 15), ("bytes=20-", 20, None), ("bytes=-7", -7, None), ("bytes=30-5000", 30, None)],
)
def test_a_range_of_a_blob_is_given(registry_door, made, asked, first, last):
    _layer, body = make_layer("greeting", b"hello")
    address = f"/v2/team/app/blobs/{made.layers[0].digest}"
    answer = registry_door.guest.get(address, headers={"range": asked})
    assert (answer.status_code, answer.content) == (206, body[first:last])
    assert answer.headers["content-length"] == str(len(body[first:last]))
    begin = first % len(body)
    assert answer.headers["content-range"] == f"bytes {begin}-{begin + len(answer.content) - 1}/{len(body)}"


@pytest.mark.parametrize("asked", ["bytes=50-0", "bytes=5000-10000"])
def test_a_range_outside_of_a_blob_is_refused(registry_door, made, asked):
    address = f"/v2/team/app/blobs/{made.layers[0].digest}"
    assert registry_door.guest.get(address, headers={"range": asked}).status_code == 416


def test_a_blob_that_the_repository_does_not_have_is_unknown_even_where_the_store_has_it(registry_door, made):
    secret = make_record(registry_door.services, b"of somebody else", tags=["other/app:1"])
    for digest in (ABSENT, secret.layers[0].digest, secret.image_id, secret.manifest_digest):
        answer = registry_door.guest.get(f"/v2/team/app/blobs/{digest}")
        assert (answer.status_code, code_of(answer)) == (404, "BLOB_UNKNOWN")
        assert registry_door.guest.head(f"/v2/team/app/blobs/{digest}").status_code == 404
    for digest in (secret.manifest_digest, secret.layers[0].digest, secret.image_id, ABSENT):
        answer = registry_door.guest.get(f"/v2/team/app/manifests/{digest}")
        assert (answer.status_code, code_of(answer)) == (404, "MANIFEST_UNKNOWN")


def test_blobs_come_from_the_store_itself_where_the_setting_says_so(settings_with, redis_url, serve):
    door = serve(settings_with(redis_url=redis_url, serve_files="redirect"))
    made = make_record(door.services, tags=["team/app:1"])
    other = make_record(door.services, b"of somebody else", tags=["other/app:1"])
    answer = door.guest.get(f"/v2/team/app/blobs/{made.layers[0].digest}")
    assert answer.status_code == 307
    assert (
        httpx2.get(answer.headers["location"], trust_env=False).content == make_layer("greeting", b"hello")[1]
    )
    # Who only asks whether it is there gets an answer of ours: a link is good for GET alone.
    assert door.guest.head(f"/v2/team/app/blobs/{made.layers[0].digest}").status_code == 200
    # No link to what the repository does not have.
    assert door.guest.get(f"/v2/team/app/blobs/{other.layers[0].digest}").status_code == 404


def test_tags_are_listed_in_the_order_of_their_bytes_and_in_pages(registry_door):
    names = ["Z", "a", "A", "_x", "1.10", "1.9", "b-c", "b.c"]
    make_record(registry_door.services, tags=[f"team/many:{name}" for name in names])
    answer = registry_door.guest.get("/v2/team/many/tags/list")
    assert answer.json() == {"name": "team/many", "tags": sorted(names)}
    assert "link" not in answer.headers
    found, address, pages = [], "/v2/team/many/tags/list?n=3", 0
    while address:
        answer = registry_door.guest.get(address)
        found += answer.json()["tags"]
        link = answer.headers.get("link", "")
        assert link == "" or link.endswith('; rel="next"')
        address = link.partition(">")[0].removeprefix("<")
        pages += 1
    assert (found, pages) == (sorted(names), 3)
    assert registry_door.guest.get("/v2/team/many/tags/list?last=a").json()["tags"] == ["b-c", "b.c"]
    answer = registry_door.guest.get("/v2/team/many/tags/list?n=0")
    assert (answer.status_code, answer.json()["tags"]) == (200, [])
    assert "link" not in answer.headers


def test_a_number_of_tags_that_is_none_is_refused(registry_door, made):
    for n in ("-1", "many"):
        answer = registry_door.guest.get(f"/v2/team/app/tags/list?n={n}")
        assert answer.status_code == 400
        code_of(answer)


def test_repositories_are_listed_in_pages(registry_door):
    make_record(registry_door.services, tags=["0/x:1", "0:1", "0-0/y:2"])
    answer = registry_door.guest.get("/v2/_catalog?n=2")
    assert answer.json() == {"repositories": ["0", "0-0/y"]}
    assert answer.headers["link"] == '</v2/_catalog?n=2&last=0-0%2Fy>; rel="next"'
    rest = registry_door.guest.get("/v2/_catalog?last=0-0/y").json()["repositories"]
    assert rest == sorted(rest)
    assert {"0/x", "images", "team/app"} <= set(rest)


def test_referrers_of_a_manifest_that_nobody_pushed_are_an_empty_index(registry_door):
    answer = registry_door.guest.get(f"/v2/never/pushed/referrers/{ABSENT}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, MEDIA_INDEX)
    assert answer.json() == {"schemaVersion": 2, "mediaType": MEDIA_INDEX, "manifests": []}


def test_referrers_of_what_is_no_digest_are_refused(registry_door):
    answer = registry_door.guest.get("/v2/team/app/referrers/latest")
    assert (answer.status_code, code_of(answer)) == (400, "DIGEST_INVALID")


def test_what_the_service_attached_is_listed_and_pulled_in_each_repository_that_has_the_image(
    registry_door, made
):
    store = registry_door.services.store
    sbom = attach(
        store, made.manifest_digest, "application/vnd.cyclonedx+json", "application/vnd.cyclonedx+json",
        b'{"bomFormat":"CycloneDX"}', {"org.opencontainers.image.title": "sbom.json"},
    )  # fmt: skip
    attach(store, made.manifest_digest, "text/spdx+json", "text/spdx+json", b'{"spdxVersion":"SPDX-2.3"}')
    for repository in ("team/app", "images"):
        answer = registry_door.guest.get(f"/v2/{repository}/referrers/{made.manifest_digest}")
        assert len(answer.json()["manifests"]) == 2, repository
        answer = registry_door.guest.get(
            f"/v2/{repository}/referrers/{made.manifest_digest}",
            params={"artifactType": "application/vnd.cyclonedx+json"},
        )
        assert answer.headers["oci-filters-applied"] == "artifactType"
        (entry,) = answer.json()["manifests"]
        assert entry["digest"] == str(sbom)
        assert entry["artifactType"] == "application/vnd.cyclonedx+json"
        assert entry["annotations"] == {"org.opencontainers.image.title": "sbom.json"}
        manifest = registry_door.guest.get(f"/v2/{repository}/manifests/{sbom}")
        assert (manifest.status_code, len(manifest.content)) == (200, entry["size"])
        assert manifest.json()["subject"]["digest"] == str(made.manifest_digest)
        for part in (manifest.json()["config"], *manifest.json()["layers"]):
            blob = registry_door.guest.get(f"/v2/{repository}/blobs/{part['digest']}")
            assert (blob.status_code, len(blob.content)) == (200, part["size"])


def test_what_is_attached_to_an_image_is_not_seen_in_a_repository_without_it(registry_door, made):
    make_record(registry_door.services, b"another", tags=["other/app:1"])
    body = b'{"bomFormat":"CycloneDX","of":"team/app"}'
    sbom = attach(registry_door.services.store, made.manifest_digest, "a/b", "a/b", body)
    answer = registry_door.guest.get(f"/v2/other/app/referrers/{made.manifest_digest}")
    assert answer.json()["manifests"] == []
    assert registry_door.guest.get(f"/v2/other/app/manifests/{sbom}").status_code == 404
    assert registry_door.guest.get(f"/v2/other/app/blobs/{Digest.of(body)}").status_code == 404


def test_an_address_that_the_specification_does_not_have_is_refused_in_its_form(registry_door):
    answer = registry_door.guest.get("/v2/team/app/nothing/here")
    assert (answer.status_code, code_of(answer)) == (405, "UNSUPPORTED")


def test_a_tag_that_moves_stands_for_the_newer_image_and_the_older_one_stays_by_digest(registry_door):
    older = make_record(registry_door.services, b"older", tags=["team/moving:latest"])
    newer = make_record(registry_door.services, b"newer", tags=["team/moving:latest"])
    answer = registry_door.guest.get("/v2/team/moving/manifests/latest")
    assert answer.headers["docker-content-digest"] == str(newer.manifest_digest)
    assert registry_door.guest.get(f"/v2/team/moving/manifests/{older.manifest_digest}").status_code == 200
    history = registry_door.services.image_tags.history("team/moving", "latest")
    assert [move.digest for move in history] == [newer.manifest_digest, older.manifest_digest]


def test_an_image_that_was_pushed_is_pulled_byte_for_byte(registry_door):
    pushed = push_image(registry_door.http, "team/pushed", "v1")
    answer = registry_door.guest.get("/v2/team/pushed/manifests/v1")
    assert answer.content == pushed.manifest
