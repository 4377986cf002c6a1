"""Layers ahead of images: only where that is set, behind everybody, and never a build's own trouble."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.databases import migrated_sqlite
from wheelyard.catalogue import Catalogue
from wheelyard.digests import Digest
from wheelyard.errors import QueueUnavailable
from wheelyard.jobs.database import Database
from wheelyard.jobs.ledger import Ledger
from wheelyard.jobs.states import Kind, Priority, queue_of
from wheelyard.requests import Requests
from wheelyard.settings import Settings
from worker.layer_job import submit_layer_ahead
from worker.process import HANDLERS

IMAGE = str(Digest.of(b"image"))
RECORD = SimpleNamespace(
    inputs=SimpleNamespace(project="ape", version="1.0", toolchain=IMAGE),
    filename="ape-1.0-py3-none-any.whl",
    digest=Digest.of(b"ape"),
)


@pytest.fixture
def work(tmp_path):
    database = Database(migrated_sqlite(tmp_path / "jobs.db"))
    ledger = Ledger(database)
    doorbell = SimpleNamespace(ring=lambda job, queue: None)
    lines: list[str] = []
    services = SimpleNamespace(
        settings=Settings(layers_ahead=True),
        ledger=ledger,
        requests=Requests(ledger, Catalogue(database), doorbell, max_age=0),
        owner="me",
    )
    job = SimpleNamespace(client="ci", toolchain="debian12-cp311", channel="default")
    yield SimpleNamespace(
        services=services, claim=SimpleNamespace(job=job), log=SimpleNamespace(line=lines.append), lines=lines
    )
    database.close()


def test_a_built_wheel_gets_one_batch_job_for_its_layer(work):
    submit_layer_ahead(work, RECORD)
    submit_layer_ahead(work, RECORD)
    [job] = work.services.ledger.next_in_turn([queue_of(Kind.LAYER, "debian12-cp311")], 5)
    assert (job.kind, job.priority, job.title) == (Kind.LAYER, Priority.BATCH, "layer of ape 1.0")
    assert job.spec == {"image": IMAGE, "wheel": {
        "project": "ape", "version": "1.0", "filename": RECORD.filename, "digest": str(RECORD.digest),
    }}  # fmt: skip
    assert Kind.LAYER in HANDLERS


def test_nothing_is_asked_for_unless_it_is_set(work):
    work.services.settings = Settings()
    submit_layer_ahead(work, RECORD)
    assert work.services.ledger.next_in_turn([queue_of(Kind.LAYER, "debian12-cp311")], 5) == []


def test_a_build_does_not_fail_with_its_layer(work):
    def away(*args, **more):
        raise QueueUnavailable("the database is away")

    work.services.requests.layer = away
    submit_layer_ahead(work, RECORD)
    assert work.lines == ["the layer of ape 1.0 is not made ahead: the database is away"]
