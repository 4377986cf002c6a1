"""One suite for every store: the folder and real S3."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx2
import pytest
from pydantic import SecretStr

from tests.conftest import make_bucket, running_s3
from wheelyard.digests import Digest
from wheelyard.errors import ForeignOutputRefused, InputError, StoredOtherBytes, StoreUnavailable
from wheelyard.settings import Settings
from wheelyard.store.open import open_store

WRITERS = 16


@pytest.fixture(params=["folder", "s3"])
def settings(request, tmp_path) -> Settings:
    if request.param == "s3":
        settings: Settings = request.getfixturevalue("s3_settings")
        return settings
    return Settings(store_url=f"file://{tmp_path}/a%20store")


@pytest.fixture
def store(settings):
    return open_store(settings)


def blob(size: int = 1000) -> tuple[bytes, Digest]:
    content = secrets.token_bytes(size)
    return content, Digest.of(content)


def race(writers: list[Callable[[], object]]) -> list[object]:
    """Run all of them at the same moment; what each returned or raised."""
    gate = threading.Barrier(len(writers))

    def run(writer):
        gate.wait()
        try:
            return writer()
        except Exception as error:  # noqa: BLE001 - handed over, not hidden
            return error

    with ThreadPoolExecutor(len(writers)) as pool:
        return list(pool.map(run, writers))


def test_gives_back_the_bytes_that_it_was_given(store):
    content, digest = blob()
    store.put_blob(content, digest)
    with store.open_blob(digest) as stream:
        assert stream.read() == content
    assert store.blob_size(digest) == len(content)


def test_takes_a_file(store, tmp_path):
    content, digest = blob(3 << 20)
    source = tmp_path / "source"
    source.write_bytes(content)
    store.put_blob(source, digest)
    assert store.fetch_blob(digest, tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == content


def test_keeps_an_empty_blob(store, tmp_path):
    digest = Digest.of(b"")
    store.put_blob(b"", digest)
    assert store.blob_size(digest) == 0
    with store.open_blob(digest) as stream:
        assert stream.read() == b""
    assert store.fetch_blob(digest, tmp_path / "empty")


def test_a_large_file_goes_up_in_parts_and_comes_back_whole(store, tmp_path):
    source = tmp_path / "large"
    chunk = secrets.token_bytes(1 << 20)
    with source.open("wb") as stream:
        for number in range(70):
            stream.write(number.to_bytes(4) + chunk[4:])
    digest = Digest.of_file(source)
    store.put_blob(source, digest)
    store.put_blob(source, digest)
    assert store.blob_size(digest) == 70 << 20
    assert store.fetch_blob(digest, tmp_path / "back")
    with store.open_blob(digest, offset=(65 << 20) + 2, length=6) as stream:
        assert stream.read() == (65).to_bytes(4)[2:] + chunk[4:8]


def test_a_miss_is_none(store, tmp_path):
    _, digest = blob()
    assert store.open_blob(digest) is None
    assert store.open_blob(digest, 5, 0) is None
    assert store.blob_size(digest) is None
    assert store.fetch_blob(digest, tmp_path / "target") is False
    assert not (tmp_path / "target").exists()
    assert store.get_document("records/none.json") is None


def test_the_same_blob_again_is_a_no_op(store):
    content, digest = blob()
    store.put_blob(content, digest)
    store.put_blob(content, digest)
    assert store.blob_size(digest) == len(content)


@pytest.mark.parametrize("present", [False, True])
@pytest.mark.parametrize("size", [1000, 2 << 20])
def test_refuses_bytes_that_are_not_their_digest(store, tmp_path, present, size):
    content, digest = blob(size)
    if present:
        store.put_blob(content, digest)
    wrong = tmp_path / "wrong"
    wrong.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    for source in (wrong, wrong.read_bytes()):
        with pytest.raises(ForeignOutputRefused) as refused:
            store.put_blob(source, digest)
        assert str(digest) in str(refused.value)
    assert store.blob_size(digest) == (size if present else None)


@pytest.mark.parametrize(
    ("offset", "length", "expected"),
    [
        (0, None, b"0123456789"),
        (0, 4, b"0123"),
        (3, 4, b"3456"),
        (7, None, b"789"),
        (7, 100, b"789"),
        (4, 0, b""),
        (10, None, b""),
        (99, 5, b""),
    ],
)
def test_reads_a_range(store, offset, length, expected):
    digest = Digest.of(b"0123456789")
    store.put_blob(b"0123456789", digest)
    with store.open_blob(digest, offset, length) as stream:
        assert stream.read() == expected


def test_reads_a_stream_in_pieces(store):
    content, digest = blob(2_500_000)
    store.put_blob(content, digest)
    with store.open_blob(digest) as stream:
        pieces = []
        while piece := stream.read(100_000):
            pieces.append(piece)
    assert b"".join(pieces) == content


def test_sixteen_writers_of_one_blob_all_succeed(store):
    content, digest = blob(200_000)
    assert race([lambda: store.put_blob(content, digest)] * WRITERS) == [None] * WRITERS
    with store.open_blob(digest) as stream:
        assert stream.read() == content


@pytest.mark.parametrize("attempt", range(3))
def test_one_of_sixteen_writers_of_a_document_wins_and_its_bytes_stay(store, attempt):
    name = f"records/race-{attempt}.json"
    bodies = [f"writer {number}".encode() for number in range(WRITERS)]
    ends = race([partial(store.put_document, name, body) for body in bodies])
    winners = [number for number, end in enumerate(ends) if end is None]
    assert len(winners) == 1
    assert all(isinstance(end, StoredOtherBytes) for end in ends if end is not None)
    assert store.get_document(name) == bodies[winners[0]]


def test_sixteen_writers_of_the_same_document_all_succeed(store):
    ends = race([lambda: store.put_document("records/same.json", b"{}")] * WRITERS)
    assert ends == [None] * WRITERS


def test_a_document_is_written_once(store):
    store.put_document("records/wheels/k.json", b"one")
    store.put_document("records/wheels/k.json", b"one")
    with pytest.raises(StoredOtherBytes) as refused:
        store.put_document("records/wheels/k.json", b"two")
    assert "records/wheels/k.json" in refused.value.failed
    assert store.get_document("records/wheels/k.json") == b"one"


def test_an_empty_document_is_not_a_miss(store):
    store.put_document("records/empty", b"")
    assert store.get_document("records/empty") == b""


def test_lists_documents_sorted_and_without_blobs(store):
    names = ["o/a-b", "o/a/b", "o/a.b", "o/aa", "other/z", "o/a/c/d"]
    for name in names:
        store.put_document(name, name.encode())
    store.put_blob(*blob())
    assert list(store.list_documents("o/")) == sorted(name for name in names if name.startswith("o/"))
    assert list(store.list_documents("")) == sorted(names)
    assert list(store.list_documents("nothing/")) == []


def test_lists_more_documents_than_one_page_holds(store):
    names = [f"many/{number:04}" for number in range(1100)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: store.put_document(name, b"x"), names))
    assert list(store.list_documents("many/")) == names


@pytest.mark.parametrize(
    "name",
    ["", "/", "/etc/passwd", "../up", "a/../b", "a//b", "a/", "Upper", ".hidden", "blobs/x", "a\nb", "ä"],
)
def test_refuses_a_name_that_is_none(store, name):
    for call in (lambda: store.put_document(name, b""), lambda: store.get_document(name)):
        with pytest.raises(InputError):
            call()


@pytest.mark.parametrize("prefix", ["records", "/", "../", "a//"])
def test_refuses_a_prefix_that_is_none(store, prefix):
    with pytest.raises(InputError):
        store.list_documents(prefix)


def test_two_stores_share_what_is_stored(settings):
    content, digest = blob()
    open_store(settings).put_blob(content, digest)
    open_store(settings).put_document("a/b", b"c")
    assert open_store(settings).blob_size(digest) == len(content)
    assert open_store(settings).get_document("a/b") == b"c"


def test_a_fetched_file_replaces_an_older_one_and_leaves_no_part(store, tmp_path):
    content, digest = blob()
    store.put_blob(content, digest)
    target = tmp_path / "new folder" / "target"
    target.parent.mkdir()
    target.write_bytes(b"old")
    assert store.fetch_blob(digest, target)
    assert target.read_bytes() == content
    assert list(target.parent.iterdir()) == [target]


def test_check_passes_and_leaves_nothing(store):
    assert [promise for promise in store.check() if not promise.kept] == []
    assert list(store.list_documents("")) == []


def test_lists_every_blob_with_its_size_and_age(store):
    kept = dict(blob(size) for size in (0, 10, 70_000))
    for content, digest in kept.items():
        store.put_blob(content, digest)
    store.put_document("records/a.json", b"{}")
    listed = list(store.list_blobs())
    assert {one.digest: one.size for one in listed} == {digest: len(body) for body, digest in kept.items()}
    assert all(abs(one.modified_at - time.time()) < 60 for one in listed)


def test_an_empty_store_lists_no_blobs(store):
    assert list(store.list_blobs()) == []


def test_what_is_removed_is_gone_and_may_be_removed_again(store):
    content, digest = blob()
    store.put_blob(content, digest)
    store.put_document("records/a.json", b"{}")
    for _ in range(2):
        assert store.delete_blob(digest)
        store.delete_document("records/a.json")
    assert store.open_blob(digest) is None
    assert store.get_document("records/a.json") is None
    store.put_blob(content, digest)
    store.put_document("records/a.json", b"other")
    assert store.blob_size(digest) == len(content)


def test_a_young_blob_stays(store):
    content, digest = blob()
    store.put_blob(content, digest)
    assert not store.delete_blob(digest, unless_since=time.time() - 60)
    assert store.blob_size(digest) == len(content)
    assert store.delete_blob(digest, unless_since=time.time() + 60)
    assert store.blob_size(digest) is None
    assert store.delete_blob(digest, unless_since=time.time() + 60)


def test_renewing_a_blob_gives_its_size_or_none(store):
    content, digest = blob()
    assert store.renew_blob(digest) is None
    store.put_blob(content, digest)
    assert store.renew_blob(digest) == len(content)


@pytest.mark.parametrize("size", [1000, 2 << 20])
@pytest.mark.parametrize("use", ["put", "renew"])
def test_an_old_blob_is_young_once_it_is_needed_again(store, monkeypatch, tmp_path, use, size):
    for module in ("folder", "s3"):
        monkeypatch.setattr(f"wheelyard.store.{module}.RENEW_SECONDS", -60.0)
    content, digest = blob(size)
    source = tmp_path / "source"
    source.write_bytes(content)
    store.put_blob(source, digest)
    before = next(store.list_blobs()).modified_at
    # S3 tells whole seconds.
    time.sleep(max(0.0, int(before) + 1.05 - time.time()))
    assert store.put_blob(source, digest) is None if use == "put" else store.renew_blob(digest) == size
    assert not store.delete_blob(digest, unless_since=int(before) + 1.0)
    with store.open_blob(digest) as stream:
        assert stream.read() == content


@pytest.mark.parametrize("attempt", range(3))
def test_what_is_put_or_renewed_while_others_remove_it_stays(store, monkeypatch, attempt):
    for module in ("folder", "s3"):
        monkeypatch.setattr(f"wheelyard.store.{module}.RENEW_SECONDS", -60.0)
    content, digest = blob()
    store.put_blob(content, digest)
    limit = int(next(store.list_blobs()).modified_at) + 1.0
    time.sleep(max(0.0, limit + 0.05 - time.time()))

    def need() -> bool:
        if store.renew_blob(digest) is None:
            store.put_blob(content, digest)
        return store.blob_size(digest) is not None

    removers = [lambda: store.delete_blob(digest, unless_since=limit)] * 6
    ends = race([*removers, *[need] * 6])
    assert not [end for end in ends if isinstance(end, Exception)]
    assert ends[6:] == [True] * 6
    with store.open_blob(digest) as stream:
        assert stream.read() == content
    assert list(store.list_documents("")) == []


def test_works_after_a_fork(store):
    content, digest = blob()
    store.put_blob(content, digest)
    child = os.fork()
    if child == 0:
        ended = 1
        try:
            with store.open_blob(digest) as stream:
                ended = 0 if stream.read() == content else 2
        finally:
            os._exit(ended)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert store.blob_size(digest) == len(content)


class TestFolder:
    """What only a folder can show."""

    @pytest.fixture
    def root(self, tmp_path):
        return tmp_path / "store"

    @pytest.fixture
    def store(self, root):
        return open_store(Settings(store_url=f"file://{root}"))

    def test_nothing_half_written_is_visible_or_left(self, store, root):
        content, digest = blob()
        with pytest.raises(ForeignOutputRefused):
            store.put_blob(content + b"x", digest)
        assert [path for path in root.rglob("*") if path.is_file()] == []

    def test_a_folder_that_is_gone_is_an_outage_not_a_miss(self, store, root):
        content, digest = blob()
        store.put_blob(content, digest)
        shutil.rmtree(root)
        for call in (
            lambda: store.open_blob(digest),
            lambda: store.blob_size(digest),
            lambda: store.get_document("a"),
            lambda: store.list_documents("a/"),
            lambda: store.put_document("a", b""),
            lambda: store.put_blob(content, digest),
        ):
            with pytest.raises(StoreUnavailable):
                call()

    def test_damaged_bytes_are_an_outage_and_do_not_come_out(self, store, root, tmp_path):
        content, digest = blob()
        store.put_blob(content, digest)
        (root / "blobs" / "sha256" / digest.hex[:2] / digest.hex).write_bytes(b"rotten")
        with pytest.raises(StoreUnavailable, match="damaged"):
            store.fetch_blob(digest, tmp_path / "target")
        assert not (tmp_path / "target").exists()

    def test_a_document_is_no_folder_of_another(self, store):
        store.put_document("a/b", b"")
        for name in ("a", "a/b/c"):
            with pytest.raises(InputError, match="no document is the folder of another"):
                store.put_document(name, b"")

    def test_has_no_address(self, store):
        assert store.presigned_url(Digest.of(b""), "x.whl", 60) is None


class TestS3:
    """What only S3 can show."""

    @pytest.fixture
    def store(self, s3_settings):
        return open_store(s3_settings)

    def test_a_presigned_address_gives_the_bytes_and_the_name(self, store):
        content, digest = blob()
        store.put_blob(content, digest)
        answer = httpx2.get(
            store.presigned_url(digest, "numpy-2.4.6-cp311-none-any.whl", 60), trust_env=False
        )
        assert (answer.status_code, answer.content) == (200, content)
        assert (
            answer.headers["content-disposition"] == 'attachment; filename="numpy-2.4.6-cp311-none-any.whl"'
        )

    @pytest.mark.parametrize("what", ["signature", "object", "time", "name"])
    def test_a_tampered_presigned_address_gives_nothing(self, store, what):
        content, digest = blob()
        other, other_digest = blob()
        store.put_blob(content, digest)
        store.put_blob(other, other_digest)
        address = store.presigned_url(digest, "a.whl", 60)
        tampered = {
            "signature": lambda: re.sub(
                r"(X-Amz-Signature=)(.)", lambda m: m[1] + ("1" if m[2] == "0" else "0"), address
            ),
            "object": lambda: address.replace(
                f"{digest.hex[:2]}/{digest.hex}", f"{other_digest.hex[:2]}/{other_digest.hex}"
            ),
            "time": lambda: address.replace("X-Amz-Expires=60", "X-Amz-Expires=6000"),
            "name": lambda: address.replace("a.whl", "b.whl"),
        }[what]()
        assert tampered != address
        answer = httpx2.get(tampered, trust_env=False)
        assert answer.status_code == 403
        assert answer.content not in {content, other}

    def test_a_presigned_address_ends(self, store):
        content, digest = blob()
        store.put_blob(content, digest)
        address = store.presigned_url(digest, "a.whl", 1)
        time.sleep(2.5)
        assert httpx2.get(address, trust_env=False).status_code == 403

    def test_without_a_signature_nothing_comes_out(self, store):
        content, digest = blob()
        store.put_blob(content, digest)
        address = store.presigned_url(digest, "a.whl", 60).partition("?")[0]
        assert httpx2.get(address, trust_env=False).status_code == 403

    def test_a_missing_bucket_is_an_outage_not_a_miss(self, s3_server, tmp_path):
        store = open_store(s3_server.settings("no-such-bucket"))
        _, digest = blob()
        for call in (
            lambda: store.open_blob(digest),
            lambda: store.blob_size(digest),
            lambda: store.fetch_blob(digest, tmp_path / "target"),
            lambda: store.get_document("a"),
            lambda: store.list_documents("a/"),
            lambda: store.put_document("a", b""),
            lambda: store.put_blob(b"", Digest.of(b"")),
            store.check,
        ):
            with pytest.raises(StoreUnavailable, match="bucket"):
                call()

    def test_a_wrong_key_says_which_settings_to_mend(self, s3_server, s3_settings):
        store = open_store(s3_settings.model_copy(update={"s3_access_key": "wrong"}))
        with pytest.raises(StoreUnavailable, match="WHEELYARD_S3_ACCESS_KEY"):
            store.get_document("a")
        with pytest.raises(StoreUnavailable, match="WHEELYARD_S3_ACCESS_KEY"):
            store.blob_size(Digest.of(b""))

    def test_a_closed_port_is_said_soon(self, s3_settings):
        store = open_store(s3_settings.model_copy(update={"s3_endpoint": "http://127.0.0.1:9"}))
        start = time.monotonic()
        with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:9"):
            store.get_document("a")
        assert time.monotonic() - start < 15

    def test_every_promise_is_tried_by_name(self, store):
        assert [promise.name for promise in store.check()] == [
            "conditional writes", "listing after a write", "checksums", "presigned addresses with ranges",
            "uploads in parts", "renewal and removal",
        ]  # fmt: skip

    def test_a_promise_that_is_not_kept_is_named_with_what_it_costs(self, store, monkeypatch):
        monkeypatch.setattr("wheelyard.store.s3_probe.S3Bucket.link", lambda *_: "http://127.0.0.1:9/x")
        broken = [promise for promise in store.check() if not promise.kept]
        assert [promise.name for promise in broken] == ["presigned addresses with ranges"]
        assert "WHEELYARD_SERVE_FILES" in broken[0].costs
        assert list(store.list_documents("")) == []

    def test_keys_may_come_from_a_profile(self, s3_server, s3_settings, tmp_path, monkeypatch):
        path = tmp_path / "credentials"
        path.write_text(
            f"[team]\naws_access_key_id={s3_server.access_key}\n"
            f"aws_secret_access_key={s3_server.secret_key}\n"
        )
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
        without = {"s3_access_key": "", "s3_secret_key": SecretStr("")}
        store = open_store(s3_settings.model_copy(update={**without, "s3_profile": "team"}))
        store.put_document("a", b"b")
        assert store.get_document("a") == b"b"
        absent = open_store(s3_settings.model_copy(update={**without, "s3_profile": "nobody"}))
        with pytest.raises(StoreUnavailable, match="nobody"):
            absent.get_document("a")

    @pytest.mark.parametrize(
        ("style", "place"),
        [("virtual", "wheelyard.example.invalid/"), ("path", "example.invalid/wheelyard/")],
    )
    def test_the_bucket_stands_where_the_settings_say(self, s3_settings, style, place):
        changed = {"s3_endpoint": "https://example.invalid", "s3_path_style": style}
        store = open_store(s3_settings.model_copy(update=changed))
        assert f"https://{place}" in store.presigned_url(Digest.of(b""), "a.whl", 60)

    @pytest.mark.parametrize(
        ("fields", "expected"),
        [
            ({"s3_sse": "AES256"}, {"ServerSideEncryption": "AES256"}),
            (
                {"s3_sse": "aws:kms", "s3_sse_kms_key": "key-1"},
                {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "key-1"},
            ),
            ({}, {}),
        ],
    )
    def test_encryption_is_asked_for_with_every_write(self, s3_settings, monkeypatch, fields, expected):
        store = open_store(s3_settings.model_copy(update=fields))
        asked = []

        def note(params, **_rest):
            asked.append({name: params[name] for name in params if name.startswith(("Server", "SSE"))})

        for operation in ("PutObject", "CopyObject", "CreateMultipartUpload"):
            store._client.meta.events.register(f"provide-client-params.s3.{operation}", note)
        content, digest = blob()
        with contextlib.suppress(StoreUnavailable):
            store.put_blob(content, digest)
        with contextlib.suppress(StoreUnavailable):
            store.put_document("a", b"b")
        assert asked == [expected] * 2

    def test_a_bucket_may_be_made_twice(self, s3_server):
        make_bucket(s3_server)

    def test_damaged_bytes_are_an_outage_and_do_not_come_out(self, store, tmp_path):
        content, digest = blob()
        client, place = store._client, store._at(f"blobs/sha256/{digest.hex[:2]}/{digest.hex}")
        client.put_object(**place, Body=content[:-1])
        with pytest.raises(StoreUnavailable, match="damaged"):
            store.fetch_blob(digest, tmp_path / "target")
        assert list(tmp_path.iterdir()) == []

    def test_a_server_that_is_killed_is_an_outage_and_loses_nothing_that_it_took(self, tmp_path):
        with running_s3(tmp_path) as server:
            store = open_store(server.settings())
            content, digest = blob(30 << 20)
            store.put_blob(content, digest)
            stream = store.open_blob(digest)
            assert stream is not None
            assert stream.read(10) == content[:10]
            server.process.signal(signal.SIGKILL)
            start = time.monotonic()
            with pytest.raises(StoreUnavailable):
                store.get_document("a")
            with pytest.raises(StoreUnavailable), stream:
                stream.read()
            with pytest.raises(StoreUnavailable):
                store.put_blob(*blob())
            assert time.monotonic() - start < 30
