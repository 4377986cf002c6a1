"""A store that is out for a while costs its worker time and nothing else."""

from __future__ import annotations

import pytest

from wheelyard.digests import Digest
from wheelyard.errors import DiskFull, StoreUnavailable
from wheelyard.store.folder import FolderStore
from worker import patient_store
from worker.patient_store import PatientStore

BODY = b"bytes"
DIGEST = Digest.of(BODY)


class Failing(FolderStore):
    """Is out for the first calls."""

    def __init__(self, folder, times, error=StoreUnavailable):
        super().__init__(folder)
        self.left = times
        self.error = error

    def _fail(self):
        if self.left > 0:
            self.left -= 1
            raise self.error("it is out")

    def put_blob(self, source, digest):
        self._fail()
        super().put_blob(source, digest)

    def fetch_blob(self, digest, target):
        self._fail()
        return super().fetch_blob(digest, target)


@pytest.fixture
def waits(monkeypatch):
    """The pauses, in a time of the test's own."""
    now, waited = [0.0], []

    def sleep(seconds):
        waited.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(patient_store.time, "sleep", sleep)
    monkeypatch.setattr(patient_store.time, "monotonic", lambda: now[0])
    return waited


def test_asks_again_until_the_store_is_back(tmp_path, waits):
    store = PatientStore(Failing(tmp_path, 5))
    store.put_blob(BODY, DIGEST)
    assert store.fetch_blob(DIGEST, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == BODY
    assert len(waits) == 5


def test_gives_up_after_a_minute(tmp_path, waits):
    store = PatientStore(Failing(tmp_path, 10_000))
    with pytest.raises(StoreUnavailable):
        store.put_blob(BODY, DIGEST)
    assert 50 < sum(waits) <= 60


def test_a_miss_and_a_full_disk_are_said_at_once(tmp_path, waits):
    assert PatientStore(FolderStore(tmp_path)).open_blob(DIGEST) is None
    with pytest.raises(DiskFull):
        PatientStore(Failing(tmp_path, 1, DiskFull)).put_blob(BODY, DIGEST)
    assert waits == []
