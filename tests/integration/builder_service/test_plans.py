"""Plans over HTTP: as data, as a picture and as a page, while they run and after their end."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from tests.plans import large_plan, node, plan
from wheelyard.errors import BuildFailed
from wheelyard.jobs.states import Kind
from wheelyard.jobs.workers import WorkerIdentity, WorkerRegistry
from wheelyard.plan import Role, Standing

REQUEST = {"requirements": ["opencv-python"]}
PLAN = plan(
    node("setuptools", Standing.HIT, role=Role.BUILD, key="a" * 64),
    node("numpy", needs=["setuptools"], seconds=300.0, inputs={"project": "numpy"}),
    node("opencv-python", needs=["setuptools", "numpy"], seconds=900.0),
    node("tqdm", Standing.BLOCKED, reason="tqdm 1.0 has no sdist <on> the index"),
)


def ask(door, place="/v1/plans"):
    answer = door.http.post(place, json=REQUEST)
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


def keep_plan(door, job_id, kept=PLAN, children=()):
    """As a worker does it: the plan goes into the spec of the job, which waits for its children."""
    ledger = door.services.ledger
    claim = ledger.claim(job_id, "the-test", 60)
    ledger.park(claim, list(children), {**claim.job.spec, "plan": kept.to_document()})


def submit_wheel(door, name):
    job, _ = door.services.ledger.submit(
        Kind.WHEEL, name * 64, spec={}, title=name, toolchain="debian12-cp311", actor="the-test"
    )
    return job.id


def get_plan(door, job_id, **query):
    answer = door.guest.get(f"/v1/plans/{job_id}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def standings(document):
    return {one["project"]: one["standing"] for one in document["plan"]["nodes"]}


def test_a_plan_is_a_job_until_its_requirements_are_resolved(front_door):
    job_id = ask(front_door)
    found = get_plan(front_door, job_id)
    assert (found["id"], found["kind"], found["state"], found["plan"]) == (job_id, "plan", "queued", None)
    assert found["links"]["self"] == f"/v1/plans/{job_id}"
    assert [one["id"] for one in front_door.guest.get("/v1/plans").json()["jobs"]] == [job_id]
    picture = front_door.guest.get(f"/v1/plans/{job_id}/plan.svg")
    assert (picture.status_code, picture.json()["kind"]) == (404, "not-found")


def test_the_same_plan_is_asked_for_once_and_is_no_build(front_door):
    assert ask(front_door) == ask(front_door) != ask(front_door, "/v1/builds")


def test_an_ended_plan_has_its_nodes_counts_and_estimate(front_door):
    job_id, ledger = ask(front_door), front_door.services.ledger
    ledger.succeed(ledger.claim(job_id, "the-test", 60), {"plan": PLAN.to_document()})
    found = get_plan(front_door, job_id)
    graph = found["plan"]
    assert found["result"] == {}
    assert (graph["toolchain"], graph["build_deps"], graph["image"]) == (
        PLAN.toolchain, PLAN.build_deps, PLAN.image,
    )  # fmt: skip
    assert {name: count for name, count in graph["counts"].items() if count} == {
        "hit": 1, "waiting": 2, "blocked": 1,
    }  # fmt: skip
    assert graph["estimate"] == {
        "seconds": 1200.0, "workers": 1, "end_seconds": 1200.0,
        "path": ["numpy==1.0", "opencv-python==1.0"], "path_seconds": 1200.0,
    }  # fmt: skip
    setuptools, numpy, _opencv, tqdm = graph["nodes"]
    assert (setuptools["role"], setuptools["links"]["wheel"]) == ("build", f"/v1/wheels/{'a' * 64}")
    assert (numpy["build_needs"], numpy["links"]["job"], numpy["inputs"]) == (["setuptools==1.0"], "", None)
    assert tqdm["reason"] == "tqdm 1.0 has no sdist <on> the index"
    assert get_plan(front_door, job_id, inputs="true")["plan"]["nodes"][1]["inputs"] == {"project": "numpy"}


def test_the_end_is_reckoned_for_the_workers_that_live_or_are_asked_about(front_door):
    wide = plan(*(node(name, seconds=60.0) for name in "abcd"))
    job_id = ask(front_door)
    keep_plan(front_door, job_id, wide)
    queues = ("toolchain.debian12-cp311",)
    worker = WorkerIdentity(owner="w", host="h", pid=1, version="1", queues=queues, slots=2)
    WorkerRegistry(front_door.services.ledger.database).beat(worker, draining=False)
    estimate = get_plan(front_door, job_id)["plan"]["estimate"]
    assert (estimate["workers"], estimate["end_seconds"]) == (2, 120.0)
    estimate = get_plan(front_door, job_id, workers=4)["plan"]["estimate"]
    assert (estimate["workers"], estimate["end_seconds"], estimate["seconds"]) == (4, 60.0, 240.0)


def test_a_running_builds_nodes_stand_as_their_jobs_do(front_door):
    ledger, job_id = front_door.services.ledger, ask(front_door, "/v1/builds")
    wheel = submit_wheel(front_door, "a")
    setuptools, numpy, *others = PLAN.nodes
    keep_plan(front_door, job_id, plan(setuptools, replace(numpy, job=wheel), *others), [wheel])
    assert standings(get_plan(front_door, job_id))["numpy"] == "waiting"
    claim = ledger.claim(wheel, "the-test", 60)
    found = get_plan(front_door, job_id)
    assert standings(found)["numpy"] == "building"
    assert found["plan"]["nodes"][1]["links"] == {
        "job": f"/v1/jobs/{wheel}", "log": f"/v1/jobs/{wheel}/log", "wheel": "",
    }  # fmt: skip
    ledger.fail(claim, BuildFailed("numpy 1.0: the compile failed"))
    found = get_plan(front_door, job_id)
    assert standings(found) == {
        "setuptools": "hit", "numpy": "failed", "opencv-python": "blocked", "tqdm": "blocked",
    }  # fmt: skip
    assert [one["reason"] for one in found["plan"]["nodes"][1:3]] == [
        "numpy 1.0: the compile failed", "numpy==1.0 failed",
    ]  # fmt: skip


def test_the_plan_of_an_image_is_that_of_its_build(front_door):
    ledger = front_door.services.ledger
    image, build = ask(front_door, "/v1/images"), ask(front_door, "/v1/builds")
    assert (get_plan(front_door, image)["id"], get_plan(front_door, image)["plan"]) == (image, None)
    keep_plan(front_door, build)
    claim = ledger.claim(image, "the-test", 60)
    ledger.park(claim, [build], {**claim.job.spec, "build_job": build})
    found = get_plan(front_door, image)
    assert (found["id"], len(found["plan"]["nodes"])) == (build, 4)


def test_a_wheel_has_no_plan(front_door):
    answer = front_door.guest.get(f"/v1/plans/{submit_wheel(front_door, 'b')}")
    assert (answer.status_code, answer.json()["expected"]) == (404, "a plan, a build or an image")


def test_other_answers_about_a_job_are_without_its_plan(front_door):
    job_id, ledger = ask(front_door, "/v1/builds"), front_door.services.ledger
    result = {"wheels": [], "plan": PLAN.to_document()}
    ledger.succeed(ledger.claim(job_id, "the-test", 60), result)
    assert front_door.guest.get(f"/v1/builds/{job_id}").json()["result"] == {"wheels": []}
    assert '"nodes"' not in front_door.guest.get(f"/v1/builds/{job_id}/events").text
    assert len(get_plan(front_door, job_id)["plan"]["nodes"]) == 4


@pytest.mark.parametrize("kept", [PLAN, large_plan()], ids=["small", "large"])
def test_the_picture_is_svg_and_the_page_shows_it_with_the_table(front_door, kept):
    job_id = ask(front_door)
    keep_plan(front_door, job_id, kept)
    answer = front_door.guest.get(f"/v1/plans/{job_id}/plan.svg")
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    root = ET.fromstring(answer.content)  # noqa: S314 - it is our own
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    page = front_door.guest.get(f"/plans/{job_id}")
    assert page.status_code == 200
    assert all(one.id in page.text for one in kept)
    assert "<svg" in page.text
    assert 'http-equiv="refresh"' in page.text
    assert "<script" not in page.text


def test_foreign_words_on_the_page_stay_words(front_door):
    job_id = ask(front_door)
    keep_plan(front_door, job_id)
    page = front_door.guest.get(f"/plans/{job_id}").text
    assert "sdist &lt;on&gt; the index" in page
    assert "sdist <on>" not in page


def test_the_page_of_an_ended_job_rests_and_says_why_it_failed(front_door):
    job_id, ledger = ask(front_door), front_door.services.ledger
    error = BuildFailed("these requirements can't be met together", found="a<2 and a>3", do="loosen one")
    ledger.fail(ledger.claim(job_id, "the-test", 60), error)
    page = front_door.guest.get(f"/plans/{job_id}").text
    assert 'http-equiv="refresh"' not in page
    assert "these requirements can&#39;t be met together" in page
    assert "a&lt;2 and a&gt;3" in page
    assert "There is no plan" in page


def test_the_front_page_leads_to_the_plans_of_its_jobs(front_door):
    build, wheel = ask(front_door, "/v1/builds"), submit_wheel(front_door, "c")
    page = front_door.guest.get("/").text
    assert f'href="/plans/{build}"' in page
    assert f'href="/plans/{wheel}"' not in page


def test_a_plan_has_events_a_log_and_an_end_before_its_time(front_door):
    job_id = ask(front_door)
    assert front_door.http.delete(f"/v1/plans/{job_id}").json()["state"] == "cancelled"
    assert '"state":"cancelled"' in front_door.guest.get(f"/v1/plans/{job_id}/events").text
    assert front_door.guest.get(f"/v1/plans/{job_id}/log").status_code == 200
