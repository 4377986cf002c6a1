"""The commands that keep the cache, on a real store and database; and clients that we did not write."""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import venv
from pathlib import Path

import pytest

from tests.databases import migrated_sqlite
from tests.integration.builder_service.conftest import make_wheel
from wheelyard.build_key import BuildInputs
from wheelyard.catalogue import Catalogue
from wheelyard.cli.app import run
from wheelyard.digests import Digest, canonical_json
from wheelyard.index_file import FileKind, IndexFile, Origin, keep_file
from wheelyard.jobs.database import Database
from wheelyard.jobs.ledger import Ledger
from wheelyard.jobs.states import Kind
from wheelyard.store.folder import FolderStore
from wheelyard.wheel_record import WheelRecord

DAY = 86400.0


class Cache:
    """A folder store and a SQLite file, as the settings of this process name them."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "store"
        self.url = migrated_sqlite(folder / "wheelyard.db")
        self.store, self.database = FolderStore(self.root), Database(self.url)
        self.catalogue, self.ledger = Catalogue(self.database), Ledger(self.database)

    def show(self, file: IndexFile) -> None:
        kept = keep_file(self.store, file)
        with self.database.transaction() as session:
            self.catalogue.add(session, kept)

    def wheel(
        self, project: str, version: str, requires: tuple[str, ...] = (), patches: tuple[str, ...] = ()
    ) -> WheelRecord:
        """A published wheel that pip installs."""
        metadata = f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n".encode()
        metadata += b"".join(f"Requires-Dist: {one}\n".encode() for one in requires)
        body = make_wheel(project, version, metadata)
        self.store.put_blob(body, Digest.of(body))
        self.store.put_blob(metadata, Digest.of(metadata))
        sdist = f"sdist of {project} {version}".encode()
        self.store.put_blob(sdist, Digest.of(sdist))
        record = WheelRecord(
            inputs=BuildInputs(
                project=project, version=version, sdist=str(Digest.of(sdist)),
                sdist_filename=f"{project}-{version}.tar.gz", toolchain=str(Digest.of(b"image")),
                target="manylinux_2_36_x86_64", python_tag="cp311", build_wheels={}, environment={},
                config_settings={}, patches=patches,
            ),
            channel="default", filename=f"{project}-{version}-py3-none-any.whl", digest=Digest.of(body),
            size=len(body), metadata_digest=Digest.of(metadata), requires_python="", requires_dist=requires,
            imports=(project,), external=(), toolchain="debian12-cp311",
            published_at=time.time() - 100 * DAY,
        )  # fmt: skip
        self.store.put_document(record.document_name, canonical_json(record.to_document()))
        self.show(IndexFile.of_record(record, "default"))
        return record

    def path(self, digest: Digest) -> Path:
        return self.root / "blobs" / "sha256" / digest.hex[:2] / digest.hex

    def flip(self, digest: Digest) -> None:
        """Change one byte on the disk."""
        body = bytearray(self.path(digest).read_bytes())
        body[len(body) // 2] ^= 1
        self.path(digest).write_bytes(body)

    def age(self, days: float) -> None:
        moment = time.time() - days * DAY
        for blob in self.store.list_blobs():
            os.utime(self.path(blob.digest), (moment, moment))


@pytest.fixture
def cache(tmp_path, own_machine, monkeypatch):
    made = Cache(tmp_path)
    monkeypatch.setenv("WHEELYARD_STORE_URL", f"file://{made.root}")
    monkeypatch.setenv("WHEELYARD_DATABASE_URL", made.url)
    yield made
    made.database.close()


@pytest.fixture
def cli(cache, capsys):
    def command(*arguments: str, code: int = 0) -> str:
        capsys.readouterr()
        ended = run(["cache", *arguments])
        out, err = capsys.readouterr()
        assert ended == code, out + err
        return out if code == 0 else out + err

    return command


def test_a_whole_cache_is_said_to_be_whole(cache, cli):
    cache.wheel("one", "1.0")
    assert "all of it is whole" in cli("verify")
    assert json.loads(cli("verify", "--json"))["whole"] is True


def test_a_flipped_byte_a_lost_wheel_and_a_damaged_record_are_found(cache, cli):
    flipped, lost, torn = (cache.wheel(name, "1.0") for name in ("flipped", "lost", "torn"))
    cache.flip(flipped.digest)
    cache.path(lost.digest).unlink()
    record = cache.root / torn.document_name
    record.write_bytes(record.read_bytes().replace(b"torn-1.0.tar.gz", b"torn-1.1.tar.gz"))
    report = json.loads(cli("verify", "--json", code=3))
    found = {(fault["digest"], fault["fault"]): fault["names"][0]["name"] for fault in report["faults"]}
    assert found == {
        (str(flipped.digest), "damaged"): flipped.filename,
        (str(lost.digest), "lost"): lost.filename,
    }
    assert torn.document_name in report["unreadable"][0]
    assert "lost" in cli("verify", code=3)


def test_a_lost_patch_is_found_and_how_it_comes_back_is_said(cache, cli):
    patch = Digest.of(b"--- a\n+++ b\n")
    cache.wheel("mended", "1.0", patches=(str(patch),))
    (fault,) = json.loads(cli("verify", "--json", code=3))["faults"]
    assert (fault["digest"], fault["fault"]) == (str(patch), "lost")
    assert "wheelyard plan mended==1.0" in cli("verify", "--repair", code=3)
    cache.store.put_blob(b"--- a\n+++ b\n", patch)
    assert "all of it is whole" in cli("verify")


def test_a_lost_wheel_is_queued_to_be_built_of_its_records_inputs(cache, cli):
    base = cache.wheel("base", "1.0")
    record = cache.wheel("top", "2.0", ("base>=1", 'gone; python_version < "3"'))
    cache.flip(record.digest)
    said = cli("verify", "--repair", code=3)
    assert "built again: top 2.0" in said
    (job,) = cache.ledger.latest(kind=Kind.WHEEL)
    assert (job.key, job.toolchain, job.channel) == (record.key, "debian12-cp311", "default")
    assert job.spec["inputs"] == record.inputs.to_document()
    assert (job.spec["runtime"], job.spec["show"]) == ([base.key], False)
    assert cache.store.blob_size(record.digest) is None
    # Asked again, the same build is joined.
    cli("verify", "--repair", code=3)
    assert [one.id for one in cache.ledger.latest(kind=Kind.WHEEL)] == [job.id]


def test_wheels_that_need_one_another_are_built_in_their_order(cache, cli):
    base, top = cache.wheel("base", "1.0"), cache.wheel("top", "2.0", ("base",))
    for record in (base, top):
        cache.flip(record.digest)
    assert "1 more wheels need those first" in cli("verify", "--repair", code=3)
    assert [job.title for job in cache.ledger.latest(kind=Kind.WHEEL)] == ["base 1.0"]
    cache.store.put_blob(make_body(base), base.digest)
    cli("verify", "--repair", code=3)
    assert {job.title for job in cache.ledger.latest(kind=Kind.WHEEL)} == {"base 1.0", "top 2.0"}


def make_body(record: WheelRecord) -> bytes:
    project, version = record.inputs.project, record.inputs.version
    metadata = f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n".encode()
    return make_wheel(project, version, metadata)


def test_lost_metadata_comes_out_of_the_wheel_again(cache, cli):
    record = cache.wheel("one", "1.0")
    cache.flip(record.metadata_digest)
    assert "read out of the wheel again" in cli("verify", "--repair")
    assert "all of it is whole" in cli("verify")
    assert cache.ledger.latest() == []


def test_a_damaged_upload_is_left_to_who_has_it(cache, cli):
    body = b"an sdist"
    cache.store.put_blob(body, Digest.of(body))
    cache.show(
        IndexFile(
            channel="default", project="up", version="1", filename="up-1.tar.gz", kind=FileKind.SDIST,
            origin=Origin.UPLOADED, digest=Digest.of(body), size=8, metadata_digest=None, published_at=1.0,
        )
    )  # fmt: skip
    cache.flip(Digest.of(body))
    assert "up-1.tar.gz: upload the same file again" in cli("verify", "--repair", code=3)
    cache.store.put_blob(body, Digest.of(body))
    assert "all of it is whole" in cli("verify")


def test_gc_says_of_each_byte_why_it_stays_or_goes(cache, cli):
    old, new = cache.wheel("one", "1.0"), cache.wheel("one", "1.1")
    nobodys = Digest.of(b"nobody's")
    cache.store.put_blob(b"nobody's", nobodys)
    cache.age(50)
    lines = [
        json.loads(line) for line in cli("gc", "--dry-run", "--older-than", "30d", "--json").splitlines()
    ]
    blobs = {line["digest"]: line for line in lines if line["type"] == "blob"}
    assert all(line["reason"] for line in blobs.values())
    assert {line["filename"]: line["goes"] for line in lines if line["type"] == "file"} == {
        old.filename: True, new.filename: False,
    }  # fmt: skip
    assert (blobs[str(nobodys)]["goes"], blobs[str(new.digest)]["goes"]) == (True, False)
    assert lines[-1]["goes"] + lines[-1]["stays"] == sum(line["size"] for line in blobs.values())
    said = cli("gc", "--dry-run")
    assert "nothing names it" in said
    assert "a channel shows it" in said
    assert "would go" in said
    assert "4 objects are gone" in cli("gc", "--delete", "--older-than", "30d")
    assert cache.store.blob_size(old.digest) is None
    assert "all of it is whole" in cli("verify")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["gc"], "--dry-run or --delete"),
        (["gc", "--dry-run", "--delete"], "--dry-run or --delete"),
        (["gc", "--dry-run", "--older-than", "soon"], "--older-than"),
        (["gc", "--dry-run", "--keep-size", "much"], "--keep-size"),
        (["gc", "--dry-run", "--channel", "../x"], "channel"),
        (["export", "/tmp/x", "--channel", "nosuch"], "nosuch"),
    ],
)
def test_wrong_options_are_said_plainly(cli, arguments, words):
    assert words in cli(*arguments, code=2)


def test_without_a_store_the_settings_are_named(own_machine, capsys, monkeypatch):
    monkeypatch.delenv("WHEELYARD_STORE_URL", raising=False)
    assert run(["cache", "verify"]) == 2
    assert "WHEELYARD_STORE_URL" in capsys.readouterr().err


def test_a_lost_database_is_made_again(cache, cli, tmp_path):
    record = cache.wheel("one", "1.0")
    cache.database.close()
    (tmp_path / "wheelyard.db").unlink()
    assert "files: one-1.0-py3-none-any.whl in default added" in cli("rebuild-db", "--dry-run")
    said = json.loads(cli("rebuild-db", "--json"))
    assert said["rows"]["files added"] == 1
    assert [file.digest for file in cache.catalogue.files("default")] == [record.digest]
    assert json.loads(cli("rebuild-db", "--json"))["rows"]["files same"] == 1


@contextlib.contextmanager
def web_server(folder: Path):
    """Python's own static server, as `python -m http.server` runs it."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_arguments) -> None:
            pass

    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=folder)
    ) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("env")
    venv.create(folder, symlinks=True)
    return folder / "bin" / "python"


def pip(python: Path, target: Path, *arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(python), "--isolated", "--disable-pip-version-check",
         "install", "--no-cache-dir", "--target", str(target), *arguments],
        check=True, timeout=120, capture_output=True, env={**os.environ, "PIP_CONFIG_FILE": "/dev/null"},
    )  # fmt: skip


def test_a_static_copy_is_installed_from_by_pip_over_http_and_from_the_folder(cache, cli, tmp_path, python):
    cache.wheel("base", "1.0")
    cache.wheel("top", "2.0", ("base",))
    folder = tmp_path / "moved" / "copy"
    cli("export", str(tmp_path / "copy"))
    shutil.move(tmp_path / "copy", folder)
    with web_server(folder.parent) as url:
        pip(python, tmp_path / "http", "--index-url", f"{url}/copy/simple/", "top")
    pip(python, tmp_path / "links", "--no-index", "--find-links", str(folder / "files"), "top")
    for place in ("http", "links"):
        assert (tmp_path / place / "top.py").is_file()
        assert (tmp_path / place / "base.py").is_file()
    page = json.loads((folder / "simple" / "top" / "index.json").read_bytes())
    assert page["files"][0]["url"] == "../../files/top-2.0-py3-none-any.whl"
    assert (folder / "files" / "top-2.0-py3-none-any.whl.metadata").is_file()


def test_a_second_export_copies_only_what_is_new_and_removes_what_went(cache, cli, tmp_path):
    folder = tmp_path / "copy"
    first = cache.wheel("one", "1.0")
    assert json.loads(cli("export", str(folder), "--json"))["copied"] == 2
    path = folder / "files" / first.filename
    before = path.stat().st_mtime_ns
    cache.wheel("one", "1.1")
    (folder / "files" / "mine.txt").write_text("not theirs")
    again = json.loads(cli("export", str(folder), "--json"))
    assert (again["copied"], again["same"]) == (2, 2)
    assert path.stat().st_mtime_ns == before
    path.write_bytes(b"torn")
    assert json.loads(cli("export", str(folder), "--json"))["copied"] == 1
    assert Digest.of_file(path) == first.digest
    cache.age(50)
    cli("gc", "--delete", "--older-than", "30d")
    assert json.loads(cli("export", str(folder), "--json"))["removed"] == 2
    assert not path.exists()
    assert first.filename not in (folder / "simple" / "one" / "index.html").read_text()
    assert (folder / "files" / "mine.txt").read_text() == "not theirs"


def test_an_export_leaves_out_a_damaged_file_and_says_so(cache, cli, tmp_path):
    good, bad = cache.wheel("one", "1.0"), cache.wheel("one", "1.1")
    cache.flip(bad.digest)
    assert "left out: one-1.1" in cli("export", str(tmp_path / "copy"), code=3)
    page = (tmp_path / "copy" / "simple" / "one" / "index.html").read_text()
    assert good.filename in page
    assert bad.filename not in page
