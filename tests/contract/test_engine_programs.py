"""The engine's contract of one program of an image, and of images that are pulled for a while."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager

import pytest

from tests.contract.engines import KINDS, open_engine
from tests.layers import tiny_image
from wheelyard.errors import Cancelled, EngineFailed, TimedOut
from wheelyard.loopback_registry import LoopbackRegistry
from wheelyard.oci import Runtime
from wheelyard.store.folder import FolderStore
from worker.engine.contract import ProgramSpec
from worker.engine_images import EngineImages
from worker.proof_image import _static_busybox, load_proof_image

pytestmark = pytest.mark.engine

JOB = "contract-program"
MIB = 1 << 20


@contextmanager
def offered(image, open_blob):
    """The reference by which an image can be pulled while the block runs."""
    registry = LoopbackRegistry(image, open_blob)
    with registry.serving():
        yield registry.exact_reference


@pytest.fixture(scope="module", params=KINDS)
def engine(request):
    found = open_engine(request.param)
    yield found
    assert [one.id for one in found.containers() if one.job == JOB] == []


@pytest.fixture(scope="module")
def image(engine):
    return load_proof_image(engine)


@pytest.fixture
def spec(image):
    def make(*argv, **changes):
        fields = {"image": image, "job": JOB, "owner": "tester", "memory": 128 * MIB, "pids": 64, **changes}
        return ProgramSpec(argv=argv, **fields)

    return make


def run(engine, spec, timeout=60.0):
    lines: list[str] = []
    with engine.program(spec) as program:
        return program.run(on_line=lines.append, timeout=timeout), lines


def test_hands_over_each_line_and_the_exit_status(engine, spec):
    ended, lines = run(engine, spec("/bin/sh", "-c", 'echo one; echo "$0"; exit 7', "two  words"))
    assert (ended.code, lines) == (7, ["one", "two  words"])


def test_is_closed_like_every_container_of_ours(engine, spec, tmp_path):
    (tmp_path / "word").write_text("hello")
    tmp_path.chmod(0o755)
    script = (
        "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status; touch /x 2>&1; cat /in/word; echo; "
        "tail -n +3 /proc/net/dev | cut -d: -f1; touch /tmp/x && echo tmp"
    )
    _, lines = run(engine, spec("/bin/sh", "-c", script, mounts={tmp_path: "/in"}))
    status = dict(line.split(":\t") for line in lines if ":\t" in line)
    assert {value for name, value in status.items() if name.startswith("Cap")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    rest = [line.strip() for line in lines if ":\t" not in line]
    assert "Read-only file system" in rest[0]
    assert rest[1:] == ["hello", "lo", "tmp"]


def test_a_program_that_the_image_lacks_is_its_own_failure_not_the_engines(engine, spec):
    ended, lines = run(engine, spec("/bin/no-such-program"))
    assert ended.code in (126, 127)
    assert any("no-such-program" in line for line in lines)


def test_an_image_that_is_not_there_is_the_engines_failure(engine, spec):
    with pytest.raises(EngineFailed):
        run(engine, spec("/bin/true", image="sha256:" + "0" * 64))


def test_a_timeout_ends_it(engine, spec):
    started = time.monotonic()
    with pytest.raises(TimedOut):
        run(engine, spec("/bin/sh", "-c", "while :; do echo on; sleep 0.2; done"), timeout=1.5)
    assert time.monotonic() - started < 60


@pytest.mark.parametrize("after", [0.0, 0.15, 1.5])
def test_can_be_killed_from_another_thread_at_any_time(engine, spec, after):
    with engine.program(spec("/bin/sleep", "60")) as program:
        timer = threading.Timer(after, program.kill)
        timer.start()
        started = time.monotonic()
        with pytest.raises(Cancelled):
            program.run(on_line=lambda _line: None, timeout=90)
        timer.join()
    assert time.monotonic() - started < 50


def test_a_reader_that_fails_ends_it(engine, spec):
    def refuse(line):
        raise ValueError(line)

    with (
        pytest.raises(ValueError, match="go"),
        engine.program(spec("/bin/sh", "-c", "echo go; sleep 60")) as it,
    ):
        it.run(on_line=refuse, timeout=100)


def test_runs_as_the_images_own_user_with_its_variables_and_folder(engine, tmp_path):
    store = FolderStore(tmp_path / "store")
    runtime = Runtime(user="1234:99", environment={"PATH": "/bin", "WORD": "a b"}, workdir="/work")
    image = tiny_image(store, {"work/x": b"1"}, runtime=runtime, busybox=_static_busybox(tmp_path))
    images = EngineImages(engine, store, tmp_path / "tested", kept=0)
    with offered(image, store.open_blob) as reference:
        found = engine.pull(reference)
    spec = ProgramSpec(
        image=found, job=JOB, owner="t", argv=("sh", "-c", "id -u; id -g; echo $WORD; pwd"), memory=64 * MIB
    )
    assert run(engine, spec)[1] == ["1234", "99", "a b", "/work"]
    images.bring(image)
    engine.drop(reference)
    assert not engine.has_image(found)


def test_a_pulled_image_gets_no_layer_that_is_there_already(engine, tmp_path):
    store = FolderStore(tmp_path / "store")
    first = tiny_image(store, {"one": b"1"}, {"two": b"2"})
    second = tiny_image(store, {"one": b"1"}, {"three": b"3"})
    asked: list[str] = []

    def open_blob(digest):
        asked.append(str(digest))
        return store.open_blob(digest)

    references = []
    for image in (first, second):
        with offered(image, open_blob) as reference:
            assert engine.pull(reference) == str(image.id)
            references.append(reference)
    assert asked.count(str(first.layers[0].digest)) == 1
    assert asked.count(str(second.layers[1].digest)) == 1
    for reference in references:
        engine.drop(reference)
        engine.drop(reference)


def test_as_many_images_stay_as_are_kept_and_those_of_others_do(engine, tmp_path):
    store = FolderStore(tmp_path / "store")
    made = [
        tiny_image(store, {"number": str(number).encode() + tmp_path.name.encode()}) for number in range(4)
    ]
    with offered(made[0], store.open_blob) as own:
        engine.pull(own)
    images = EngineImages(engine, store, tmp_path / "tested", kept=2)
    for image in made:
        assert images.bring(image) == str(image.id)
    engine.forget_images()
    there = [engine.has_image(str(image.id)) for image in made]
    # The first one has a name that was not given for a test.
    assert there == [True, False, True, True]
    EngineImages(engine, store, tmp_path / "tested", kept=0).bring(made[3])
    engine.drop(own)
    assert not any(engine.has_image(str(image.id)) for image in made)


def test_an_engine_that_can_not_pull_gets_an_archive(engine, tmp_path, monkeypatch):
    store = FolderStore(tmp_path / "store")
    image = tiny_image(store, {"archive": tmp_path.name.encode()})

    def refuse(_reference):
        raise EngineFailed("it is on another machine")

    monkeypatch.setattr(engine, "pull", refuse)
    assert EngineImages(engine, store, tmp_path / "tested").bring(image) == str(image.id)
    assert engine.has_image(str(image.id))
    (place,) = (tmp_path / "tested").iterdir()
    engine.drop(place.read_text())
    assert not engine.has_image(str(image.id))


def test_the_door_gives_nothing_but_its_image_and_only_by_its_name(tmp_path):
    import urllib.error
    import urllib.request

    store = FolderStore(tmp_path / "store")
    image, other = tiny_image(store, {"a": b"a"}), tiny_image(store, {"b": b"b"})
    with offered(image, store.open_blob) as reference:
        host, _, name = reference.partition("/")
        repository = name.partition("@")[0]

        def status(path):
            try:
                with urllib.request.urlopen(f"http://{host}{path}", timeout=10) as answer:
                    return answer.status, answer.read()
            except urllib.error.HTTPError as error:
                return error.code, b""

        code, body = status(f"/v2/{repository}/manifests/{image.digest}")
        assert (code, json.loads(body)["schemaVersion"]) == (200, 2)
        assert status(f"/v2/{repository}/blobs/{image.id}") == (200, image.config)
        for path in (
            f"/v2/{repository}/blobs/{other.layers[0].digest}",
            f"/v2/{repository}/blobs/../../etc",
            f"/v2/other/manifests/{image.digest}",
            f"/v2/{repository}/manifests/latest",
            "/etc/passwd",
        ):
            assert status(path)[0] == 404, path
