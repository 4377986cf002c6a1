"""A disk that is full for real: a small tmpfs under each store."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import running_s3
from wheelyard.digests import Digest
from wheelyard.errors import DiskFull
from wheelyard.settings import Settings
from wheelyard.store.open import open_store


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A file system of 120 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=120m", "tmpfs", str(folder)], timeout=10, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("only root may mount")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], timeout=10, check=True)


def fill(store) -> DiskFull:
    for _ in range(20):
        content = secrets.token_bytes(10 << 20)
        try:
            store.put_blob(content, Digest.of(content))
        except DiskFull as error:
            assert store.blob_size(Digest.of(content)) is None
            return error
    raise AssertionError("it never was full")


def test_a_full_folder_is_said_and_what_was_stored_stays_readable(small_disk, tmp_path):
    store = open_store(Settings(store_url=f"file://{small_disk}/store"))
    store.put_blob(b"first", Digest.of(b"first"))
    assert "No space left" in fill(store).found
    assert store.fetch_blob(Digest.of(b"first"), tmp_path / "first")
    assert list((small_disk / "store" / ".landing").iterdir()) == []


def test_a_blob_that_does_not_fit_where_it_is_fetched_to_leaves_no_part(small_disk, store):
    content = secrets.token_bytes(30 << 20)
    store.put_blob(content, Digest.of(content))
    (small_disk / "ballast").write_bytes(bytes(100 << 20))
    with pytest.raises(DiskFull, match="could not be written"):
        store.fetch_blob(Digest.of(content), small_disk / "wheels" / "target")
    assert list((small_disk / "wheels").iterdir()) == []


def test_a_full_disk_of_the_s3_server_is_said_and_what_was_stored_stays_readable(small_disk, tmp_path):
    with running_s3(small_disk) as server:
        store = open_store(server.settings().model_copy(update={"data_dir": small_disk}))
        store.put_blob(b"first", Digest.of(b"first"))
        assert "are free on the disk of" in fill(store).found
        assert store.fetch_blob(Digest.of(b"first"), tmp_path / "first")
