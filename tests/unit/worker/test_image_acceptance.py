"""An image is held against policies by what is known of it, and never by what is lost."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from runtime_images.stored_facts import facts_document
from runtime_images.stored_layers import contents_document
from tests.layers import tiny_image
from wheelyard.build_request import BuildRequest
from wheelyard.errors import InfrastructureError
from wheelyard.image_receipt import files_document
from wheelyard.image_record import ImageRecord
from wheelyard.image_request import ImageRequest
from wheelyard.policy_check import PolicyViolated
from wheelyard.settings import Settings
from wheelyard.store.folder import FolderStore
from worker import image_acceptance
from worker.image_acceptance import accept_image


class Gate:
    """A store with one image that holds a file which is forbidden."""

    def __init__(self, folder):
        self.store = FolderStore(folder / "store")
        self.image = tiny_image(self.store, {"app/secret.key": b"1"})
        services = SimpleNamespace(store=self.store, settings=Settings(data_dir=folder / "data"))
        self.work = SimpleNamespace(services=services, scratch=folder / "scratch")
        self.record = ImageRecord(
            key="0" * 64,
            image_id=self.image.id,
            config_size=1,
            manifest_digest=self.image.digest,
            manifest_size=1,
            toolchain="t",
            toolchain_image="sha256:" + "c" * 64,
            layers=self.image.layers,
            wheels=(),
            workdir="/app",
            user="1000:1000",
            size=1,
            unpacked=1,
        )

    def accept(self, **policy):
        build = BuildRequest(requirements=("demo",), toolchain="t")
        request = ImageRequest(build=build, policy={"request": policy} if policy else None)
        accept_image(self.work, request, "manylinux_2_36_x86_64", self.record)

    def lose_files(self):
        self.store.delete_document(files_document(self.record.manifest_digest))


@pytest.fixture
def gate(tmp_path) -> Gate:
    return Gate(tmp_path)


def test_a_forbidden_file_is_found_again_where_the_list_was_lost(gate):
    gate.accept()
    gate.lose_files()
    with pytest.raises(PolicyViolated, match="violates a rule"):
        gate.accept(forbidden_files=("*.key",))


def test_an_image_whose_files_can_not_be_listed_is_not_accepted(gate):
    gate.accept()
    gate.lose_files()
    for layer in gate.record.layers:
        gate.store.delete_blob(layer.digest)
        for document in (contents_document(layer.diff_id), facts_document(layer.diff_id)):
            gate.store.delete_document(document)
    with pytest.raises(InfrastructureError):
        gate.accept(forbidden_files=("*.key",))


def test_a_list_that_is_lost_behind_the_receipt_is_no_empty_list(gate, monkeypatch):
    monkeypatch.setattr(image_acceptance, "load_files", lambda _store, _digest: None)
    with pytest.raises(InfrastructureError, match="list of an image's files"):
        gate.accept(forbidden_files=("*.key",))
