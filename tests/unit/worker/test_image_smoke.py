"""What is made of the words of a container in which an image was tried."""

from __future__ import annotations

import json
import platform
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from runtime_images.spec import ImageSpec
from tests.layers import tiny_image
from wheelyard.build_request import BuildRequest
from wheelyard.digests import Digest
from wheelyard.errors import BuildFailed, EngineFailed, InfrastructureError, TimedOut
from wheelyard.image_record import ImageRecord, WheelPin
from wheelyard.image_request import ImageRequest
from wheelyard.limits import AskedLimits
from wheelyard.settings import Settings
from wheelyard.smoke_verdict import SmokeState, find_verdict
from wheelyard.store.folder import FolderStore
from worker.engine.contract import Ended, ProgramSpec
from worker.image_smoke import smoke_test
from worker.smoke_failure import SmokeFailure, smoke_error
from worker.smoke_order import SmokeOrder, WheelTrial

PIN = WheelPin(project="demo", version="1.0", filename="demo-1.0-py3-none-any.whl", digest=Digest("a" * 64))
PASSED = {"event": "passed", "what": "import demo"}
DONE = {"event": "done", "tried": 1, "notes": ["a note"], "memory_kills": 0}
FAILED = {
    "event": "failed",
    "what": "import demo",
    "reason": "ValueError: no",
    "wheel": "demo",
    "module": "demo",
    "lines": ["Traceback", "ValueError: no"],
}


class Forged(str):
    """What a line says behind the nonce, by somebody who read it."""

    __slots__ = ()


class FakeEngine:
    """Has every image, and its programs say what they are told to."""

    def __init__(self, image: str, *events: dict | str, ended: Ended | Exception = Ended(code=0)) -> None:  # noqa: B008
        self.image, self.events, self.ended = image, events, ended
        self.specs: list[ProgramSpec] = []
        self.order: dict = {}

    def pull(self, _reference):
        return self.image

    def has_image(self, _image):
        return True

    @contextmanager
    def program(self, spec):
        self.specs.append(spec)
        folder = next(iter(spec.mounts))
        self.order = json.loads((folder / "order.json").read_text())
        assert {path.name for path in folder.iterdir()} == {
            "order.json", "smoke_image.py", "smoke_programs.py", "smoke_tasks.py"
        }  # fmt: skip
        yield self

    def run(self, *, on_line, timeout):
        assert timeout > 60
        for event in self.events:
            if isinstance(event, Forged):
                on_line(f"{self.order['nonce']} {event}")
                continue
            on_line(event if isinstance(event, str) else f"{self.order['nonce']} {json.dumps(event)}")
        if isinstance(self.ended, Exception):
            raise self.ended
        return self.ended

    def kill(self):
        """Nothing runs."""


class Bench:
    """A store with one image, and a job that is about it."""

    def __init__(self, folder: Path) -> None:
        self.store = FolderStore(folder / "store")
        self.image = tiny_image(self.store, {"app/x": b"1"})
        self.folder = folder
        self.said: list[str] = []
        self.spec = ImageSpec(
            toolchain="t",
            toolchain_image="sha256:" + "c" * 64,
            python_tag="cp311",
            policy="manylinux_2_36_x86_64",
            base=self.image.layers[0],
            wheels=(PIN,),
        )
        self.record = ImageRecord(
            key="0" * 64,
            image_id=self.image.id,
            config_size=len(self.image.config),
            manifest_digest=self.image.digest,
            manifest_size=len(self.image.manifest),
            toolchain="t",
            toolchain_image="sha256:" + "c" * 64,
            layers=self.image.layers,
            wheels=(PIN,),
            workdir="/app",
            user="1000:1000",
            size=1,
            unpacked=1,
        )

    def try_it(self, engine: FakeEngine, **asked):
        @contextmanager
        def watching(_killable):
            yield

        settings = Settings(data_dir=self.folder / "data")
        work = SimpleNamespace(
            services=SimpleNamespace(store=self.store, engine=engine, settings=settings, owner="worker-1"),
            claim=SimpleNamespace(id="job-1"),
            log=SimpleNamespace(line=self.said.append),
            scratch=self.folder / "scratch",
            watching=watching,
            check=lambda: None,
        )
        limits = asked.pop("limits", AskedLimits())
        build = BuildRequest(requirements=("demo",), toolchain="t", limits=limits)
        return smoke_test(
            work, ImageRequest(build=build, **asked), self.spec, self.record, lambda _name: ("libdemo1",)
        )


@pytest.fixture
def bench(tmp_path, monkeypatch) -> Bench:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    return Bench(tmp_path)


def test_a_pass_is_kept_and_not_tried_again(bench):
    engine = FakeEngine(str(bench.image.id), "foreign words", PASSED, DONE)
    first = bench.try_it(engine)
    assert (first.state, first.passed, first.notes) == (SmokeState.PASSED, ("import demo",), ("a note",))
    assert "a note" in bench.said
    assert bench.try_it(engine) == first == find_verdict(bench.store, bench.image.id)
    assert len(engine.specs) == 1
    bench.try_it(engine, check="1 + 1")
    assert len(engine.specs) == 2


def test_a_recipes_test_that_runs_a_native_is_for_images_that_have_it(bench, monkeypatch):
    (bench.folder / "recipes").mkdir()
    (bench.folder / "recipes" / "demo.toml").write_text('runtime_natives = ["tally"]\nsmoke = "1 + 1"\n')
    monkeypatch.setenv("WHEELYARD_RECIPES_DIR", str(bench.folder / "recipes"))
    engine = FakeEngine(str(bench.image.id), PASSED, DONE)
    verdict = bench.try_it(engine)
    assert engine.order["wheels"] == [{"project": "demo", "imports": [], "smoke": ""}]
    assert "the smoke test of demo's recipe is not run: the image lacks the native tally" in verdict.notes
    verdict = bench.try_it(engine, natives=("tally",))
    assert engine.order["wheels"] == [{"project": "demo", "imports": [], "smoke": "1 + 1"}]
    assert verdict.notes == ("a note",)


def test_the_container_runs_the_images_own_python_with_the_usual_limits(bench):
    engine = FakeEngine(str(bench.image.id), PASSED, DONE)
    bench.try_it(engine, check="x = 1")
    bench.try_it(engine, check="x = 2", limits=AskedLimits(memory=1 << 30))
    spec = engine.specs[0]
    assert spec.argv == ("/usr/bin/python3", "-I", "/in/smoke_image.py", "/in/order.json")
    assert (spec.job, spec.owner, spec.image) == ("job-1", "worker-1", str(bench.image.id))
    assert [one.memory for one in engine.specs] == [2 << 30, 1 << 30]
    assert engine.order["check"] == "x = 2"
    assert engine.order["wheels"] == [{"project": "demo", "imports": [], "smoke": ""}]


def test_one_that_was_asked_for_without_is_left_out(bench):
    engine = FakeEngine(str(bench.image.id))
    assert bench.try_it(engine, smoke_test=False).state is SmokeState.SKIPPED
    assert engine.specs == []
    assert find_verdict(bench.store, bench.image.id).state is SmokeState.NOT_RUN


def test_one_for_another_machine_is_not_run_and_says_so(bench, monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    engine = FakeEngine(str(bench.image.id))
    verdict = bench.try_it(engine)
    assert (verdict.state, engine.specs) == (SmokeState.NOT_RUN, [])
    assert "x86_64" in verdict.reason
    assert "aarch64" in verdict.reason


def test_a_failure_names_module_wheel_and_lines_and_leaves_no_verdict(bench):
    with pytest.raises(BuildFailed) as caught:
        bench.try_it(FakeEngine(str(bench.image.id), FAILED, {**FAILED, "what": "import other"}, DONE))
    error = caught.value
    assert error.failed == f"the image's smoke test failed: import demo, of {PIN.filename}"
    assert error.found == "Traceback\nValueError: no\nand import other: ValueError: no"
    assert (error.facts["module"], error.facts["wheel"]) == ("demo", PIN.filename)
    assert find_verdict(bench.store, bench.image.id).state is SmokeState.NOT_RUN


@pytest.mark.parametrize(
    ("events", "ended", "words"),
    [
        ((PASSED,), Ended(code=0), "the test itself"),
        ((PASSED, {**DONE, "tried": 2}), Ended(code=0), "the test itself"),
        (("no such file",), Ended(code=127), "starting its Python"),
        ((), Ended(code=137, out_of_memory=True), "starting its Python"),
        (('{"event": "done", "tried": 0, "notes": [], "memory_kills": 0}',), Ended(code=0), "starting"),
    ],
)
def test_an_end_before_the_scripts_own_is_a_failure(bench, events, ended, words):
    with pytest.raises(BuildFailed) as caught:
        bench.try_it(FakeEngine(str(bench.image.id), *events, ended=ended))
    assert words in caught.value.failed
    assert ("memory" in caught.value.do) == ended.out_of_memory


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "",
        "[" * 100_000,
        "[]",
        "1",
        "{}",
        '{"event": "passed"}',
        '{"event": "failed"}',
        '{"event": "failed", "what": "x", "reason": "y", "lines": 1}',
        '{"event": "done", "tried": Infinity, "notes": [], "memory_kills": 0}',
        '{"event": "done", "tried": 1, "notes": 1, "memory_kills": 0}',
        '{"event": "done", "tried": 1, "notes": ["\\ud800"], "memory_kills": 0}',
        '{"event": "other", "tried": 1, "notes": [], "memory_kills": 0}',
    ],
)
def test_a_line_with_the_nonce_that_is_no_event_is_a_failed_test(bench, text):
    with pytest.raises(BuildFailed) as caught:
        bench.try_it(FakeEngine(str(bench.image.id), PASSED, Forged(text), DONE))
    assert "the test itself" in caught.value.failed
    assert "the script in the container said" in caught.value.found
    assert find_verdict(bench.store, bench.image.id).state is SmokeState.NOT_RUN


@pytest.mark.parametrize(
    "events",
    [
        ({**PASSED, "what": "import demo; more"}, DONE),
        ({**PASSED, "what": "the image's own check"}, DONE),
        ({**PASSED, "what": "the smoke test of demo's recipe"}, DONE),
        (PASSED, DONE, PASSED),
        ({**DONE, "tried": 2}, PASSED, PASSED),
        (PASSED, DONE, DONE),
    ],
)
def test_what_was_not_to_be_tried_or_comes_after_the_end_is_no_pass(bench, events):
    with pytest.raises(BuildFailed) as caught:
        bench.try_it(FakeEngine(str(bench.image.id), *events))
    assert "the test itself" in caught.value.failed


def test_what_an_order_asks_for_may_pass():
    named = WheelTrial(project="demo", imports=("demo.core",), smoke="1")
    order = SmokeOrder(
        wheels=(named,), programs=(), entrypoint=("python3",), module="web", workdir="/app", check="1"
    )
    whats = (
        "import demo.core",
        "the smoke test of demo's recipe",
        "finding the module web of the entry point",
        "the image's own check",
    )
    assert all(order.asks_for(what) for what in whats)
    assert not order.asks_for("import other")


def test_one_that_never_ends_says_how_far_it_came(bench):
    with pytest.raises(TimedOut) as caught:
        bench.try_it(FakeEngine(str(bench.image.id), PASSED, ended=TimedOut("slow")))
    assert "1 imports and checks passed" in caught.value.found


def test_the_engines_own_failure_is_not_the_images(bench):
    with pytest.raises(EngineFailed):
        bench.try_it(FakeEngine(str(bench.image.id), ended=EngineFailed("no space")))


def failure(**fields) -> SmokeFailure:
    return SmokeFailure(
        **{"what": "import demo", "reason": "failed", "wheel": "demo", "module": "demo", **fields}
    )


def advice(one: SmokeFailure, *packages: str, kills: int = 0, natives: dict[str, str] | None = None) -> str:
    error = smoke_error(
        [one], wheels={}, memory=1 << 30, memory_kills=kills, packages_with=lambda _soname: packages,
        natives=natives or {},
    )  # fmt: skip
    return error.do


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (
            failure(reason="ImportError: libGL.so.1: cannot open shared object file: No such"),
            "--package libgl1",
        ),
        (failure(lines=("OSError: libsndfile.so: cannot open shared object file",)), "libsndfile.so"),
        (failure(reason="libx.so.3 => not found"), "libx.so.3"),
        (
            failure(reason="ModuleNotFoundError: No module named 'yaml.x'"),
            "the module yaml to the requirements",
        ),
        (failure(reason="OSError: [Errno 30] Read-only file system: '/x'"), "only /tmp"),
        (failure(reason="socket.gaierror: [Errno -3] Temporary failure in name resolution"), "network"),
        (failure(reason="OSError: [Errno 28] No space left on device"), "/tmp"),
        (failure(reason="it did not end within 60 s", slow=True), "what it waits for"),
        (
            failure(reason="FileNotFoundError: [Errno 2] No such file or directory: 'ffprobe'"),
            "program ffprobe",
        ),
        (failure(killed=True), "--memory"),
        (failure(), "--no-smoke-test"),
    ],
)
def test_each_cause_has_its_advice(one, words):
    assert words in advice(one, "libgl1", "libgl1-other")


def test_a_library_that_no_package_is_known_for_is_advised_all_the_same():
    lost = failure(reason="libx.so.3: cannot open shared object file")
    assert "libx.so.3" in advice(lost)

    def out(_soname):
        raise InfrastructureError("the mirror does not answer")

    error = smoke_error([lost], wheels={}, memory=1, memory_kills=0, packages_with=out, natives={})
    assert error.facts["library"] == "libx.so.3"
    assert "--package NAME" in error.do


def test_a_program_that_a_wheel_runs_is_named_by_its_native():
    lacks = failure(reason="RuntimeError: No ffmpeg exe could be found.")
    assert "--native ffmpeg" in advice(lacks, natives={"ffmpeg": "moviepy"})
    assert "--native" not in advice(lacks)
    other = failure(reason="OSError: [Errno 30] Read-only file system: '/data'")
    assert advice(other, natives={"ffmpeg": "moviepy"}) == advice(other)
