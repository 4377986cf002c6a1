"""What of a dead worker is removed on a host, and what is left alone."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.databases import migrated_sqlite
from wheelyard.digests import key_of
from wheelyard.errors import BuildFailed, EngineFailed
from wheelyard.jobs.database import Database
from wheelyard.jobs.ledger import Ledger
from wheelyard.jobs.states import Kind
from wheelyard.settings import Settings
from worker.engine.contract import LabelledContainer
from worker.leftovers import remove_leftovers


class Engine:
    """The part of an engine that a sweep asks."""

    def __init__(self):
        self.listed = {}
        self.stuck = set()

    def put(self, name, job, owner):
        self.listed[name] = LabelledContainer(id=name, job=job, owner=owner)

    def containers(self):
        return list(self.listed.values())

    def remove(self, container):
        if container in self.stuck:
            raise EngineFailed("it hangs")
        self.listed.pop(container)


@dataclass
class Services:
    settings: Settings
    ledger: Ledger
    engine: Engine


@pytest.fixture
def services(tmp_path):
    database = Database(migrated_sqlite(tmp_path / "jobs.db"))
    yield Services(Settings(data_dir=tmp_path), Ledger(database), Engine())
    database.close()


@pytest.fixture
def claim(services):
    job, _ = services.ledger.submit(Kind.WHEEL, key_of("a"), spec={}, title="a", toolchain="tc")
    return services.ledger.claim(job.id, "host/1/old", 30)


def test_what_its_owner_works_on_stays(services, claim):
    services.engine.put("c", claim.id, "host/1/old")
    assert remove_leftovers(services) == 0
    assert list(services.engine.listed) == ["c"]


def test_after_a_takeover_on_the_same_host_only_the_old_owners_container_goes(services, claim):
    services.ledger.release(claim, "went silent")
    services.ledger.claim(claim.id, "host/2/new", 30)
    services.engine.put("old", claim.id, "host/1/old")
    services.engine.put("new", claim.id, "host/2/new")
    assert remove_leftovers(services) == 1
    assert list(services.engine.listed) == ["new"]


def test_the_container_of_a_job_that_ended_or_waits_goes(services, claim):
    services.engine.put("c", claim.id, "host/1/old")
    services.ledger.fail(claim, BuildFailed("no"))
    assert remove_leftovers(services) == 1
    assert services.engine.listed == {}


def test_jobs_of_another_stack_are_left_alone(services, tmp_path):
    services.engine.put("c", "f" * 32, "host/9/other")
    folder = tmp_path / "scratch" / f"{'f' * 32}-1"
    folder.mkdir(parents=True)
    assert remove_leftovers(services) == 0
    assert list(services.engine.listed) == ["c"]
    assert folder.is_dir()


def test_one_that_can_not_be_removed_does_not_keep_the_others(services, claim):
    for name in ("a", "b", "c"):
        services.engine.put(name, claim.id, "host/0/older")
    services.engine.stuck = {"a"}
    assert remove_leftovers(services) == 2
    assert list(services.engine.listed) == ["a"]


def test_the_scratch_folder_of_an_old_claim_goes_and_that_of_the_new_one_stays(services, claim, tmp_path):
    services.ledger.release(claim, "went silent")
    new = services.ledger.claim(claim.id, "host/2/new", 30)
    folders = [tmp_path / "scratch" / f"{one.id}-{one.fence}" for one in (claim, new)]
    for folder in folders:
        (folder / "in").mkdir(parents=True)
    assert remove_leftovers(services) == 1
    assert [folder.is_dir() for folder in folders] == [False, True]
