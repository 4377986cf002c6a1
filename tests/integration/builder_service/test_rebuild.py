"""The database made again from the bucket alone: the same pages, byte for byte."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.databases import migrated_sqlite
from tests.distributions import sdist, wheel
from tests.integration.builder_service.test_uploads import NAME, attestation, send
from wheelyard.build_lock import lock_key_of
from wheelyard.digests import Digest
from wheelyard.index_changes import Change, note_change
from wheelyard.index_file import FileKind, IndexFile, Origin, keep_file
from wheelyard.jobs.models import FileRow, ToolchainRow
from wheelyard.keeping.rebuilding import Rebuilding
from wheelyard.locks import Lock
from wheelyard.projects import Projects, Status
from wheelyard.removed_files import note_removed
from wheelyard.simple_index import HTML, JSON
from wheelyard.yanks import Yanks

PATHS = ("/simple/", "/simple/{}/", "/channels/nightly/simple/", "/channels/nightly/simple/{}/")
PROJECTS = ("tiny-thing", "other", "uploaded", "demo")


def pages(door) -> dict[tuple[str, str], tuple[int, bytes]]:
    """Every page in both forms."""
    found = {}
    for path in {path.format(project) for path in PATHS for project in PROJECTS}:
        for form in (JSON, HTML):
            answer = door.guest.get(path, headers={"accept": form})
            found[path, form] = (answer.status_code, answer.content)
    return found


def upload(services, channel: str, name: str, body: bytes) -> IndexFile:
    """Publish an sdist as an upload does: bytes, the name, the row."""
    services.store.put_blob(body, Digest.of(body))
    file = IndexFile(
        channel=channel, project="uploaded", version="2.0", filename=name, kind=FileKind.SDIST,
        origin=Origin.UPLOADED, digest=Digest.of(body), size=len(body), metadata_digest=None,
        uploader="ci", published_at=1_764_000_100.5,
    )  # fmt: skip
    kept = keep_file(services.store, file)
    with services.catalogue.database.transaction() as session:
        services.catalogue.add(session, kept)
    return kept


@pytest.fixture
def filled(front_door, publish):
    """A channel on top of another, a yank, a status, an upload, built wheels, and what was taken back."""
    services, http = front_door.services, front_door.http
    publish(services)
    publish(services, version="1.1")
    publish(services, project="other", channel="default")
    assert http.put("/v1/channels/nightly", json={"base": "default"}).status_code < 300
    publish(services, version="2.0", channel="nightly")
    publish(services, project="other", version="3.0", channel="nightly")
    upload(services, "default", "uploaded-2.0.tar.gz", b"an sdist")
    gone = upload(services, "default", "uploaded-1.0.tar.gz", b"an older one")
    note_removed(services.store, gone.channel, gone.project, gone.filename)
    with services.catalogue.database.transaction() as session:
        session.delete(session.get(FileRow, (gone.channel, gone.filename)))
    database = services.catalogue.database
    yanks = Yanks(database, services.store)
    yanks.set("default", "tiny_thing-1.0-py3-none-any.whl", "it is broken", "test")
    yanks.set("default", "tiny_thing-1.1-py3-none-any.whl", "", "test")
    yanks.set("default", "tiny_thing-1.1-py3-none-any.whl", None, "test")
    projects = Projects(database, services.store)
    projects.set_status("other", Status.DEPRECATED, "use another", "test")
    projects.set_owned("uploaded", True, "test")
    # The real address for uploads, with what stands beside a file.
    content = wheel()
    given = json.dumps([attestation(NAME, Digest.of(content))])
    assert send(front_door, content, attestations=given).status_code == 200
    assert send(front_door, sdist(), "demo-1.0.tar.gz", filetype="sdist").status_code == 200
    return front_door


@pytest.fixture
def again(filled, settings_with, redis_url, serve, tmp_path):
    """Serves the same bucket from another database."""

    def start(name: str = "fresh.db"):
        path = tmp_path / name
        if not path.exists():
            migrated_sqlite(path)
        return serve(
            settings_with(
                redis_url=redis_url, database_url=f"sqlite:///{path}",
                store_url=filled.services.settings.store_url,
            )
        )  # fmt: skip

    return start


def rebuild(door, **options):
    services = door.services
    return Rebuilding(services.store, services.catalogue.database).run(**options)


def test_the_pages_of_a_fresh_database_are_the_same_byte_for_byte(filled, again):
    before = pages(filled)
    fresh = again()
    assert pages(fresh) != before
    rebuilt = rebuild(fresh)
    assert rebuilt.problems == []
    assert pages(fresh) == before
    assert before["/simple/tiny-thing/", JSON][0] == 200
    assert b"it is broken" in before["/simple/tiny-thing/", JSON][1]
    assert b"deprecated" in before["/simple/other/", HTML][1]
    assert b"uploaded-1.0" not in before["/simple/uploaded/", HTML][1]
    assert b"provenance" in before["/simple/demo/", JSON][1]
    assert b"tiny_thing-2.0" in before["/channels/nightly/simple/tiny-thing/", JSON][1]


def test_a_second_run_finds_nothing_to_do(filled, again):
    fresh = again()
    rebuild(fresh)
    for door in (fresh, filled):
        rebuild(door)
        second = rebuild(door)
        assert (second.differences, second.problems, second.notes) == (0, [], [])


def test_a_dry_run_says_what_differs_and_changes_nothing(filled, again):
    fresh = again()
    before = pages(fresh)
    said = rebuild(fresh, dry_run=True)
    assert said.done["files", "added"] == 8
    assert "files: uploaded-2.0.tar.gz in default added" in said.notes
    assert pages(fresh) == before


def test_a_row_that_differs_is_mended_and_one_that_was_removed_goes(filled):
    before = pages(filled)
    database = filled.services.catalogue.database
    with database.transaction() as session:
        row = session.get(FileRow, ("default", "tiny_thing-1.0-py3-none-any.whl"))
        row.yanked, row.size = None, 1
        session.add(
            FileRow(
                channel="default", filename="uploaded-1.0.tar.gz", project="uploaded", version="1.0",
                digest=str(Digest.of(b"an older one")), size=12, published_at=1.0,
            )
        )  # fmt: skip
    assert pages(filled) != before
    rebuilt = rebuild(filled)
    assert (rebuilt.done["files", "mended"], rebuilt.done["files", "removed"]) == (1, 1)
    assert pages(filled) == before


def test_what_was_removed_and_published_again_is_shown(filled, again):
    upload(filled.services, "default", "uploaded-1.0.tar.gz", b"an older one")
    before = pages(filled)
    assert b"uploaded-1.0" in before["/simple/uploaded/", HTML][1]
    fresh = again()
    rebuild(fresh)
    assert pages(fresh) == before


def test_wheels_of_an_old_bucket_are_shown_in_the_channel_of_their_record(front_door, publish, again):
    services = front_door.services
    record = publish(services, project="old-one")
    services.store.delete_document(IndexFile.of_record(record, "default").document_name)
    page = front_door.guest.get("/simple/old-one/", headers={"accept": JSON}).content
    fresh = again()
    assert rebuild(fresh).problems == []
    assert fresh.guest.get("/simple/old-one/", headers={"accept": JSON}).content == page
    assert services.store.get_document(IndexFile.of_record(record, "default").document_name) is not None


def test_rows_of_an_old_database_are_bound_in_the_bucket(filled, again):
    services = filled.services
    name = "tiny_thing-2.0-py3-none-any.whl"
    file = next(one for one in services.catalogue.files("nightly") if one.filename == name)
    services.store.delete_document(file.document_name)
    # A record would tell of it, too; a file that was shown in a second channel has none of its own.
    with services.catalogue.database.transaction() as session:
        second = replace(file, channel="default")
        services.catalogue.add(session, second)
    before = pages(filled)
    rebuild(filled)
    assert pages(filled) == before
    fresh = again()
    rebuild(fresh)
    assert pages(fresh) == before


def test_what_builds_are_found_by_holds_on(filled, again, publish):
    services = filled.services
    record = publish(services, project="locked")
    images = [str(Digest.of(body)) for body in (b"first", b"second")]
    for image in images:
        services.store.put_document(
            f"records/toolchains/debian12-cp311/{image.removeprefix('sha256:')}.json", b"{}"
        )
        note_change(services.store, Change.TOOLCHAIN, "test", {"name": "debian12-cp311", "image": image})
    fresh = again()
    rebuild(fresh)
    catalogue = fresh.services.catalogue
    assert catalogue.toolchain_image("debian12-cp311") == images[1]
    lock = catalogue.build_lock(lock_key_of(record.inputs))
    with fresh.services.store.open_blob(lock) as stream:
        assert Lock.from_document(json.loads(stream.read())).pins == ()
    with fresh.services.catalogue.database.reading() as session:
        assert session.get(ToolchainRow, "debian12-cp311").made_at > 0


def test_a_document_that_can_not_be_read_is_named_and_passed_over(filled, again):
    filled.services.store.put_document("index/files/default/broken.json", b"{not json")
    filled.services.store.put_document("index/files/default/strange.json", b'{"channel": "default"}')
    fresh = again()
    rebuilt = rebuild(fresh)
    assert {problem.split()[0] for problem in rebuilt.problems} == {
        "index/files/default/broken.json", "index/files/default/strange.json",
    }  # fmt: skip
    assert pages(fresh) == pages(filled)
