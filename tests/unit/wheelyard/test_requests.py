"""How an ask becomes a job: answered, joined or queued, on a real ledger with a bell of the test's own."""

import pytest

from tests.databases import migrated_sqlite
from wheelyard.build_request import BuildRequest
from wheelyard.catalogue import Catalogue
from wheelyard.errors import QueueUnavailable
from wheelyard.image_request import ImageRequest
from wheelyard.jobs.database import Database
from wheelyard.jobs.ledger import Ledger
from wheelyard.jobs.states import Kind
from wheelyard.requests import Requests

NOW = 1_000_000.0


class Bell:
    def __init__(self):
        self.rung = []
        self.broken = False

    def ring(self, job_id, queue):
        if self.broken:
            raise QueueUnavailable("Redis does not answer")
        self.rung.append((job_id, queue))


class House:
    """Requests and what they stand on."""

    def __init__(self, url, recipes):
        self.database = Database(url)
        self.ledger = Ledger(self.database, lambda: NOW)
        self.catalogue = Catalogue(self.database, lambda: NOW)
        self.bell = Bell()
        self.recipes = recipes
        self.requests = Requests(self.ledger, self.catalogue, self.bell, 3600, recipes)

    def finish(self, submission):
        claim = self.ledger.claim(submission.job.id, "w", 30)
        assert claim is not None
        self.ledger.succeed(claim, {"wheels": []})


@pytest.fixture
def house(tmp_path):
    house = House(migrated_sqlite(tmp_path / "jobs.db"), tmp_path / "recipes")
    yield house
    house.database.close()


def build(*requirements, **fields):
    return BuildRequest(requirements=requirements or ("numpy",), toolchain="debian12-cp311", **fields)


def image(**fields):
    return ImageRequest(build=build(), **fields)


@pytest.mark.parametrize(
    "request_",
    [
        build("numpy", "six", channel="nightly", refresh=True),
        image(),
        image(entrypoint=("a", "b"), labels={"x": "y"}),
    ],
)
def test_a_request_survives_as_a_document(request_):
    document = request_.to_document()
    assert type(request_).from_document({**document, "more": 1}) == request_


def test_the_first_ask_is_queued_and_rung_and_the_second_joins_in_silence(house):
    first = house.requests.build(build(), now=NOW)
    second = house.requests.build(build(), now=NOW)
    assert (first.cached, first.joined, second.cached, second.joined) == (False, False, False, True)
    assert house.bell.rung == [(first.job.id, "plans")]
    assert first.job.title == "numpy"


def test_what_succeeded_lately_answers(house):
    first = house.requests.build(build(), now=NOW)
    house.finish(first)
    again = house.requests.build(build(), now=NOW + 3599)
    assert (again.cached, again.job.id) == (True, first.job.id)
    assert house.requests.build(build(), now=NOW + 3601).cached is False


def test_another_recipe_asks_anew_and_the_old_one_put_back_answers_again(house):
    house.finish(house.requests.build(build(), now=NOW))
    house.recipes.mkdir()
    recipe = house.recipes / "numpy.toml"
    for text in ('environment.CFLAGS = "-O1"', 'environment.CFLAGS = "-O3"'):
        recipe.write_text(text)
        changed = house.requests.build(build(), now=NOW)
        assert (changed.cached, changed.joined) == (False, False)
        house.finish(changed)
        assert house.requests.build(build(), now=NOW).cached
    recipe.unlink()
    assert house.requests.build(build(), now=NOW).cached


def test_a_plan_says_how_things_stand_now_and_not_how_they_stood(house):
    first = house.requests.plan(build(), now=NOW)
    assert (first.job.kind, first.job.title) == (Kind.PLAN, "plan of numpy")
    assert house.requests.plan(build(), now=NOW).joined
    house.finish(first)
    again = house.requests.plan(build(), now=NOW)
    assert (again.cached, again.joined) == (False, False)


def test_a_failed_job_answers_nobody(house):
    first = house.requests.build(build(), now=NOW)
    house.ledger.cancel(first.job.id, "api")
    assert house.requests.build(build(), now=NOW).job.id != first.job.id


def test_a_refreshed_answer_is_the_one_that_counts_afterwards(house):
    house.finish(house.requests.build(build(), now=NOW))
    fresh = house.requests.build(build(refresh=True), now=NOW)
    assert fresh.cached is False
    house.finish(fresh)
    assert house.requests.build(build(), now=NOW).job.id == fresh.job.id


def test_a_toolchain_made_anew_makes_every_answer_old(house):
    house.finish(house.requests.build(build(), now=NOW))
    with house.database.transaction() as session:
        house.catalogue.set_toolchain_image(session, "debian12-cp311", "sha256:" + "1" * 64)
    assert house.requests.build(build(), now=NOW).cached is False


def test_what_differs_in_anything_is_another_job(house):
    asks = [
        house.requests.build(build(), now=NOW),
        house.requests.build(build("numpy", "six"), now=NOW),
        house.requests.build(build(channel="nightly"), now=NOW),
        house.requests.image(image(), now=NOW),
        house.requests.image(image(user="0:0"), now=NOW),
        house.requests.toolchain("debian12-cp311", digest="1"),
        house.requests.toolchain("debian12-cp311", digest="2"),
    ]
    assert len({ask.job.id for ask in asks}) == len(asks)
    assert [ask.job.kind for ask in asks[3:6]] == [Kind.IMAGE, Kind.IMAGE, Kind.TOOLCHAIN]


def test_a_request_is_taken_where_the_bell_is_broken(house):
    house.bell.broken = True
    submission = house.requests.build(build(), now=NOW)
    assert house.ledger.silent(0) == [(submission.job.id, "plans")]
