"""In which order a build asks for its wheels, on a real ledger."""

from __future__ import annotations

from dataclasses import asdict
from types import SimpleNamespace

import pytest

from wheelyard.build_key import BuildInputs
from wheelyard.catalogue import Catalogue
from wheelyard.digests import Digest
from wheelyard.jobs.database import Database
from wheelyard.jobs.ledger import Ledger
from wheelyard.jobs.migrate import migrate
from wheelyard.jobs.states import Kind
from wheelyard.requests import BuildRequest, Requests
from wheelyard.settings import Settings
from worker.build_job import make_build
from worker.planner import Node

TOOLCHAIN = "debian12-cp311"


class Bell:
    def ring(self, _job_id, _queue):
        return


def node(project, level, path_seconds, **fields):
    inputs = BuildInputs(
        project=project, version="1", sdist=str(Digest.of(project.encode())),
        sdist_filename=f"{project}-1.tar.gz", toolchain=str(Digest.of(b"image")),
        target="manylinux_2_36_x86_64", python_tag="cp311", build_wheels={}, environment={},
        config_settings={},
    )  # fmt: skip
    return Node(
        project=project, version="1", level=level, hit=False, inputs=inputs.to_document(),
        path_seconds=path_seconds, **fields,
    )  # fmt: skip


@pytest.fixture
def services(tmp_path):
    url = f"sqlite:///{tmp_path}/jobs.db"
    migrate(url)
    database = Database(url)
    ledger, catalogue = Ledger(database), Catalogue(database)
    yield SimpleNamespace(
        settings=Settings(data_dir=tmp_path), ledger=ledger, owner="me",
        requests=Requests(ledger, catalogue, Bell(), 60),
    )  # fmt: skip
    database.close()


def test_a_rounds_longest_path_gets_the_first_turn(services):
    ledger = services.ledger
    nodes = [node("six", 0, 602), node("numpy", 0, 1800), node("regex", 0, 400), node("opencv", 1, 1500)]
    request = BuildRequest(requirements=("opencv",), toolchain=TOOLCHAIN)
    spec = {**request.to_document(), "image": "", "lock": "", "nodes": [asdict(one) for one in nodes]}
    job, _joined = ledger.submit(
        Kind.BUILD, "plan", spec=spec, title="opencv", toolchain=TOOLCHAIN, client="ada"
    )
    # Another client's jobs take turns with these; their order among themselves is not touched.
    for number in range(2):
        ledger.submit(
            Kind.WHEEL, f"other {number}", spec={}, title=f"other {number}", toolchain=TOOLCHAIN, client="bob"
        )
    parked = make_build(SimpleNamespace(services=services, claim=ledger.claim(job.id, "me", 30)))
    assert len(parked.children) == 3
    turns = [one.title for one in ledger.next_in_turn([f"toolchain.{TOOLCHAIN}"], 9)]
    assert [title for title in turns if "other" not in title] == ["numpy 1", "six 1", "regex 1"]
    assert turns.index("other 1") < turns.index("regex 1")


def test_nodes_of_a_plan_that_an_older_version_wrote_are_read():
    document = asdict(node("six", 0, 0))
    document.pop("path_seconds")
    assert Node(**document).path_seconds == 0.0
