"""How a build goes on with its plan, on a real ledger and store; what compiles is the test's own."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from tests.databases import migrated_sqlite
from wheelyard.build_key import BuildInputs
from wheelyard.build_request import BuildRequest
from wheelyard.catalogue import Catalogue
from wheelyard.digests import Digest
from wheelyard.errors import BuildFailed, InputError, OutOfMemory
from wheelyard.jobs.database import Database
from wheelyard.jobs.ledger import Ledger
from wheelyard.jobs.states import Kind
from wheelyard.plan import Plan, PlanNode, Role, Standing
from wheelyard.requests import Requests
from wheelyard.settings import Settings
from wheelyard.store.folder import FolderStore
from wheelyard.wheel_record import WheelRecord
from worker.build_job import make_build
from worker.outcome import Done, Parked

TOOLCHAIN = "debian12-cp311"


class Bell:
    def ring(self, _job_id, _queue):
        return


def node(project, *, build=(), run=(), role=Role.RUNTIME, suffix="", **fields):
    inputs = BuildInputs(
        project=project, version="1", sdist=str(Digest.of(project.encode())),
        sdist_filename=f"{project}-1.tar.gz", toolchain=str(Digest.of(b"image")),
        target="manylinux_2_36_x86_64", python_tag="cp311", build_wheels={}, environment={},
        config_settings={}, build_deps="source",
    )  # fmt: skip
    return PlanNode(
        id=f"{project}==1{suffix}", project=project, version="1", role=role,
        build_needs=tuple(f"{one}==1" if "==" not in one else one for one in build),
        run_needs=tuple(f"{one}==1" for one in run), inputs=inputs.to_document(), **fields,
    )  # fmt: skip


class Yard:
    """One build, and the wheels of its nodes, which are made or fail as the test says."""

    def __init__(self, folder, *nodes, errors=None):
        self.database = Database(migrated_sqlite(folder / "jobs.db"))
        self.ledger, catalogue = Ledger(self.database), Catalogue(self.database)
        self.store, self.events = FolderStore(folder / "store"), []
        self.services = SimpleNamespace(
            settings=Settings(data_dir=folder), ledger=self.ledger, owner="me", store=self.store,
            catalogue=catalogue, requests=Requests(self.ledger, catalogue, Bell(), 60),
        )  # fmt: skip
        plan = Plan(
            toolchain=TOOLCHAIN, image=str(Digest.of(b"image")), build_deps="source", lock="sha256:0",
            nodes=nodes,
        )  # fmt: skip
        request = BuildRequest(requirements=("app",), toolchain=TOOLCHAIN)
        spec = {
            **request.to_document(), "plan": plan.to_document(),
            "errors": {name: error.to_document() for name, error in (errors or {}).items()},
        }  # fmt: skip
        self.job, _joined = self.ledger.submit(
            Kind.BUILD, "plan", spec=spec, title="app", toolchain=TOOLCHAIN, client="ada"
        )

    def go_on(self):
        """One claim of the build, if it can be claimed."""
        claim = self.ledger.claim(self.job.id, "me", 30)
        if claim is None:
            return None
        log = SimpleNamespace(
            line=lambda _text: None, event=lambda kind, **facts: self.events.append((kind, facts))
        )
        outcome = make_build(SimpleNamespace(services=self.services, claim=claim, log=log, times={}))
        if isinstance(outcome, Parked):
            self.ledger.park(claim, outcome.children, outcome.spec)
        elif isinstance(outcome, Done):
            self.ledger.succeed(claim, outcome.result, publish=outcome.publish)
        return outcome

    def queued(self):
        """Titles of the wheels that wait for a worker, in turn."""
        return [job.title for job in self.ledger.next_in_turn([f"toolchain.{TOOLCHAIN}"], 99)]

    def _claimed(self, title):
        (job,) = (
            job for job in self.ledger.next_in_turn([f"toolchain.{TOOLCHAIN}"], 99) if job.title == title
        )
        return self.ledger.claim(job.id, "worker", 30)

    def keep(self, inputs, filename=""):
        """Put the wheel of some inputs into the store."""
        body, metadata = inputs.key.encode(), b"metadata"
        for blob in (body, metadata):
            self.store.put_blob(blob, Digest.of(blob))
        record = WheelRecord(
            inputs=inputs, channel="default",
            filename=filename or f"{inputs.project}-1-py3-none-any.whl",
            digest=Digest.of(body), size=len(body), metadata_digest=Digest.of(metadata), requires_python="",
            requires_dist=(), imports=(), external=(), toolchain=TOOLCHAIN, published_at=1.0,
        )  # fmt: skip
        self.store.put_document(record.document_name, json.dumps(record.to_document()).encode())
        return record

    def make(self, title):
        """Let a queued wheel be built; gives the spec of its job."""
        claim = self._claimed(title)
        record = self.keep(BuildInputs.from_document(claim.job.spec["inputs"]))
        self.ledger.succeed(claim, {"wheel": record.to_document()})
        return claim.job.spec

    def fail(self, title, error=None):
        claim = self._claimed(title)
        self.ledger.fail(claim, error or BuildFailed(f"{title} does not compile", found="x.c:1: error"))

    def plan(self):
        return Plan.from_document(self.ledger.get(self.job.id).spec["plan"])

    def standings(self):
        return {one.id: one.standing.value for one in self.plan()}


@pytest.fixture
def yard(tmp_path):
    opened = []

    def open_yard(*nodes, **more):
        opened.append(Yard(tmp_path, *nodes, **more))
        return opened[-1]

    yield open_yard
    for one in opened:
        one.database.close()


def test_the_longest_path_gets_the_first_turn(yard):
    one = yard(
        node("regex", path_seconds=400), node("six", path_seconds=602), node("numpy", path_seconds=1800),
        node("opencv", build=["numpy"], path_seconds=1500),
    )  # fmt: skip
    assert len(one.go_on().children) == 3
    assert one.queued() == ["numpy 1", "six 1", "regex 1"]


def test_a_node_begins_as_soon_as_what_it_needs_is_there_whatever_else_goes_on(yard):
    one = yard(node("base"), node("slow"), node("top", build=["base"]))
    one.go_on()
    assert one.go_on() is None
    one.make("base 1")
    one.go_on()
    assert sorted(one.queued()) == ["slow 1", "top 1"]


def test_the_inputs_of_a_node_get_the_wheels_of_ours_that_it_is_built_with(yard):
    one = yard(node("base"), node("top", build=["base"]))
    assert not one.plan().node("top==1").key
    one.go_on()
    one.make("base 1")
    one.go_on()
    spec = one.make("top 1")
    assert spec["inputs"]["build_wheels"] == {"base-1-py3-none-any.whl": one.plan().node("base==1").digest}
    assert one.plan().node("top==1").key == BuildInputs.from_document(spec["inputs"]).key


def test_a_check_gets_all_that_its_wheel_runs_with_and_waits_for_it(yard):
    one = yard(node("low"), node("middle", run=["low"]), node("top", run=["middle"]), node("other"))
    keys = {}
    for name in ("low", "middle"):
        one.go_on()
        assert "top 1" not in one.queued()
        keys[name] = BuildInputs.from_document(one.make(f"{name} 1")["inputs"]).key
    one.go_on()
    assert one.make("top 1")["runtime"] == [keys["low"], keys["middle"]]


def test_what_is_built_shows_its_wheels_and_the_plan(yard):
    one = yard(node("tool", role=Role.BUILD), node("app", build=["tool"]))
    for title in ("tool 1", "app 1"):
        one.go_on()
        one.make(title)
    result = one.go_on().result
    assert [(wheel["project"], wheel["hit"]) for wheel in result["wheels"]] == [("app", False)]
    assert [one["standing"] for one in result["plan"]["nodes"]] == ["built", "built"]
    assert [file.filename for file in one.services.catalogue.files("default")] == ["app-1-py3-none-any.whl"]


def test_a_wheel_that_is_there_already_is_a_hit_when_its_key_can_be_known(yard):
    tool, app = node("tool"), node("app", build=["tool"])
    one = yard(tool, app)
    one.go_on()
    made = BuildInputs.from_document(one.make("tool 1")["inputs"])
    inputs = BuildInputs.from_document(
        {**app.inputs, "build_wheels": {"tool-1-py3-none-any.whl": str(Digest.of(made.key.encode()))}}
    )
    one.keep(inputs)
    outcome = one.go_on()
    assert [(wheel["project"], wheel["hit"]) for wheel in outcome.result["wheels"]] == [
        ("tool", False), ("app", True),
    ]  # fmt: skip


def test_a_failure_blocks_what_needs_it_and_the_rest_goes_on(yard):
    one = yard(
        node("base"), node("left", build=["base"]), node("right", build=["base"]),
        node("top", build=["left", "right"]), node("above", run=["top"]),
    )  # fmt: skip
    one.go_on()
    one.make("base 1")
    one.go_on()
    one.fail("left 1")
    parked = one.go_on()
    assert isinstance(parked, Parked)
    assert one.standings() == {
        "base==1": "built", "left==1": "failed", "right==1": "waiting", "top==1": "blocked",
        "above==1": "blocked",
    }  # fmt: skip
    one.make("right 1")
    with pytest.raises(BuildFailed, match="left 1 does not compile") as raised:
        one.go_on()
    error = raised.value
    assert "x.c:1: error" in error.found
    assert "blocked: top==1 (left==1 failed), above==1 (top==1 is blocked)" in error.found
    assert "2 of 5 were built, 0 were there before" in error.found
    assert error.facts["failed_job"] == one.plan().node("left==1").job
    assert error.facts["blocked"] == {"top==1": "left==1 failed", "above==1": "top==1 is blocked"}


def test_each_of_several_failures_is_told_with_its_own_first_error(yard):
    one = yard(node("a"), node("b"), node("c"))
    one.go_on()
    one.fail("a 1", BuildFailed("a 1 does not compile", found="a.c:1: error: no"))
    one.fail("b 1", OutOfMemory("b 1 ran out of memory"))
    one.go_on()
    one.make("c 1")
    with pytest.raises(BuildFailed, match=r"2 of 3 wheels could not be built: a==1, b==1") as raised:
        one.go_on()
    assert "a==1: a 1 does not compile\n    a.c:1: error: no" in raised.value.found
    assert "b==1: b 1 ran out of memory" in raised.value.found
    assert raised.value.facts["failures"] == {"a==1": "a 1 does not compile", "b==1": "b 1 ran out of memory"}


def test_what_could_not_be_planned_fails_the_build_after_the_rest_was_built(yard):
    broken = node("broken", standing=Standing.BLOCKED, reason="no sdist")
    errors = {"broken==1": InputError("broken 1 has no sdist on the index", do="ask for another version")}
    one = yard(broken, node("top", run=["broken"]), node("good"), errors=errors)
    one.go_on()
    assert one.queued() == ["good 1"]
    one.make("good 1")
    with pytest.raises(InputError, match="broken 1 has no sdist on the index") as raised:
        one.go_on()
    assert "blocked: top==1 (broken==1 is blocked)" in raised.value.found
    assert raised.value.do == "ask for another version"


def test_nodes_of_one_key_are_one_job(yard):
    twin = node("a")
    one = yard(twin, PlanNode.from_document({**twin.to_document(), "id": "a==1 (again)"}))
    assert len(one.go_on().children) == 1
    one.make("a 1")
    assert isinstance(one.go_on(), Done)


def test_a_bootstrap_is_neither_shown_nor_checked_and_a_seed_is_taken_as_it_is(yard):
    seed = PlanNode(
        id="a==1 (seed)", project="a", version="1", role=Role.SEED, standing=Standing.HIT,
        filename="a-1-py3-none-any.whl", digest=str(Digest.of(b"upstream's")),
    )  # fmt: skip
    one = yard(
        seed,
        node("a", suffix=" (bootstrap)", build=["a==1 (seed)"], role=Role.BOOTSTRAP, is_checked=False),
        node("a", build=["a==1 (bootstrap)"]),
    )
    one.go_on()
    first = one.make("a 1 (bootstrap)")
    assert (first["show"], first["test"]) == (False, False)
    assert first["inputs"]["build_wheels"] == {"a-1-py3-none-any.whl": str(Digest.of(b"upstream's"))}
    one.go_on()
    last = one.make("a 1")
    assert "show" not in last
    assert "test" not in last
    (ours,) = last["inputs"]["build_wheels"].values()
    assert ours == str(Digest.of(BuildInputs.from_document(first["inputs"]).key.encode()))
    assert isinstance(one.go_on(), Done)


def test_what_is_there_no_longer_carries_its_inputs_along(yard):
    one = yard(node("base"), node("top", build=["base"]))
    one.go_on()
    one.make("base 1")
    one.go_on()
    plan = one.plan()
    assert plan.node("base==1").inputs == {}
    assert plan.node("base==1").digest
    assert plan.node("top==1").inputs["build_wheels"]


def test_listeners_hear_how_nodes_stand(yard):
    one = yard(node("a"), node("b", build=["a"]))
    one.go_on()
    one.fail("a 1")
    with pytest.raises(BuildFailed):
        one.go_on()
    told = [(facts["id"], facts["standing"]) for kind, facts in one.events if kind == "node"]
    assert told == [("a==1", "waiting"), ("a==1", "failed"), ("b==1", "blocked")]
