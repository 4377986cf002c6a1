"""Fetching from a real server into a real store: by digest, or not at all."""

import errno
import os

import pytest
import stamina

from tests.index_site import serve_index
from wheelyard.digests import Digest
from wheelyard.errors import DiskFull, ForeignOutputRefused, IndexUnavailable, NotFound
from wheelyard.locks import IndexFile
from wheelyard.store.folder import FolderStore
from wheelyard.upstream.fetch import fetch_file
from wheelyard.upstream.index import Upstream
from wheelyard.upstream.pip_index import PipIndex


@pytest.fixture
def site():
    with serve_index() as served, stamina.set_testing(True, attempts=5, cap=True):  # no pauses
        yield served


@pytest.fixture
def upstream(site):
    return Upstream(PipIndex(url=site.url), attempts=2, patience=5)


@pytest.fixture
def folder_store(tmp_path):
    return FolderStore(tmp_path / "store")


@pytest.fixture
def scratch(tmp_path):
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


def index_file(file):
    return IndexFile(filename=file.filename, digest=Digest.of(file.body))


def test_brings_a_file_into_the_store_once(site, upstream, folder_store, scratch):
    file = site.add_sdist("demo", "1.0")
    for _ in range(2):
        fetch_file("demo", index_file(file), folder_store, upstream, scratch=scratch)
    with folder_store.open_blob(Digest.of(file.body)) as stored:
        assert stored.read() == file.body
    assert site.asked == ["/simple/demo/", "/packages/demo/demo-1.0.tar.gz"]
    assert list(scratch.iterdir()) == []


def test_what_is_stored_needs_no_index(site, folder_store, upstream):
    file = site.add_sdist("demo", "1.0")
    folder_store.put_blob(file.body, Digest.of(file.body))
    site.fail_with = 500
    fetch_file("demo", index_file(file), folder_store, upstream)
    assert site.asked == []


def test_bytes_that_are_not_what_the_index_lists_leave_nothing_behind(site, upstream, folder_store, scratch):
    file = site.add_sdist("demo", "1.0", listed_sha256="0" * 64)
    wanted = IndexFile(filename=file.filename, digest=Digest("0" * 64))
    with pytest.raises(ForeignOutputRefused) as caught:
        fetch_file("demo", wanted, folder_store, upstream, scratch=scratch)
    assert caught.value.found == str(Digest.of(file.body))
    assert folder_store.blob_size(Digest.of(file.body)) is None
    assert folder_store.blob_size(wanted.digest) is None
    assert list(scratch.iterdir()) == []


def test_an_index_that_lists_another_hash_than_the_lock_is_refused(site, upstream, folder_store):
    file = site.add_sdist("demo", "1.0")
    wanted = IndexFile(filename=file.filename, digest=Digest("1" * 64))
    with pytest.raises(ForeignOutputRefused) as caught:
        fetch_file("demo", wanted, folder_store, upstream)
    assert (caught.value.expected, caught.value.found) == (str(wanted.digest), str(Digest.of(file.body)))


def test_a_file_that_is_gone_is_said_to_be_gone(site, upstream, folder_store):
    site.add_sdist("demo", "1.0")
    wanted = IndexFile(filename="demo-0.9.tar.gz", digest=Digest("1" * 64))
    with pytest.raises(NotFound, match=r"demo-0\.9\.tar\.gz is not on the index any more"):
        fetch_file("demo", wanted, folder_store, upstream)


def test_a_cut_off_download_leaves_nothing_behind(site, upstream, folder_store, scratch):
    file = site.add_sdist("demo", "1.0", cut_at=30)
    with pytest.raises(IndexUnavailable):
        fetch_file("demo", index_file(file), folder_store, upstream, scratch=scratch)
    assert folder_store.blob_size(Digest.of(file.body)) is None
    assert list(scratch.iterdir()) == []


def test_a_full_disk_is_said_to_be_full(site, upstream, folder_store, scratch, monkeypatch):
    file = site.add_sdist("demo", "1.0")

    def full(*_args, **_more):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("wheelyard.digests.DigestingWriter.write", full)
    with pytest.raises(DiskFull, match=r"demo-1\.0\.tar\.gz could not be written"):
        fetch_file("demo", index_file(file), folder_store, upstream, scratch=scratch)
    assert list(scratch.iterdir()) == []
