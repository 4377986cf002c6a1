"""What comes out of the filling container is checked, and what goes wrong in it is told."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
import zipfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from wheelyard.errors import BuildFailed, ForeignOutputRefused, InputError
from wheelyard.settings import Settings
from worker.engine.contract import ContainerSpec, Ended
from worker.wheel_layer import Filling, fill_wheel_layer

SITE = "usr/local/lib/python3.11/dist-packages"
MODULE = b"x = 1\n"
SUM = base64.urlsafe_b64encode(hashlib.sha256(MODULE).digest()).rstrip(b"=").decode()
RECORD = f"demo.py,sha256={SUM},{len(MODULE)}\ndemo-1.0.dist-info/RECORD,,\n".encode()
FILES = {f"{SITE}/demo.py": MODULE, f"{SITE}/demo-1.0.dist-info/RECORD": RECORD}


class FakeEngine:
    """A container that ends as it is told and gives out the files that it is told."""

    def __init__(self, files: dict[str, bytes], ended: Ended = Ended(code=0), mode: int = 0o600) -> None:  # noqa: B008
        self.files, self.ended, self.mode = files, ended, mode
        self.spec: ContainerSpec | None = None
        self.argv: list[str] = []
        self.environment: dict[str, str] = {}

    @contextmanager
    def start(self, spec):
        self.spec = spec
        yield self

    def run(self, argv, *, on_line, timeout, environment=None, workdir="/"):
        self.argv, self.environment = list(argv), dict(environment or {})
        on_line("pip says something")
        return self.ended

    def read_file(self, path, target, limit):
        assert limit >= sum(map(len, self.files.values()))
        with tarfile.open(fileobj=target, mode="w") as tar:
            for name, body in self.files.items():
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode, entry.mtime = len(body), self.mode, 12345
                tar.addfile(entry, io.BytesIO(body))
        return target.tell()


@pytest.fixture
def wheel(tmp_path) -> Path:
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as pack:
        pack.writestr("demo.py", MODULE)
        pack.writestr("demo-1.0.dist-info/RECORD", "")
    path.chmod(0o600)
    return path


def fill(engine, wheel, **settings) -> Path:
    lines: list[str] = []
    filling = Filling(
        engine=engine,
        image="sha256:" + "a" * 64,
        job="job-1",
        owner="worker-1",
        settings=Settings(**settings),
        on_line=lines.append,
    )
    target = fill_wheel_layer(wheel, wheel.parent / "layer.tar", filling)
    assert lines == ["pip says something"]
    return target


def test_the_layer_is_normalised_and_nothing_else_is_left_behind(wheel):
    engine = FakeEngine(FILES)
    target = fill(engine, wheel)
    with tarfile.open(target) as tar:
        members = {member.name: member for member in tar}
    assert {member.mtime for member in members.values()} == {0}
    assert members[f"{SITE}/demo.py"].mode == 0o644
    assert sorted(path.name for path in wheel.parent.iterdir()) == [wheel.name, "layer.tar"]


def test_the_container_gets_a_readable_wheel_a_fixed_hash_seed_and_its_job(wheel):
    engine = FakeEngine(FILES)
    fill(engine, wheel)
    assert wheel.stat().st_mode & 0o004
    assert engine.spec.mounts[wheel] == f"/in/{wheel.stem}/{wheel.name}"
    assert (engine.spec.job, engine.spec.owner) == ("job-1", "worker-1")
    assert engine.environment["PYTHONHASHSEED"] == "0"
    assert engine.argv[:2] == ["/usr/bin/python3", "-I"]


@pytest.mark.parametrize(
    "files",
    [
        {**FILES, "etc/passwd": b"root::0:0"},
        {**FILES, "usr/bin/python3": b""},
        {**FILES, f"{SITE}/../../../../../etc/x": b""},
        {**FILES, f"{SITE}/extra.pth": b"import os"},
        {f"{SITE}/demo-1.0.dist-info/RECORD": RECORD},
        {},
    ],
)
def test_anything_but_the_installed_wheel_is_refused(wheel, files):
    with pytest.raises(ForeignOutputRefused) as refusal:
        fill(FakeEngine(files), wheel)
    assert wheel.name in refusal.value.failed
    assert [path.name for path in wheel.parent.iterdir()] == [wheel.name]


def test_a_setuid_file_is_refused(wheel):
    with pytest.raises(ForeignOutputRefused):
        fill(FakeEngine(FILES, mode=0o4755), wheel)


def test_a_failure_shows_the_last_lines(wheel):
    with pytest.raises(BuildFailed) as failure:
        fill(FakeEngine(FILES, Ended(code=1)), wheel)
    assert "pip says something" in failure.value.found


def test_a_container_without_memory_says_so(wheel):
    with pytest.raises(BuildFailed) as failure:
        fill(FakeEngine(FILES, Ended(code=137, out_of_memory=True)), wheel)
    assert "WHEELYARD_BUILD_MEMORY" in failure.value.do


def test_a_wheel_that_needs_more_memory_than_there_may_be_is_refused_before(wheel):
    engine = FakeEngine(FILES)
    with pytest.raises(InputError):
        fill(engine, wheel, build_memory=1 << 28)
    assert engine.spec is None


@pytest.mark.parametrize("name", ["demo.whl", "demo-1.0.tar.gz"])
def test_a_file_that_is_no_wheel_is_refused(wheel, name):
    other = wheel.with_name(name)
    other.write_bytes(b"no zip")
    with pytest.raises(InputError):
        fill(FakeEngine(FILES), other)
