"""Pushes to the registry, one by one as the conformance tests of the distribution specification have them."""

from __future__ import annotations

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.builder_service.registry_images import (
    make_record,
    manifest_of,
    push_blob,
    push_image,
    put_manifest,
)
from tests.integration.builder_service.test_registry_pull import code_of
from wheelyard.access_token import Scope
from wheelyard.digests import Digest
from wheelyard.image_manifest import MAX_MANIFEST_BYTES
from wheelyard.image_referrers import EMPTY, EMPTY_DIGEST
from wheelyard.oci import MEDIA_CONFIG, MEDIA_INDEX, MEDIA_MANIFEST

BODY = bytes(range(256)) * 40
DIGEST = str(Digest.of(BODY))


def begin(door, repository: str) -> str:
    answer = door.http.post(f"/v2/{repository}/blobs/uploads/")
    assert answer.status_code == 202, answer.text
    return answer.headers["location"]


def pull(door, repository: str, digest: str) -> bytes:
    answer = door.guest.get(f"/v2/{repository}/blobs/{digest}")
    assert answer.status_code == 200, answer.text
    return answer.content


def test_a_blob_is_pushed_with_post_and_put(registry_door):
    answer = registry_door.http.put(begin(registry_door, "p/put"), params={"digest": DIGEST}, content=BODY)
    assert answer.status_code == 201
    assert answer.headers["docker-content-digest"] == DIGEST
    assert registry_door.guest.get(answer.headers["location"]).content == BODY


def test_a_blob_is_pushed_with_one_post(registry_door):
    answer = registry_door.http.post("/v2/p/post/blobs/uploads/", params={"digest": DIGEST}, content=BODY)
    assert answer.status_code == 201
    assert registry_door.guest.get(answer.headers["location"]).content == BODY


def test_a_blob_is_pushed_in_chunks_and_with_the_last_one_in_the_put(registry_door):
    for last_in_put in (False, True):
        repository = f"p/chunks-{last_in_put}".lower()
        place = begin(registry_door, repository)
        pieces = [BODY[:4000], BODY[4000:8000], BODY[8000:]]
        for number, piece in enumerate(pieces[:2] if last_in_put else pieces):
            first = 4000 * number
            answer = registry_door.http.patch(
                place, content=piece, headers={"content-range": f"{first}-{first + len(piece) - 1}"}
            )
            assert answer.status_code == 202, answer.text
            assert answer.headers["range"] == f"0-{first + len(piece) - 1}"
            place = answer.headers["location"]
        rest = pieces[2] if last_in_put else b""
        headers = {"content-range": f"8000-{len(BODY) - 1}"} if last_in_put else {}
        answer = registry_door.http.put(place, params={"digest": DIGEST}, content=rest, headers=headers)
        assert answer.status_code == 201, answer.text
        assert pull(registry_door, repository, DIGEST) == BODY


def test_a_blob_is_pushed_as_a_stream_of_unknown_length(registry_door):
    place = begin(registry_door, "p/stream")
    answer = registry_door.http.patch(place, content=(BODY[at : at + 999] for at in range(0, len(BODY), 999)))
    assert answer.status_code == 202
    answer = registry_door.http.put(answer.headers["location"], params={"digest": DIGEST})
    assert answer.status_code == 201
    assert pull(registry_door, "p/stream", DIGEST) == BODY


@pytest.mark.parametrize("in_put", [False, True])
def test_a_chunk_out_of_order_is_refused_and_the_push_goes_on_where_it_is(registry_door, in_put):
    place = begin(registry_door, "p/order")
    answer = registry_door.http.patch(place, content=BODY[4000:], headers={"content-range": "4000-10239"})
    assert (answer.status_code, code_of(answer)) == (416, "BLOB_UPLOAD_INVALID")
    first = registry_door.http.patch(place, content=BODY[:4000], headers={"content-range": "0-3999"})
    assert first.status_code == 202
    again = {"content-range": "0-3999"}
    if in_put:
        answer = registry_door.http.put(place, params={"digest": DIGEST}, content=BODY[:4000], headers=again)
    else:
        answer = registry_door.http.patch(place, content=BODY[:4000], headers=again)
    assert answer.status_code == 416
    told = registry_door.http.get(place)
    assert (told.status_code, told.headers["range"]) == (204, "0-3999")
    assert told.headers["location"]
    answer = registry_door.http.put(place, params={"digest": DIGEST}, content=BODY[4000:])
    assert answer.status_code == 201
    assert pull(registry_door, "p/order", DIGEST) == BODY


def test_a_chunk_whose_range_is_none_or_another_than_its_bytes_is_refused(registry_door):
    place = begin(registry_door, "p/ranges")
    for given in ("0-", "x-y", "9-0", "0-98", "-5"):
        answer = registry_door.http.patch(place, content=BODY[:100], headers={"content-range": given})
        assert answer.status_code == 400, given
    assert registry_door.http.get(place).headers["range"] == "0-0"


def test_a_push_that_is_cut_off_goes_on_where_it_broke(registry_door, until):
    place = begin(registry_door, "p/cut")
    host, _, port = registry_door.url.removeprefix("http://").partition(":")
    token = registry_door.http.headers["authorization"]
    with socket.create_connection((host, int(port))) as wire:
        head = f"PATCH {place} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {token}\r\n"
        wire.sendall(f"{head}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY[:5000])
        # What lies unread when a connection ends is lost: that much the server has to have read.
        time.sleep(0.5)
    until(lambda: registry_door.http.get(place).headers["range"] == "0-4999", pause=0.2)
    answer = registry_door.http.patch(
        place, content=BODY[5000:], headers={"content-range": f"5000-{len(BODY) - 1}"}
    )
    assert answer.status_code == 202
    assert registry_door.http.put(place, params={"digest": DIGEST}).status_code == 201
    assert pull(registry_door, "p/cut", DIGEST) == BODY


def test_bytes_that_are_not_what_their_digest_says_are_refused_however_they_come(registry_door):
    other = str(Digest.of(b"other bytes"))
    repository = "p/lies"
    answer = registry_door.http.post(
        f"/v2/{repository}/blobs/uploads/", params={"digest": other}, content=BODY
    )
    assert (answer.status_code, code_of(answer)) == (400, "DIGEST_INVALID")
    answer = registry_door.http.put(begin(registry_door, repository), params={"digest": other}, content=BODY)
    assert (answer.status_code, code_of(answer)) == (400, "DIGEST_INVALID")
    for parts in (1, 2):
        place = begin(registry_door, repository)
        for _ in range(parts):
            assert registry_door.http.patch(place, content=BODY).status_code == 202
        answer = registry_door.http.put(place, params={"digest": other})
        assert (answer.status_code, code_of(answer)) == (400, "DIGEST_INVALID")
        # The push is over, and nothing of it is there.
        assert code_of(registry_door.http.get(place)) == "BLOB_UPLOAD_UNKNOWN"
    for digest in (other, DIGEST):
        assert registry_door.guest.head(f"/v2/{repository}/blobs/{digest}").status_code == 404


@pytest.mark.parametrize("digest", ["sha256:short", f"sha512:{'0' * 128}", "md5:0", "", "sha256:../../x"])
def test_a_digest_that_is_none_or_of_another_algorithm_is_refused(registry_door, digest):
    answer = registry_door.http.put(
        begin(registry_door, "p/digests"), params={"digest": digest}, content=BODY
    )
    assert (answer.status_code, code_of(answer)) == (400, "DIGEST_INVALID")


def test_empty_blobs_are_blobs(registry_door):
    for body in (b"", b"{}"):
        digest = push_blob(registry_door.http, "p/empty", body)
        assert pull(registry_door, "p/empty", digest) == body
        assert registry_door.guest.head(f"/v2/p/empty/blobs/{digest}").headers["content-length"] == str(
            len(body)
        )


def test_a_push_that_was_given_up_is_gone(registry_door):
    place = begin(registry_door, "p/cancel")
    assert registry_door.http.delete(place).status_code == 204
    for answer in (registry_door.http.get(place), registry_door.http.patch(place, content=b"x")):
        assert (answer.status_code, code_of(answer)) == (404, "BLOB_UPLOAD_UNKNOWN")


def test_the_upload_of_one_repository_is_none_of_another_one(registry_door):
    place = begin(registry_door, "p/one").replace("p/one", "p/two")
    answer = registry_door.http.patch(place, content=BODY)
    assert (answer.status_code, code_of(answer)) == (404, "BLOB_UPLOAD_UNKNOWN")


def test_a_blob_beyond_the_limit_is_refused_in_one_piece_and_in_parts(registry_door):
    limit = registry_door.services.settings.max_upload_bytes
    place = begin(registry_door, "p/large")
    answer = registry_door.http.patch(place, content=bytes(limit + 1))
    assert (answer.status_code, code_of(answer)) == (413, "SIZE_INVALID")
    place = begin(registry_door, "p/large")
    assert registry_door.http.patch(place, content=bytes(limit - 5)).status_code == 202
    answer = registry_door.http.patch(place, content=(b"12", b"3456"))
    assert (answer.status_code, code_of(answer)) == (413, "SIZE_INVALID")
    assert registry_door.http.get(place).headers["range"] == f"0-{limit - 6}"


def test_two_parts_at_the_same_time_are_one_and_a_refusal(registry_door):
    place = begin(registry_door, "p/race")
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: registry_door.http.patch(place, content=BODY), range(6)))
    statuses = sorted(answer.status_code for answer in answers)
    # Those that came in one after another are parts each; of those beside each other one is.
    taken = statuses.count(202)
    assert statuses == [202] * taken + [416] * (6 - taken)
    assert registry_door.http.get(place).headers["range"] == f"0-{taken * len(BODY) - 1}"


def test_a_blob_is_mounted_from_another_repository(registry_door):
    push_blob(registry_door.http, "p/source", BODY)
    answer = registry_door.http.post(
        "/v2/p/mounted/blobs/uploads/", params={"mount": DIGEST, "from": "p/source"}
    )
    assert answer.status_code == 201
    assert answer.headers["docker-content-digest"] == DIGEST
    assert registry_door.guest.get(answer.headers["location"]).content == BODY


def test_a_mount_of_what_the_other_repository_does_not_have_begins_a_push(registry_door):
    made = make_record(registry_door.services, b"for mounts", tags=["p/has:1"])
    layer = str(made.layers[0].digest)
    for query in ({"mount": layer, "from": "p/has-not"}, {"mount": layer}):
        answer = registry_door.http.post("/v2/p/wants/blobs/uploads/", params=query)
        assert answer.status_code == 202
        assert answer.headers["location"]
        assert registry_door.guest.head(f"/v2/p/wants/blobs/{layer}").status_code == 404
    answer = registry_door.http.post("/v2/p/wants/blobs/uploads/", params={"mount": layer, "from": "p/has"})
    assert answer.status_code == 201


def test_a_mount_from_where_the_sender_may_not_read_begins_a_push(registry_door_with):
    door = registry_door_with(public_reads=False)
    push_blob(door.http, "other/base", BODY)
    _token, secret = door.services.tokens.create("team", [Scope.PUBLISH], channels=["team"], lifetime=60.0)
    for source in ("other/base", "No_Name/"):
        answer = door.guest.post(
            "/v2/team/app/blobs/uploads/",
            params={"mount": DIGEST, "from": source},
            headers={"authorization": f"Bearer {secret}"},
        )
        assert answer.status_code == 202, answer.text
    assert door.http.head(f"/v2/team/app/blobs/{DIGEST}").status_code == 404


def test_no_nul_gets_to_the_database(registry_door):
    assert registry_door.http.get("/v2/p/nul/blobs/uploads/%00").status_code == 404
    for address in ("/v2/_catalog", "/v2/p/nul/tags/list"):
        assert registry_door.http.get(f"{address}?last=%00").status_code in (400, 404, 422)


def test_an_image_is_pushed_under_a_tag_and_by_digest(registry_door):
    pushed = push_image(registry_door.http, "p/image", "v1")
    answer = put_manifest(registry_door.http, "p/image", pushed.digest, pushed.manifest)
    assert answer.status_code == 201
    assert answer.headers["docker-content-digest"] == pushed.digest
    assert registry_door.guest.get(answer.headers["location"]).content == pushed.manifest
    assert registry_door.guest.get("/v2/p/image/tags/list").json()["tags"] == ["v1"]
    assert registry_door.services.image_tags.get("p/image", "v1").actor == "service"


def test_tags_in_the_query_are_set_with_a_manifest_by_digest(registry_door):
    pushed = push_image(registry_door.http, "p/tags", "first")
    answer = registry_door.http.put(
        f"/v2/p/tags/manifests/{pushed.digest}?tag=1.2.3&tag=1.2&tag=1",
        content=pushed.manifest,
        headers={"content-type": MEDIA_MANIFEST},
    )
    assert answer.status_code == 201
    assert {tag.strip() for tag in answer.headers["oci-tag"].split(",")} == {"1.2.3", "1.2", "1"}
    assert registry_door.guest.get("/v2/p/tags/tags/list").json()["tags"] == ["1", "1.2", "1.2.3", "first"]


def test_an_index_and_an_index_of_indexes_are_pushed(registry_door):
    pushed = push_image(registry_door.http, "p/index", "linux", b"for an index")
    entry = {"mediaType": MEDIA_MANIFEST, "digest": pushed.digest, "size": len(pushed.manifest)}
    body = pushed.manifest
    for tag in ("inner", "outer"):
        body = json.dumps({"schemaVersion": 2, "mediaType": MEDIA_INDEX, "manifests": [entry]}).encode()
        assert put_manifest(registry_door.http, "p/index", tag, body, MEDIA_INDEX).status_code == 201
        entry = {"mediaType": MEDIA_INDEX, "digest": str(Digest.of(body)), "size": len(body)}
    answer = registry_door.guest.get("/v2/p/index/manifests/outer")
    assert (answer.headers["content-type"], answer.content) == (MEDIA_INDEX, body)


def test_a_manifest_that_names_what_its_repository_does_not_have_is_refused(registry_door):
    """Else whoever may push could read any blob of the store, by naming it in a manifest of his own."""
    made = make_record(registry_door.services, b"not for everybody", tags=["p/closed:1"])
    config = b'{"mine": true}'
    push_blob(registry_door.http, "p/thief", config)
    layer = {"mediaType": "a/b", "digest": str(made.layers[0].digest), "size": made.layers[0].size}
    body = json.loads(manifest_of(config, []))
    for layers in ([layer], [{**layer, "digest": str(Digest.of(b"nowhere"))}]):
        answer = put_manifest(
            registry_door.http, "p/thief", "v1", json.dumps({**body, "layers": layers}).encode()
        )
        assert (answer.status_code, code_of(answer)) == (404, "MANIFEST_BLOB_UNKNOWN")
    index = {
        "schemaVersion": 2, "mediaType": MEDIA_INDEX,
        "manifests": [{"mediaType": MEDIA_MANIFEST, "digest": str(made.manifest_digest), "size": 1}],
    }  # fmt: skip
    answer = put_manifest(registry_door.http, "p/thief", "v1", json.dumps(index).encode(), MEDIA_INDEX)
    assert (answer.status_code, code_of(answer)) == (404, "MANIFEST_BLOB_UNKNOWN")
    assert registry_door.guest.head("/v2/p/thief/manifests/v1").status_code == 404


def test_layers_that_no_registry_has_need_not_be_pushed(registry_door):
    config = b'{"of": "windows"}'
    push_blob(registry_door.http, "p/foreign", config)
    kind = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
    layer = {
        "mediaType": kind,
        "digest": str(Digest.of(b"elsewhere")),
        "size": 9,
        "urls": ["https://example.com/"],
    }
    body = json.loads(manifest_of(config, []))
    answer = put_manifest(
        registry_door.http, "p/foreign", "v1", json.dumps({**body, "layers": [layer]}).encode()
    )
    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b"", MEDIA_MANIFEST),
        (b"not json", MEDIA_MANIFEST),
        (b"[]", MEDIA_MANIFEST),
        (b"\xff\xfe", MEDIA_MANIFEST),
        (b'{"schemaVersion": 1}', "application/vnd.docker.distribution.manifest.v1+json"),
        (b'{"schemaVersion": 2, "layers": []}', MEDIA_MANIFEST),
        (
            b'{"schemaVersion": 2, "mediaType": "' + MEDIA_INDEX.encode() + b'", "manifests": []}',
            MEDIA_MANIFEST,
        ),
        (b'{"schemaVersion": 2, "manifests": [{"digest": "sha256:x", "size": 1}]}', MEDIA_INDEX),
        (b'{"schemaVersion": 2, "manifests": [{"digest": 5, "size": 1}]}', MEDIA_INDEX),
        (b'{"schemaVersion": 2, "manifests": {}}', MEDIA_INDEX),
        (b'{"schemaVersion": 2, "manifests": [], "annotations": [1]}', MEDIA_INDEX),
        (b'{"schemaVersion": 2, "manifests": [], "annotations": {"half": "\\ud800"}}', MEDIA_INDEX),
        (b'{"schemaVersion": 2, "manifests": [], "artifactType": "a\\u0000b"}', MEDIA_INDEX),
        (b"[" * 100_000, MEDIA_MANIFEST),
        (b"{}", "text/html"),
    ],
)
def test_what_is_no_manifest_is_refused(registry_door, body, media_type):
    answer = put_manifest(registry_door.http, "p/bad", "v1", body, media_type)
    assert (answer.status_code, code_of(answer)) == (400, "MANIFEST_INVALID")


def test_a_manifest_beyond_the_limit_is_refused(registry_door):
    body = b'{"schemaVersion": 2, "x": "' + b"x" * MAX_MANIFEST_BYTES + b'"}'
    answer = put_manifest(registry_door.http, "p/bad", "v1", body)
    assert (answer.status_code, code_of(answer)) == (413, "SIZE_INVALID")


def test_a_manifest_under_another_digest_or_tag_than_one_is_refused(registry_door):
    pushed = push_image(registry_door.http, "p/other", "v1")
    answer = put_manifest(registry_door.http, "p/other", str(Digest.of(b"another")), pushed.manifest)
    assert (answer.status_code, code_of(answer)) == (400, "DIGEST_INVALID")
    answer = put_manifest(registry_door.http, "p/other", "sha256:baddigeststring", pushed.manifest)
    assert (answer.status_code, code_of(answer)) == (400, "DIGEST_INVALID")
    for tag in (".x", "x" * 129, "a%20b"):
        answer = put_manifest(registry_door.http, "p/other", tag, pushed.manifest)
        assert answer.status_code == 400, tag


def test_a_manifest_about_another_one_is_its_referrer_whichever_comes_first(registry_door):
    repository = "p/subjects"
    pushed = push_image(registry_door.http, repository, "v1", b"the subject")
    later = str(Digest.of(b"a manifest that comes later"))
    for subject, size in ((pushed.digest, len(pushed.manifest)), (later, 27)):
        about = {"mediaType": MEDIA_MANIFEST, "digest": subject, "size": size}
        config, signature = b"{}", b"a signature of " + subject.encode()
        for blob in (config, signature):
            push_blob(registry_door.http, repository, blob)
        document = json.loads(manifest_of(config, [signature], subject=about))
        document |= {"artifactType": "application/vnd.example.signature", "annotations": {"by": "ada"}}
        body = json.dumps(document).encode()
        answer = put_manifest(registry_door.http, repository, str(Digest.of(body)), body)
        assert (answer.status_code, answer.headers["oci-subject"]) == (201, subject)
        (entry,) = registry_door.guest.get(f"/v2/{repository}/referrers/{subject}").json()["manifests"]
        assert entry == {
            "mediaType": MEDIA_MANIFEST, "digest": str(Digest.of(body)), "size": len(body),
            "artifactType": "application/vnd.example.signature", "annotations": {"by": "ada"},
        }  # fmt: skip
        query = {"artifactType": "application/vnd.example.other"}
        answer = registry_door.guest.get(f"/v2/{repository}/referrers/{subject}", params=query)
        assert (answer.json()["manifests"], answer.headers["oci-filters-applied"]) == ([], "artifactType")


def test_a_referrer_without_a_type_of_its_own_has_that_of_its_config(registry_door):
    pushed = push_image(registry_door.http, "p/typed", "v1", b"typed")
    about = {"mediaType": MEDIA_MANIFEST, "digest": pushed.digest, "size": len(pushed.manifest)}
    body = manifest_of(pushed.config, [], subject=about)
    assert put_manifest(registry_door.http, "p/typed", "sig", body).status_code == 201
    (entry,) = registry_door.guest.get(f"/v2/p/typed/referrers/{pushed.digest}").json()["manifests"]
    assert entry["artifactType"] == MEDIA_CONFIG


def test_a_tag_is_deleted_and_the_manifest_stays(registry_door):
    pushed = push_image(registry_door.http, "p/untag", "v1")
    assert registry_door.http.delete("/v2/p/untag/manifests/v1").status_code == 202
    assert registry_door.guest.head("/v2/p/untag/manifests/v1").status_code == 404
    assert registry_door.guest.head(f"/v2/p/untag/manifests/{pushed.digest}").status_code == 200
    assert registry_door.guest.get("/v2/p/untag/tags/list").json()["tags"] == []
    answer = registry_door.http.delete("/v2/p/untag/manifests/v1")
    assert (answer.status_code, code_of(answer)) == (404, "MANIFEST_UNKNOWN")


def test_a_manifest_is_deleted_with_its_tags_and_then_its_blobs(registry_door):
    pushed = push_image(registry_door.http, "p/gone", "v1", b"to be deleted")
    layer = str(Digest.of(pushed.layer))
    answer = registry_door.http.delete(f"/v2/p/gone/blobs/{layer}")
    assert (answer.status_code, code_of(answer)) == (405, "UNSUPPORTED")
    assert registry_door.http.delete(f"/v2/p/gone/manifests/{pushed.digest}").status_code == 202
    for reference in ("v1", pushed.digest):
        assert registry_door.guest.head(f"/v2/p/gone/manifests/{reference}").status_code == 404
    assert registry_door.http.delete(f"/v2/p/gone/blobs/{layer}").status_code == 202
    assert registry_door.guest.head(f"/v2/p/gone/blobs/{layer}").status_code == 404
    answer = registry_door.http.delete(f"/v2/p/gone/blobs/{layer}")
    assert (answer.status_code, code_of(answer)) == (404, "BLOB_UNKNOWN")
    answer = registry_door.http.delete(f"/v2/p/gone/manifests/{pushed.digest}")
    assert (answer.status_code, code_of(answer)) == (404, "MANIFEST_UNKNOWN")


def test_an_empty_config_that_was_deleted_is_gone(registry_door):
    """It is the config of what the service attaches, too, but nothing is attached in this repository."""
    address = f"/v2/p/artifact/blobs/{EMPTY_DIGEST}"
    push_image(registry_door.http, "p/artifact", "v1")
    assert registry_door.guest.head(address).status_code == 404
    upload = registry_door.http.post(
        "/v2/p/artifact/blobs/uploads/", params={"digest": str(EMPTY_DIGEST)}, content=EMPTY
    )
    assert upload.status_code == 201
    assert registry_door.guest.get(address).content == EMPTY
    assert registry_door.http.delete(address).status_code == 202
    assert registry_door.guest.head(address).status_code == 404


def test_a_deleted_image_of_one_repository_stays_in_another_one(registry_door):
    for repository in ("p/shared-one", "p/shared-two"):
        pushed = push_image(registry_door.http, repository, "v1", b"in two places")
    registry_door.http.delete(f"/v2/p/shared-one/manifests/{pushed.digest}")
    assert registry_door.guest.get("/v2/p/shared-two/manifests/v1").content == pushed.manifest
    assert pull(registry_door, "p/shared-two", str(Digest.of(pushed.layer))) == pushed.layer


@pytest.mark.parametrize("repository", ["images", "images/mine", "run", "run/debian12-cp311/numpy"])
def test_nobody_pushes_where_the_service_has_its_own_images(registry_door, repository):
    answer = registry_door.http.post(f"/v2/{repository}/blobs/uploads/")
    assert (answer.status_code, code_of(answer)) == (403, "DENIED")
    answer = registry_door.http.delete(f"/v2/{repository}/manifests/latest")
    assert answer.status_code == 403
