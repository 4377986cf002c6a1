"""Images in repositories: tags that move, what a collection leaves, and a database that is made again."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.builder_service.registry_images import make_layer, manifest_of
from wheelyard.digests import Digest, canonical_json
from wheelyard.errors import InputError, NotFound
from wheelyard.image_catalogue import ALL_IMAGES, ImageCatalogue
from wheelyard.image_manifest import read_manifest
from wheelyard.image_name import ImageName
from wheelyard.image_publication import publish_image
from wheelyard.image_receipt import receipt_document
from wheelyard.image_record import ImageRecord, image_document
from wheelyard.image_referrers import attach, referrers_of
from wheelyard.image_repositories import Repositories, UnknownPart
from wheelyard.image_tags import ImageTags
from wheelyard.image_uploads import ImageUploads, OutOfOrder, UploadPart
from wheelyard.jobs.database import Database
from wheelyard.jobs.migrate import migrate
from wheelyard.jobs.models import ImageBlobRow, ImageManifestRow, ImageRow, ImageTagMoveRow, ImageTagRow
from wheelyard.keeping.collection import Collection
from wheelyard.keeping.file_rules import DAY, Rules
from wheelyard.keeping.rebuilding import Rebuilding
from wheelyard.keeping.references import Role
from wheelyard.keeping.verification import Verification
from wheelyard.oci import Runtime, make_image
from wheelyard.store.folder import FolderStore


class World:
    """A store in a folder, and a database."""

    def __init__(self, root, database):
        self.root, self.database = root, database
        self.store = FolderStore(root)
        self.tags = ImageTags(database, self.store)
        self.repositories = Repositories(database, self.store)
        self.images = ImageCatalogue(database, self.store)

    def make(self, content: bytes, *tags: str) -> ImageRecord:
        """An image as a worker makes and publishes it."""
        layer, body = make_layer("file", content)
        image = make_image([layer], Runtime(workdir="/"))
        for part in (body, image.config, image.manifest):
            self.store.put_blob(part, Digest.of(part))
        record = ImageRecord(
            key=Digest.of(content).hex, image_id=image.id, config_size=len(image.config),
            manifest_digest=image.digest, manifest_size=len(image.manifest), toolchain="debian12-cp311",
            toolchain_image=str(Digest.of(b"toolchain")), layers=(layer,), wheels=(), workdir="/",
            user="1000:1000", size=layer.size, unpacked=layer.unpacked,
        )  # fmt: skip
        self.store.put_document(image_document(record.key), canonical_json(record.to_document()))
        publish_image(self.database, self.store, record, tags, "ada")
        return record

    def push(self, repository: str, content: bytes, tag: str = "", **more):
        """An image as a client pushes it."""
        config = b'{"of": "' + content + b'"}'
        for blob in (config, content):
            self.store.put_blob(blob, Digest.of(blob))
            self.repositories.add_blob(repository, Digest.of(blob))
        body = manifest_of(config, [content], **more)
        self.store.put_blob(body, Digest.of(body))
        manifest = read_manifest(body)
        self.repositories.add_manifest(repository, manifest, "ada")
        if tag:
            self.tags.move(ImageName(repository=repository, tag=tag), manifest, "ada")
        return manifest

    def age(self, days: float = 100) -> None:
        """Let every blob be old."""
        moment = time.time() - days * DAY
        for path in (self.root / "blobs").rglob("*"):
            if path.is_file():
                os.utime(path, (moment, moment))

    def collect(self):
        return Collection(self.store, self.database, Rules(older_than=0, unused_for=0)).run(remove=True)

    def has(self, *digests: Digest) -> list[bool]:
        return [self.store.blob_size(digest) is not None for digest in digests]

    def rows(self):
        """What the tables hold, but for the times of images: their records have none."""
        tables = (ImageRow, ImageTagRow, ImageTagMoveRow, ImageManifestRow)
        with self.database.reading() as session:
            return {table.__tablename__: sorted(map(_shown, session.query(table))) for table in tables}


def _shown(row) -> str:
    fields = {column.name: getattr(row, column.name) for column in row.__table__.columns}
    fields.pop("made_at", None)
    if fields.get("repository") == ALL_IMAGES:
        fields.pop("at")
    return json.dumps(fields, sort_keys=True)


@pytest.fixture
def world(tmp_path, database) -> World:
    return World(tmp_path / "store", database)


def test_a_tag_moves_and_its_history_stays(world):
    first, second = world.make(b"1", "team/app:latest", "team/app:1"), world.make(b"2", "team/app:latest")
    assert world.tags.get("team/app", "latest").digest == second.manifest_digest
    assert world.tags.get("team/app", "1").image_key == first.key
    moves = world.tags.history("team/app", "latest")
    assert [move.digest for move in moves] == [second.manifest_digest, first.manifest_digest]
    assert {move.actor for move in moves} == {"ada"}
    world.tags.remove("team/app", "latest", "bob")
    assert world.tags.get("team/app", "latest") is None
    assert world.tags.history("team/app", "latest")[0].digest is None
    with pytest.raises(NotFound):
        world.tags.remove("team/app", "latest", "bob")


def test_a_tag_that_is_moved_to_where_it_stands_is_no_move(world):
    record = world.make(b"1", "team/app:latest")
    publish_image(world.database, world.store, record, ["team/app:latest"], "bob")
    assert len(world.tags.history("team/app", "latest")) == 1


def test_of_many_moves_at_the_same_time_one_stands_and_all_are_in_the_history(world):
    records = [world.make(b"image %d" % number) for number in range(8)]
    name = ImageName(repository="team/race", tag="latest")
    with ThreadPoolExecutor(8) as pool:
        moved = pool.map(
            lambda one: world.tags.name_image(name, one.manifest_digest, "ada", image_key=one.key), records
        )
        list(moved)
    moves = world.tags.history("team/race", "latest")
    assert {move.digest for move in moves} == {record.manifest_digest for record in records}
    assert world.tags.get("team/race", "latest").digest == moves[0].digest


def test_an_image_is_found_by_digest_id_key_a_part_of_these_and_tag(world):
    record = world.make(b"to be found", "team/found:1")
    world.make(b"another")
    for text in (
        str(record.manifest_digest), record.manifest_digest.hex, str(record.image_id),
        record.image_id.hex[:12], record.key, record.key[:20], "team/found:1",
        f"team/found@{record.manifest_digest}",
    ):  # fmt: skip
        assert world.images.find(text).key == record.key, text
    assert world.images.record("team/found:1") == record
    for text in ("team/found:2", "0" * 64, "sha256:" + "0" * 64, "nothing"):
        with pytest.raises(NotFound):
            world.images.find(text)
    with pytest.raises(InputError):
        world.images.find("Not A Name")


def test_a_manifest_with_parts_of_other_repositories_is_refused(world):
    record = world.make(b"somebody's", "team/closed:1")
    config = b"{}"
    world.store.put_blob(config, Digest.of(config))
    world.repositories.add_blob("team/thief", Digest.of(config))
    layer = {"mediaType": "a/b", "digest": str(record.layers[0].digest), "size": record.layers[0].size}
    body = json.dumps({**json.loads(manifest_of(config, [])), "layers": [layer]}).encode()
    with pytest.raises(UnknownPart):
        world.repositories.add_manifest("team/thief", read_manifest(body), "mallory")
    assert not world.repositories.has_blob("team/thief", record.layers[0].digest)


def test_a_collection_leaves_what_tagged_untagged_and_attached_images_need(world):
    made = world.make(b"made", "team/app:1")
    pushed = world.push("team/pushed", b"pushed layer", "v1")
    untagged = world.push("team/pushed", b"untagged layer")
    subject = {"mediaType": pushed.media_type, "digest": str(pushed.digest), "size": pushed.size}
    signature = world.push("team/pushed", b"a signature", subject=subject)
    sbom = attach(world.store, made.manifest_digest, "a/sbom", "a/sbom", b"an sbom")
    of_sbom = attach(world.store, sbom, "a/sig", "a/sig", b"a signature of the sbom")
    of_pushed = attach(world.store, pushed.digest, "a/note", "a/note", b"a note on what was pushed")
    world.age()
    world.collect()
    kept = [made.image_id, made.manifest_digest, made.layers[0].digest, sbom, of_sbom, of_pushed]
    kept += [
        Digest.of(body) for body in (b"an sbom", b"a signature of the sbom", b"a note on what was pushed")
    ]
    for manifest in (pushed, untagged, signature):
        kept += [manifest.digest, *manifest.blobs]
    assert all(world.has(*kept))
    assert [one.digest for one in referrers_of(world.store, made.manifest_digest)] == [sbom]


def test_a_deleted_image_goes_with_what_only_it_needs_and_with_what_is_about_it(world):
    gone, stays = world.push("team/app", b"gone", "v1"), world.push("team/app", b"stays", "v2")
    note = attach(world.store, gone.digest, "a/note", "a/note", b"about the one that goes")
    with world.database.transaction() as session:
        session.query(ImageBlobRow).filter_by(manifest="").delete()
    world.repositories.remove_manifest("team/app", gone.digest, "ada")
    assert world.tags.get("team/app", "v1") is None
    world.age()
    world.collect()
    assert not any(world.has(gone.digest, *gone.blobs, note, Digest.of(b"about the one that goes")))
    assert all(world.has(stays.digest, *stays.blobs))
    assert referrers_of(world.store, gone.digest) == []


def test_the_receipt_of_an_image_that_was_refused_keeps_nothing_and_goes_with_it(world):
    layer, body = make_layer("file", b"refused")
    image = make_image([layer], Runtime(workdir="/"))
    for part in (body, image.config, image.manifest):
        world.store.put_blob(part, Digest.of(part))
    made = world.make(b"made", "team/app:1")
    for digest in (image.digest, made.manifest_digest):
        names = canonical_json({"digest": str(digest), "layers": [str(layer.digest)]})
        world.store.put_document(receipt_document(digest), names)
    world.age()
    world.collect()
    assert not any(world.has(image.digest, image.id, layer.digest))
    assert world.store.get_document(receipt_document(image.digest)) is None
    assert world.store.get_document(receipt_document(made.manifest_digest)) is not None


def test_what_was_pushed_and_never_named_goes_after_a_day(world):
    for body in (b"pushed and forgotten", b"a part of a push"):
        world.store.put_blob(body, Digest.of(body))
    world.repositories.add_blob("team/app", Digest.of(b"pushed and forgotten"))
    uploads = ImageUploads(world.database)
    upload = uploads.begin("team/app", "ada")
    part = UploadPart(begins=0, size=16, digest=Digest.of(b"a part of a push"))
    uploads.add(upload, part)
    with pytest.raises(OutOfOrder):
        uploads.add(upload, part)
    world.age()
    world.collect()
    assert all(world.has(Digest.of(b"pushed and forgotten"), part.digest))
    later = time.time() + 2 * DAY
    Collection(world.store, world.database, Rules(older_than=0, unused_for=0), lambda: later).run(remove=True)
    assert not any(world.has(Digest.of(b"pushed and forgotten"), part.digest))
    assert not world.repositories.has_blob("team/app", Digest.of(b"pushed and forgotten"))
    with pytest.raises(NotFound):
        uploads.get("team/app", upload.id)


def test_a_database_that_is_made_again_has_the_same_repositories_tags_and_history(world, tmp_path):
    first = world.make(b"1", "team/app:latest", "team/app:gone")
    world.make(b"2", "team/app:latest")
    world.push("team/pushed", b"pushed", "v1")
    removed = world.push("team/pushed", b"removed", "v2")
    world.repositories.remove_manifest("team/pushed", removed.digest, "bob")
    world.tags.remove("team/app", "gone", "bob")
    migrate(f"sqlite:///{tmp_path / 'new.db'}")
    again = World(world.root, Database(f"sqlite:///{tmp_path / 'new.db'}"))
    said = Rebuilding(world.store, again.database).run(dry_run=True)
    assert said.differences
    assert again.rows()["images"] == []
    Rebuilding(world.store, again.database).run()
    assert again.rows() == world.rows()
    assert again.repositories.manifest(ALL_IMAGES, first.manifest_digest) is not None
    assert again.repositories.has_blob("team/app", first.layers[0].digest)
    assert not Rebuilding(world.store, again.database).run().differences
    again.database.close()


def test_a_rebuild_takes_back_what_only_the_database_says_of_a_tag(world):
    first, second = world.make(b"1", "team/app:latest"), world.make(b"2")
    with world.database.transaction() as session:
        session.get(ImageTagRow, ("team/app", "latest")).digest = str(second.manifest_digest)
    rebuilt = Rebuilding(world.store, world.database).run()
    assert rebuilt.done["image_tags", "mended"] == 1
    assert world.tags.get("team/app", "latest").digest == first.manifest_digest


def test_a_lost_blob_of_a_pushed_image_is_told(world):
    pushed = world.push("team/pushed", b"to be lost", "v1")
    world.store.delete_blob(Digest.of(b"to be lost"))
    (fault,) = Verification(world.store, world.database).run().faults
    assert fault.is_lost
    assert [(name.role, name.name) for name in fault.names] == [(Role.PUSHED, "team/pushed")]
    assert fault.digest in pushed.blobs


def test_a_clock_that_is_behind_moves_and_removes_a_tag_all_the_same(world):
    first, second = world.make(b"early"), world.make(b"late")
    name, now = ImageName.tagged("clock/app:1"), time.time()
    ImageTags(world.database, world.store, lambda: now).name_image(
        name, first.manifest_digest, "ada", image_key=first.key
    )
    behind = ImageTags(world.database, world.store, lambda: now - 5)
    behind.name_image(name, second.manifest_digest, "bob", image_key=second.key)
    assert world.tags.history("clock/app", "1")[0].digest == second.manifest_digest
    behind.remove("clock/app", "1", "bob")
    with pytest.raises(NotFound):
        behind.remove("clock/app", "1", "bob")
