"""What an image asks for before it is assembled, on a real ledger and store; nothing is built or run."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.databases import migrated_sqlite
from tests.distributions import metadata_of, wheel
from wheelyard.build_request import BuildRequest
from wheelyard.catalogue import Catalogue
from wheelyard.digests import Digest
from wheelyard.errors import BuildFailed, InputError
from wheelyard.image_request import ImageRequest
from wheelyard.jobs.database import Database
from wheelyard.jobs.ledger import Ledger
from wheelyard.jobs.states import Kind
from wheelyard.requests import Requests
from wheelyard.settings import Settings
from wheelyard.store.folder import FolderStore
from worker.image_job import make_image
from worker.outcome import Parked

TOOLCHAIN = "debian12-cp311"
APP = wheel("app", metadata=metadata_of("app", "1.0", "Requires-Dist: six\nRequires-Dist: numpy>=2\n"))


class Bell:
    def ring(self, _job_id, _queue):
        return


class Studio:
    """One image job, and the jobs that it asks for."""

    def __init__(self, folder):
        self.database, self.folder = Database(migrated_sqlite(folder / "jobs.db")), folder
        self.ledger, catalogue = Ledger(self.database), Catalogue(self.database)
        self.store = FolderStore(folder / "store")
        self.requests = Requests(self.ledger, catalogue, Bell(), 60)
        self.services = SimpleNamespace(
            settings=Settings(data_dir=folder), ledger=self.ledger, owner="me", store=self.store,
            catalogue=catalogue, requests=self.requests,
        )  # fmt: skip

    def ask(self, *requirements, **fields):
        build = BuildRequest(requirements=requirements, toolchain=TOOLCHAIN)
        return self.requests.image(ImageRequest(build=build, **fields), now=1.0).job

    def work(self, job):
        """One claim of the image's job."""
        claim = self.ledger.claim(job.id, "me", 30)
        log = SimpleNamespace(line=lambda _text: None, event=lambda *_words, **_facts: None)
        outcome = make_image(
            SimpleNamespace(services=self.services, claim=claim, log=log, scratch=self.folder, times={})
        )
        assert isinstance(outcome, Parked)
        self.ledger.park(claim, outcome.children, outcome.spec)
        return [self.ledger.get(child) for child in outcome.children]

    def put_app(self):
        self.store.put_blob(APP, Digest.of(APP))
        return {"app_wheel": str(Digest.of(APP)), "app_wheel_name": "app-1.0-py3-none-any.whl"}


@pytest.fixture
def studio(tmp_path):
    studio = Studio(tmp_path)
    yield studio
    studio.database.close()


def test_its_wheels_are_built_first(studio):
    [build] = studio.work(studio.ask("numpy"))
    assert (build.kind, build.spec["requirements"]) == (Kind.BUILD, ["numpy"])


def test_what_the_applications_wheel_requires_is_built_with_the_rest(studio):
    [build] = studio.work(studio.ask("pillow", **studio.put_app()))
    assert build.spec["requirements"] == ["numpy>=2", "pillow", "six"]


def test_a_build_that_failed_ends_the_image_with_its_error(studio):
    job = studio.ask("numpy")
    [build] = studio.work(job)
    claim = studio.ledger.claim(build.id, "me", 30)
    studio.ledger.fail(claim, BuildFailed("numpy does not compile"), max_attempts=1)
    with pytest.raises(BuildFailed, match="numpy does not compile"):
        studio.work(job)


def test_without_wheels_only_the_toolchain_is_waited_for(studio):
    app = b"a tar"
    studio.store.put_blob(app, Digest.of(app))
    job = studio.ask(app=str(Digest.of(app)))
    assert [child.kind for child in studio.work(job)] == [Kind.TOOLCHAIN]


def test_a_wheel_that_left_the_store_ends_it_before_anything_is_built(studio):
    fields = studio.put_app()
    studio.store.delete_blob(Digest.of(APP))
    with pytest.raises(InputError, match="not in the store any more"):
        studio.work(studio.ask(**fields))
    assert [job.kind for job in studio.ledger.latest()] == [Kind.IMAGE]


def test_what_no_image_can_be_is_refused_once_more_before_anything_is_built(studio):
    with pytest.raises(InputError, match="root"):
        studio.work(studio.ask("numpy", user="0"))
    assert [job.kind for job in studio.ledger.latest()] == [Kind.IMAGE]
