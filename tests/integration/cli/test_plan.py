"""`wheelyard plan` and `wheelyard why` against the real front door, with a test in the worker's place."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from structlog.testing import capture_logs

from tests.contract.test_service import TOKEN, real_world
from tests.integration.builder_service.conftest import publish_wheel
from tests.plans import node, plan
from tests.unit.wheelyard.test_build_key import INPUTS
from wheelyard.cli.app import run
from wheelyard.errors import InputError
from wheelyard.jobs.states import Kind
from wheelyard.plan import Role, Standing

CYTHON = {"Cython-3.1.0-py3-none-any.whl": "sha256:" + "3" * 64}
OTHER_CYTHON = {"Cython-3.2.1-py3-none-any.whl": "sha256:" + "4" * 64}
PLAN = plan(
    node("setuptools", Standing.HIT, role=Role.BUILD),
    node("numpy", needs=["setuptools"], seconds=300.0),
    node("opencv-python", needs=["setuptools", "numpy"], run_needs=("numpy==1.0",), seconds=900.0),
)


@pytest.fixture
def world(request, monkeypatch, own_machine):
    # The service runs in this process: its own log would be among the lines of the command.
    with capture_logs(), real_world(request) as made:
        monkeypatch.setenv("WHEELYARD_URL", made.url)
        monkeypatch.setenv("WHEELYARD_TOKEN", TOKEN)
        yield made


@pytest.fixture
def command(world, capsys):
    def command_of(*arguments):
        capsys.readouterr()
        code = run(arguments)
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return command_of


def plans(world, plan_of, count=1):
    """Take that many plan jobs as they come, and end each with the plan of its request."""

    def work():
        done, limit = set(), time.monotonic() + 30
        while len(done) < count and time.monotonic() < limit:
            for job in world.services.ledger.latest(10, Kind.PLAN):
                if job.id not in done:
                    done.add(job.id)
                    world.say(job.id, "phase", name="resolve")
                    world.succeed(job.id, {"plan": plan_of(job.spec).to_document()})
            time.sleep(0.05)

    threading.Thread(target=work, daemon=True).start()


def test_a_plan_is_followed_to_its_table_with_totals_and_the_longest_chain(world, command):
    plans(world, lambda _spec: PLAN)
    code, out, _err = command("plan", "opencv-python", "--progress", "plain", "--workers", "2")
    assert code == 0
    assert "setuptools==1.0     build    hit" in out
    assert "opencv-python==1.0  runtime  build" in out
    assert "3 nodes: 1 hit, 2 build" in out
    assert "about 20 min of building, 2 at a time done in about 20 min" in out
    assert "longest chain, about 20 min: numpy==1.0 -> opencv-python==1.0" in out


def test_a_tree_says_each_node_below_what_needs_it(world, command):
    plans(world, lambda _spec: PLAN)
    _code, out, _err = command("plan", "opencv-python", "--progress", "quiet", "--tree")
    assert out.splitlines()[:4] == [
        "opencv-python==1.0  build, 15 min",
        "  setuptools==1.0  hit",
        "  numpy==1.0  build, 5 min",
        "    setuptools==1.0  hit",
    ]


def test_json_is_the_services_document_and_the_picture_a_file(world, command, tmp_path):
    plans(world, lambda _spec: PLAN)
    code, out, _err = command("plan", "opencv-python", "--json", "--svg", str(tmp_path / "plan.svg"))
    assert code == 0
    document = json.loads(out)
    assert [one["id"] for one in document["plan"]["nodes"]] == [one.id for one in PLAN]
    assert ET.parse(tmp_path / "plan.svg").getroot().tag.endswith("svg")  # noqa: S314 - it is our own


def test_what_can_not_be_built_is_told_with_its_reason_and_the_exit_code(world, command):
    blocked = plan(node("tqdm", Standing.BLOCKED, reason="tqdm 1.0 has no sdist on the index"))
    plans(world, lambda _spec: blocked)
    code, out, _err = command("plan", "tqdm", "--progress", "quiet")
    assert code == 1
    assert "blocked" in out
    assert "tqdm 1.0 has no sdist on the index" in out


def test_requirements_that_can_not_be_met_end_as_a_builds_do(world, command):
    def work():
        while not (jobs := world.services.ledger.latest(1)):
            time.sleep(0.05)
        world.fail(jobs[0].id, InputError("these requirements can't be met together", found="a<2 and a>3"))

    threading.Thread(target=work, daemon=True).start()
    code, _out, err = command("plan", "a<2", "a>3", "--progress", "quiet")
    assert code == 2
    assert "can't be met together" in err


def test_a_running_builds_plan_can_be_looked_at(world, command):
    job = world.services.requests.build
    from wheelyard.build_request import BuildRequest

    build = job(BuildRequest(requirements=("numpy",), toolchain="debian12-cp311"), now=time.time()).job
    code, out, _err = command("plan", "--of", build.id)
    assert (code, "has no plan yet: it is queued" in out) == (0, True)
    claim = world.services.ledger.claim(build.id, "the-test", 60)
    world.services.ledger.park(claim, [], {**claim.job.spec, "plan": PLAN.to_document()})
    code, out, _err = command("plan", "--of", build.id)
    assert (code, "3 nodes: 1 hit, 2 build" in out) == (0, True)
    assert command("plan", "--of", build.id, "numpy")[0] == 2


def with_inputs(standing, key, **fields):
    return plan(
        node("numpy", standing, key=key, inputs=replace(INPUTS, **fields).to_document(), seconds=300.0)
    )


def test_a_change_is_told_as_what_it_lets_be_built_and_why(world, command):
    def plan_of(spec):
        if "cython==3.2.1" in spec["constraints"]:
            return with_inputs(Standing.WAITING, "k2", build_wheels=OTHER_CYTHON)
        return with_inputs(Standing.HIT, "k1", build_wheels=CYTHON)

    plans(world, plan_of, 4)
    change = "constraint=Cython==3.2.1"
    code, out, _err = command("plan", "numpy", "--progress", "quiet", "--if", change)
    assert code == 0
    assert "numpy==1.0  rebuilt     5 min  cython 3.1.0 -> 3.2.1" in out
    assert "1 rebuilt" in out
    assert "building: nothing now, about 5 min (done in about 5 min by 1) then" in out
    code, out, _err = command("plan", "numpy", "--json", "--if", change)
    (one,) = json.loads(out)["nodes"]
    assert (one["fate"], one["now"], one["then"], one["seconds"]) == ("rebuilt", "hit", "waiting", 300.0)
    assert one["changes"][0]["text"] == "the cython wheel changed from 3.1.0 to 3.2.1"


def test_every_kind_of_change_reaches_the_request(world, command):
    seen = []

    def plan_of(spec):
        seen.append(spec)
        return with_inputs(Standing.HIT, "k1")

    plans(world, plan_of, 2)
    changes = ["toolchain=debian13-cp313", "build-deps=source", "variant=OpenCV_Python=video"]
    code, _out, err = command(
        "plan", "numpy", "--progress", "quiet", *(word for one in changes for word in ("--if", one))
    )
    assert code == 0, err
    then = max(seen, key=lambda spec: spec["build_deps"] == "source")
    assert (then["toolchain"], then["build_deps"], then["variants"]) == (
        "debian13-cp313", "source", {"opencv-python": "video"},
    )  # fmt: skip


@pytest.mark.parametrize("change", ["weather=rain", "toolchain", "build-deps=nothing", "variant=numpy"])
def test_a_change_that_is_none_says_which_there_are(command, change):
    code, _out, err = command("plan", "numpy", "--if", change)
    assert code == 2
    assert "build-deps=source|wheels" in err


def test_why_says_the_reason_the_inputs_and_what_to_do_about_an_unknown_wheel(world, command):
    publish_wheel(world.services, version="1.0")
    publish_wheel(world.services, version="1.1", published_at=1_764_000_100.0)
    code, out, _err = command("why", "tiny-thing==1.1")
    assert code == 0
    assert out.startswith(
        "tiny-thing 1.1 differs from tiny-thing 1.0 in this: the version changed from 1.0 to 1.1"
    )
    assert "compared with:" in out
    assert "sdist filename:       tiny_thing-1.1.tar.gz" in out
    code, out, _err = command("why", "tiny-thing==1.0", "--json")
    document = json.loads(out)
    assert (code, document["before"]) == (0, None)
    code, _out, err = command("why", "tiny-thing==3")
    assert code == 2
    assert "one of 1.0 (debian12-cp311), 1.1 (debian12-cp311)" in err
    assert command("why", "tiny-thing")[0] == 2
