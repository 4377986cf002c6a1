"""Workers and limits over HTTP."""

from __future__ import annotations

from wheelyard.client import Client
from wheelyard.jobs.states import Kind
from wheelyard.jobs.workers import WorkerIdentity, WorkerRegistry


def test_who_works_is_told_with_the_jobs_that_each_holds(front_door):
    registry = WorkerRegistry(front_door.services.ledger.database)
    for owner, queue, slots in (("a/1/x", "toolchain.t", 2), ("b/2/y", "relay", 0)):
        identity = WorkerIdentity(
            owner=owner,
            host=owner[0],
            pid=1,
            version="1.0",
            queues=(queue,),
            slots=slots,
            cores=2.0,
            memory=8,
        )
        registry.beat(identity, draining=owner == "b/2/y")
    job, _ = front_door.services.ledger.submit(Kind.WHEEL, "a" * 64, spec={}, title="numpy 2", toolchain="t")
    claim = front_door.services.ledger.claim(job.id, "a/1/x", 30)
    front_door.services.ledger.advance(claim, "compile")
    with Client(front_door.url) as client:
        first, second = client.workers()
    assert (first["owner"], first["queues"], first["slots"]) == ("a/1/x", ["toolchain.t"], 2)
    assert (first["silent"], first["draining"], second["draining"], second["jobs"]) == (
        False,
        False,
        True,
        [],
    )
    (held,) = first["jobs"]
    assert (held["id"], held["title"], held["phase"]) == (job.id, "numpy 2", "compile")
    assert held["since"] > 0


def test_a_request_carries_its_limits_and_differs_by_nothing_else(front_door):
    body = {"requirements": ["numpy"], "limits": {"memory": "16G", "seconds": 9000}}
    job = front_door.http.post("/v1/builds", json=body).json()
    spec = front_door.services.ledger.get(job["id"]).spec
    assert spec["limits"] == {"memory": 16 << 30, "seconds": 9000}
    again = front_door.http.post("/v1/builds", json={"requirements": ["numpy"]}).json()
    assert (again["id"], again["joined"]) == (job["id"], True)


def test_a_limit_above_the_ceiling_or_without_sense_is_refused_at_the_door(front_door):
    refused = front_door.http.post("/v1/builds", json={"requirements": ["a"], "limits": {"memory": "1T"}})
    assert (refused.status_code, refused.json()["facts"]["limit"]) == (422, "memory")
    assert "WHEELYARD_MAX_BUILD_MEMORY" in refused.json()["do"]
    for wrong in ({"memory": "much"}, {"cpus": 0}, {"cores": 3}, {"seconds": -1}):
        answer = front_door.http.post("/v1/builds", json={"requirements": ["a"], "limits": wrong})
        assert answer.status_code == 422, wrong
