"""What is begun while a plan is still being made, on a real ledger; no container, and no index but a list."""

from __future__ import annotations

from random import Random
from types import SimpleNamespace

import pytest

from tests.unit.worker.test_planner import IMAGE, TOOLCHAIN, Village, lock
from wheelyard.build_request import BuildRequest
from wheelyard.errors import BuildFailed, InputError
from wheelyard.jobs.states import Kind, State
from wheelyard.plan import Standing
from wheelyard.requests import Requests
from worker.early_start import EarlyStart
from worker.plan_progress import PlanProgress
from worker.wheel_job_request import submit_wheel


class Bell:
    def ring(self, _job_id, _queue):
        return


class Yard(Village):
    """A village whose plans belong to a build of Ada's."""

    def __init__(self, folder):
        super().__init__(folder)
        self.request = BuildRequest(requirements=("app",), toolchain=TOOLCHAIN.name)
        self.services.requests = Requests(self.services.ledger, self.services.catalogue, Bell(), 60)
        job, _joined = self.services.ledger.submit(
            Kind.BUILD, "build", spec=self.request.to_document(), title="app", toolchain=TOOLCHAIN.name,
            client="ada",
        )  # fmt: skip
        self.work.claim = self.services.ledger.claim(job.id, "me", 30)
        self.early = EarlyStart(self.work, self.request, self.ready)

    def plan_early(self, *pins, needs=(), **request):
        planner = self.planner(**request)
        return planner.plan(planner.allowed(lock(*pins, needs=needs)), "sha256:0", self.early)

    def queued(self):
        jobs = self.services.ledger.next_in_turn([f"toolchain.{TOOLCHAIN.name}"], 99)
        return {job.title: job for job in jobs if job.kind is Kind.WHEEL}


@pytest.fixture
def yard(tmp_path):
    made = Yard(tmp_path)
    yield made
    made.database.close()


def test_begins_what_needs_nothing_else_before_there_is_a_plan(yard):
    low, top = yard.add("low"), yard.add("top")
    for project in ("low", "top"):
        yard.built_with(project, build_deps="wheels")
    yard.plan_early(low, top, needs=[("top", "low")])
    assert list(yard.queued()) == ["low 1.0"]


def test_the_plan_gets_the_jobs_that_were_begun(yard):
    low = yard.add("low")
    yard.built_with("low", build_deps="wheels")
    planned = yard.plan_early(low)
    progress = PlanProgress(planned.plan, yard.services, TOOLCHAIN, planned.errors)
    progress.settle()
    (due,) = progress.due()
    (begun,) = yard.queued().values()
    assert submit_wheel(yard.work, yard.request, due, image=IMAGE, runtime=()) == begun.id
    assert begun.spec["inputs"] == due.inputs
    assert yard.services.ledger.get(begun.id).waiters == 1


def test_what_ended_before_there_was_a_plan_was_not_there_before(yard):
    """It is neither a hit nor built again, whether it succeeded or failed."""
    good, bad = yard.add("good"), yard.add("bad")
    for project in ("good", "bad"):
        yard.built_with(project, build_deps="wheels")
    planned = yard.plan_early(good, bad)
    jobs = yard.queued()
    ledger = yard.services.ledger
    made = {"digest": "sha256:1", "filename": "good-1.0-py3-none-any.whl"}
    claim = ledger.claim(jobs["good 1.0"].id, "me", 30)
    ledger.advance(claim, "publish", State.PUBLISHING)
    ledger.succeed(claim, {"wheel": made})
    ledger.fail(ledger.claim(jobs["bad 1.0"].id, "me", 30), BuildFailed("bad is bad"))
    progress = PlanProgress(yard.early.into(planned.plan), yard.services, TOOLCHAIN, planned.errors)
    progress.settle()
    progress.take_in(ledger.get_many(progress.told_by))
    assert {name: node.standing for name, node in progress.nodes.items()} == {
        "good==1.0": Standing.BUILT,
        "bad==1.0": Standing.FAILED,
    }
    assert progress.due() == []
    assert list(progress.errors) == ["bad==1.0"]


def test_the_largest_is_begun_first(yard, monkeypatch):
    monkeypatch.setattr("worker.planner._AT_ONCE", 1)
    # Hexadecimal digits of their own, since equal ones would be packed to nothing.
    pins = [
        yard.add(project, source=Random(project).randbytes(size).hex())
        for project, size in (("few", 100), ("many", 90_000), ("some", 9_000))
    ]
    for pin in pins:
        yard.built_with(pin.project, build_deps="wheels")
    yard.plan_early(*pins)
    assert list(yard.queued()) == ["many 1.0", "some 1.0", "few 1.0"]


def test_what_the_index_has_no_more_is_told_of_its_node(yard):
    there, lost = yard.add("there"), yard.add("lost")
    yard.built_with("there", build_deps="wheels")
    yard.services.store.delete_blob(lost.sdist.digest)
    yard.files["lost"] = []
    planned = yard.plan_early(there, lost)
    assert list(yard.queued()) == ["there 1.0"]
    assert "not on the index any more" in planned.errors["lost==1.0"].failed


def test_from_source_what_is_built_with_nothing_is_begun_early(yard):
    app, tool = yard.add("app"), yard.add("tool")
    yard.built_with("app", tool)
    yard.built_with("tool")
    planned = yard.plan_early(app, build_deps="source")
    assert list(yard.queued()) == ["tool 1.0"]
    progress = PlanProgress(yard.early.into(planned.plan), yard.services, TOOLCHAIN, planned.errors)
    progress.settle()
    assert progress.due() == []
    assert list(progress.awaited) == [yard.queued()["tool 1.0"].id]


def test_what_can_not_be_built_is_not_begun(yard):
    broken = yard.add("broken")
    yard.built_with("broken", build_deps="wheels")
    (yard.recipes / "broken.toml").write_text('colour = "red"\n')
    planned = yard.plan_early(broken)
    assert yard.queued() == {}
    assert list(planned.errors) == ["broken==1.0"]


def test_an_unknown_variant_is_refused_before_anything_is_begun(yard):
    low = yard.add("low")
    yard.built_with("low", build_deps="wheels")
    with pytest.raises(InputError, match="variant"):
        yard.plan_early(low, variants={"other": "full"})
    assert yard.queued() == {}


def test_without_a_plan_what_nobody_else_waits_for_is_ended(yard):
    mine, shared = yard.add("mine"), yard.add("shared")
    for project in ("mine", "shared"):
        yard.built_with(project, build_deps="wheels")
    yard.plan_early(mine, shared)
    jobs = yard.queued()
    other = SimpleNamespace(
        **{**vars(yard.work), "claim": SimpleNamespace(id="o" * 32, job=jobs["shared 1.0"])}
    )
    planned = yard.plan(shared, build_deps="wheels")
    progress = PlanProgress(planned.plan, yard.services, TOOLCHAIN, planned.errors)
    progress.settle()
    submit_wheel(other, yard.request, progress.due()[0], image=IMAGE, runtime=())
    yard.early.leave()
    assert yard.services.ledger.get(jobs["mine 1.0"].id).state is State.CANCELLED
    assert yard.services.ledger.get(jobs["shared 1.0"].id).state is State.QUEUED
