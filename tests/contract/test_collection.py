"""What a collection takes and what it leaves, on both databases; and beside a writer, on both stores."""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import replace

import pytest

from wheelyard.build_key import BuildInputs
from wheelyard.catalogue import Catalogue
from wheelyard.digests import Digest, canonical_json
from wheelyard.fitting import FittingWheel
from wheelyard.index_changes import Change, read_changes
from wheelyard.index_file import IndexFile, keep_file
from wheelyard.jobs.ledger import Ledger
from wheelyard.jobs.models import BuildLockRow, FileRow, UpstreamFileRow
from wheelyard.jobs.states import Kind
from wheelyard.keeping.collection import YOUNG, Collection
from wheelyard.keeping.file_rules import DAY, Rules
from wheelyard.keeping.rebuilding import Rebuilding
from wheelyard.removed_files import removed_names
from wheelyard.settings import Settings
from wheelyard.store.folder import FolderStore
from wheelyard.store.open import open_store
from wheelyard.wheel_record import WheelRecord

OLD = 100 * DAY
ALL = Rules(older_than=0, unused_for=0)


class Bucket:
    """A store and a database with what a team leaves in them."""

    def __init__(self, store, database, root=None):
        self.store, self.database, self.root = store, database, root
        self.catalogue = Catalogue(database)

    def blob(self, text: str, days: float = 100) -> Digest:
        """A blob of some age."""
        digest = Digest.of(text.encode())
        self.store.put_blob(text.encode(), digest)
        if self.root is not None:
            moment = time.time() - days * DAY
            os.utime(self.root / "blobs" / "sha256" / digest.hex[:2] / digest.hex, (moment, moment))
        return digest

    def wheel(self, version: str, channel: str = "default", days: float = 100) -> WheelRecord:
        """A published wheel."""
        name = f"demo-{version}-cp311-cp311-linux_x86_64.whl"
        record = WheelRecord(
            inputs=BuildInputs(
                project="demo", version=version, sdist=str(self.blob(f"sdist {version}")),
                sdist_filename=f"demo-{version}.tar.gz", toolchain=str(Digest.of(b"toolchain")),
                target="manylinux_2_36_x86_64", python_tag="cp311",
                build_wheels={"setuptools-1-py3-none-any.whl": str(self.blob("setuptools"))},
                environment={}, config_settings={},
            ),
            channel=channel, filename=name, digest=self.blob(f"wheel {version}"), size=6 + len(version),
            metadata_digest=self.blob(f"metadata {version}"), requires_python="", requires_dist=(),
            imports=(), external=(), toolchain="debian12-cp311", log=str(self.blob(f"log {version}")),
            published_at=time.time() - days * DAY,
        )  # fmt: skip
        self.store.put_document(record.document_name, canonical_json(record.to_document()))
        self.show(IndexFile.of_record(record, channel))
        return record

    def show(self, file: IndexFile) -> None:
        kept = keep_file(self.store, file)
        with self.database.transaction() as session:
            self.catalogue.add(session, kept)

    def names(self, channel: str = "default") -> set[str]:
        return {file.filename for file in self.catalogue.files(channel)}

    def has(self, digest: Digest | str) -> bool:
        digest = digest if isinstance(digest, Digest) else Digest.parse(digest)
        return self.store.blob_size(digest) is not None

    def collect(self, rules: Rules = ALL, *, remove: bool = True):
        verdicts = {}
        found = Collection(self.store, self.database, rules).run(
            remove=remove, told_blob=lambda verdict: verdicts.setdefault(verdict.digest, verdict)
        )
        return found, verdicts


@pytest.fixture
def bucket(tmp_path, database) -> Bucket:
    root = tmp_path / "store"
    return Bucket(FolderStore(root), database, root)


def test_a_replaced_and_unused_wheel_goes_with_all_that_only_it_needs(bucket):
    old, new = bucket.wheel("1.0"), bucket.wheel("1.1")
    found, verdicts = bucket.collect()
    assert bucket.names() == {new.filename}
    assert [
        bucket.has(digest) for digest in (old.digest, old.metadata_digest, old.inputs.sdist, old.log)
    ] == [False] * 4
    assert all(map(bucket.has, (new.digest, new.metadata_digest, new.inputs.sdist, new.log)))
    assert bucket.has(Digest.of(b"setuptools"))
    assert bucket.store.get_document(old.document_name) is None
    assert bucket.store.get_document(new.document_name) is not None
    assert "replaced by" in verdicts[old.digest].reason
    assert found.freed == found.size(goes=True) > 0
    assert bucket.collect()[0].removed == 0


def test_a_dry_run_says_the_same_and_removes_nothing(bucket):
    old, _new = bucket.wheel("1.0"), bucket.wheel("1.1")
    found, verdicts = bucket.collect(remove=False)
    assert verdicts[old.digest].goes
    assert (found.removed, len(found.files)) == (0, 1)
    assert old.filename in bucket.names()
    assert all(bucket.has(digest) for digest in verdicts)


def test_every_byte_has_a_reason(bucket):
    bucket.wheel("1.0"), bucket.wheel("1.1")
    bucket.blob("nobody's")
    found, verdicts = bucket.collect(remove=False)
    assert all(verdict.reason for verdict in verdicts.values())
    assert found.size(goes=True) + found.size(goes=False) == sum(
        blob.size for blob in bucket.store.list_blobs()
    )


def test_the_name_of_what_went_stays_bound_and_the_bucket_knows(bucket):
    old, _new = bucket.wheel("1.0"), bucket.wheel("1.1")
    bucket.collect()
    assert removed_names(bucket.store, "default", "demo") == {old.filename}
    assert [change.fields["filename"] for change in read_changes(bucket.store)
            if change.kind is Change.REMOVE] == [old.filename]  # fmt: skip
    with pytest.raises(Exception, match="has another"):
        keep_file(bucket.store, replace(IndexFile.of_record(old, "default"), digest=Digest.of(b"other")))
    rebuilt = Rebuilding(bucket.store, bucket.database).run()
    assert (
        rebuilt.differences - rebuilt.done["channels", "added"] - rebuilt.done["build_locks", "added"]
    ) == 0


def test_what_was_written_lately_stays_whatever_names_it(bucket):
    fresh = bucket.blob("nobody's, but young", days=0.5)
    stale = bucket.blob("nobody's, and old", days=2)
    found, verdicts = bucket.collect()
    assert (bucket.has(fresh), bucket.has(stale)) == (True, False)
    assert verdicts[fresh].reason == YOUNG
    assert found.removed == 1


def test_what_another_channel_shows_stays(bucket):
    old, _new = bucket.wheel("1.0"), bucket.wheel("1.1")
    bucket.show(IndexFile.of_record(old, "stable"))
    bucket.collect()
    assert old.filename not in bucket.names()
    assert bucket.names("stable") == {old.filename}
    assert bucket.has(old.digest)
    assert bucket.store.get_document(old.document_name) is not None


def test_what_a_published_image_needs_stays_in_its_channel_too(bucket):
    old, _new = bucket.wheel("1.0"), bucket.wheel("1.1")
    layer, lost = bucket.blob("a layer of the image"), bucket.blob("a layer of no image")
    pin = {"project": "demo", "version": "1.0", "filename": old.filename, "digest": str(old.digest)}
    record = {"layers": [{"digest": str(layer)}], "wheels": [pin], "toolchain_image": str(Digest.of(b"t"))}
    bucket.store.put_document("records/images/abc.json", canonical_json(record))
    for name, digest in (("kept", layer), ("lost", lost)):
        bucket.store.put_document(
            f"records/layers/wheels/{name}.json",
            canonical_json({"digest": str(digest), "diff_id": f"sha256:{'1' * 64}", "title": name}),
        )
    bucket.collect()
    assert old.filename in bucket.names()
    assert (bucket.has(layer), bucket.has(lost)) == (True, False)
    assert bucket.store.get_document("records/layers/wheels/kept.json") is not None
    assert bucket.store.get_document("records/layers/wheels/lost.json") is None


@pytest.mark.parametrize("ended", [False, True])
def test_what_an_active_or_recent_job_names_stays(bucket, ended):
    old, _new = bucket.wheel("1.0"), bucket.wheel("1.1")
    app, lock = bucket.blob("an application"), bucket.blob("a lock")
    ledger = Ledger(bucket.database)
    plan = {"nodes": [{"key": old.key, "digest": str(old.digest)}]}
    spec = {"app": str(app), "lock": str(lock), "plan": plan}
    job, _ = ledger.submit(Kind.BUILD, "k" * 64, spec=spec, title="a build", toolchain="debian12-cp311")
    if ended:
        claim = ledger.claim(job.id, "worker", 60)
        ledger.succeed(claim, {"wheels": []}, log=str(bucket.blob("the job's log")))
    bucket.collect()
    assert old.filename in bucket.names()
    assert all(map(bucket.has, (app, lock, old.digest, old.inputs.sdist)))
    bucket.collect(replace(ALL, recent=-1.0))
    assert (old.filename in bucket.names()) is not ended


def test_upstreams_unused_files_and_old_logs_go_where_it_is_asked_for(bucket):
    record = bucket.wheel("1.0")
    used, unused = bucket.blob("used"), bucket.blob("unused")
    with bucket.database.transaction() as session:
        for digest, days in ((used, 1), (unused, 90)):
            session.add(
                UpstreamFileRow(
                    digest=str(digest), project="p", filename="p.whl", size=1, fetched_at=1.0,
                    used_at=time.time() - days * DAY,
                )
            )  # fmt: skip
    bucket.collect(Rules())
    assert all(map(bucket.has, (used, unused, record.log)))
    bucket.collect(Rules(unused_for=30 * DAY, logs_older_than=60 * DAY))
    assert (bucket.has(used), bucket.has(unused), bucket.has(record.log)) == (True, False, False)
    with bucket.database.reading() as session:
        assert session.get(UpstreamFileRow, str(unused)) is None
        assert session.get(UpstreamFileRow, str(used)) is not None


def test_superseded_compiler_caches_go_and_the_newest_stays(bucket):
    first, second = bucket.blob("first cache"), bucket.blob("second cache")
    for digest in (first, second):
        bucket.catalogue.set_compiler_cache("demo", "debian12-cp311", digest, 5)
    bucket.collect(Rules())
    assert (bucket.has(first), bucket.has(second)) == (False, True)


def test_compiler_caches_beyond_their_room_go_and_those_used_last_stay(bucket):
    clock = iter([1.0, 2.0, 3.0, 4.0])
    catalogue = Catalogue(bucket.database, lambda: next(clock))
    caches = {name: bucket.blob(f"cache of {name}") for name in ("a", "b", "c")}
    for name, digest in caches.items():
        catalogue.set_compiler_cache(name, "debian12-cp311", digest, 10)
    catalogue.use_compiler_cache("a", "debian12-cp311", caches["a"])
    _found, verdicts = bucket.collect(Rules(keep_compiler_caches=20))
    assert {name: bucket.has(digest) for name, digest in caches.items()} == {"a": True, "b": False, "c": True}
    assert verdicts[caches["b"]].reason == "a compiler cache beyond their room"


def test_a_use_of_a_cache_that_another_build_replaced_changes_nothing(bucket):
    first, second = bucket.blob("first cache"), bucket.blob("second cache")
    for digest in (first, second):
        bucket.catalogue.set_compiler_cache("demo", "debian12-cp311", digest, 5)
    bucket.catalogue.use_compiler_cache("demo", "debian12-cp311", first)
    assert bucket.catalogue.compiler_cache("demo", "debian12-cp311") == second


def test_a_rebuilt_wheel_stays_as_long_as_its_verification_is_recent(bucket):
    rebuilt = bucket.blob("rebuilt")
    difference = {"digests": [str(bucket.wheel("1.0").digest), str(rebuilt)]}
    ledger = Ledger(bucket.database)
    job, _ = ledger.submit(Kind.VERIFY, "v" * 64, spec={}, title="a verification", toolchain="debian12-cp311")
    claim = ledger.claim(job.id, "worker", 60)
    ledger.succeed(claim, {"verification": {"difference": difference}}, log="")
    bucket.collect(Rules())
    assert bucket.has(rebuilt)
    bucket.collect(Rules(recent=-1.0))
    assert not bucket.has(rebuilt)


def test_notes_beside_a_record_keep_no_wheel_and_go_with_it(bucket):
    old, new = bucket.wheel("1.0"), bucket.wheel("2.0")
    notes = {}
    for record in (old, new):
        fitting = FittingWheel.of_record(record)
        verified = f"records/verified/{record.key}/{'0' * 32}.json"
        bucket.store.put_document(fitting.document_name, fitting.to_bytes())
        bucket.store.put_document(verified, canonical_json({"digest": str(record.digest), "equal": True}))
        notes[record.key] = [fitting.document_name, verified]
    bucket.collect()
    assert (bucket.has(old.digest), bucket.has(new.digest)) == (False, True)
    assert [bucket.store.get_document(name) for name in notes[old.key]] == [None, None]
    assert None not in [bucket.store.get_document(name) for name in notes[new.key]]


def test_a_build_environment_of_no_wheel_goes_after_a_while(bucket):
    wheel = bucket.blob("setuptools 2")
    lock = bucket.blob(json.dumps({"pins": [{"digest": str(wheel)}]}))
    bucket.catalogue.set_build_lock("a" * 64, lock)
    bucket.collect(Rules())
    assert all(map(bucket.has, (lock, wheel)))
    bucket.collect(Rules(recent=-1.0))
    assert not any(map(bucket.has, (lock, wheel)))
    with bucket.database.reading() as session:
        assert session.get(BuildLockRow, "a" * 64) is None


def test_what_an_unknown_document_names_stays(bucket):
    digest = bucket.blob("somebody's")
    bucket.store.put_document("future/thing.json", canonical_json({"blob": str(digest)}))
    bucket.collect()
    assert bucket.has(digest)


@pytest.fixture(params=["folder", "s3"])
def any_store(request, tmp_path, monkeypatch):
    """A store in which everything counts as old after a second."""
    for module in ("folder", "s3"):
        monkeypatch.setattr(f"wheelyard.store.{module}.RENEW_SECONDS", -60.0)
    if request.param == "s3":
        return open_store(request.getfixturevalue("s3_settings"))
    return open_store(Settings(store_url=f"file://{tmp_path}/store"))


def test_what_is_published_while_it_collects_is_whole(any_store, database):
    """A writer publishes bytes that lie there, old and unused, while they are collected: it finds them."""
    if database.engine.dialect.name != "sqlite":
        pytest.skip("the stores are what differs here")
    bucket = Bucket(any_store, database)
    versions = [f"1.{number}" for number in range(12)]
    for version in versions:
        bucket.blob(f"wheel {version}")
    newest = max(int(blob.modified_at) for blob in any_store.list_blobs())
    time.sleep(max(0.0, newest + 2.1 - time.time()))
    begin = threading.Barrier(2)

    def publish():
        begin.wait()
        for version in versions:
            bucket.wheel(version, days=0)

    writer = threading.Thread(target=publish)
    writer.start()
    begin.wait()
    while writer.is_alive():
        bucket.collect(Rules(grace=1.0))
    writer.join()
    with database.reading() as session:
        rows = session.query(FileRow.digest, FileRow.metadata_digest).all()
    assert len(rows) == len(versions)
    assert [row for row in rows if not all(map(bucket.has, row))] == []
