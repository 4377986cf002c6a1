"""Limits of a build, and the end of one, in real containers of the made toolchain; no index takes part."""

from __future__ import annotations

import io
import tarfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.databases import migrated_sqlite
from tests.e2e.made_toolchain import made_toolchain
from wheelyard.build_key import BuildInputs
from wheelyard.catalogue import Catalogue
from wheelyard.digests import Digest
from wheelyard.events import Appended
from wheelyard.jobs.database import Database
from wheelyard.jobs.ledger import Ledger
from wheelyard.jobs.states import Kind, State
from wheelyard.limits import AskedLimits, Limits
from wheelyard.requests import Requests
from wheelyard.settings import Settings
from wheelyard.store.folder import FolderStore
from wheelyard.toolchain_record import save_record
from worker.capacity import Capacity, Machine
from worker.claimed_job import ClaimedJob
from worker.context import Services
from worker.runner import Runner
from worker.wheel_job import make_one_wheel

MEGABYTE = 1 << 20
# A backend of the project's own (PEP 517), so that no build requirement has to be fetched.
BACKEND = """\
import base64, csv, hashlib, io, json, os, pathlib, subprocess, time, zipfile

def build_wheel(folder, config_settings=None, metadata_directory=None):
    print("config settings:", json.dumps(config_settings), flush=True)
    what = os.environ.get("DEMO", "")
    if what == "hog":
        subprocess.run(["gcc", "-O0", "-o", "hog", "hog.c"], check=True)
        subprocess.run(["make", "all"], check=True)
    elif what == "fill":
        subprocess.run(["dd", "if=/dev/zero", "of=/build/large", "bs=1M", "count=300"], check=True)
    elif what == "sleep":
        time.sleep(300)
    info = "demo-1.0.dist-info"
    files = {
        "demo.py": b"answer = 42\\n",
        info + "/METADATA": b"Metadata-Version: 2.1\\nName: demo\\nVersion: 1.0\\n",
        info + "/WHEEL": b"Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    rows = []
    for path, body in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode()
        rows.append([path, "sha256=" + digest, len(body)])
    rows.append([info + "/RECORD", "", ""])
    record = io.StringIO()
    csv.writer(record, lineterminator="\\n").writerows(rows)
    name = "demo-1.0-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder) / name, "w") as pack:
        for path, body in {**files, info + "/RECORD": record.getvalue()}.items():
            pack.writestr(path, body)
    return name
"""
# Two compilers, as far as their memory goes: each takes 200 MB for a second, as many at once as make may run.
HOG = """\
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(void) {
    char *block = malloc(200 << 20);
    memset(block, 1, 200 << 20);
    sleep(1);
    return block[7] - 1;
}
"""
PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "{backend}"\nbackend-path = ["."]\n'
MAKEFILE = "all: one two\none two:\n\t./hog\n.PHONY: all one two\n"


class Silent:
    """Nobody listens."""

    def append(self, _stream, _job, events, after):
        return Appended(last=max((event.seq for _entry, event in events), default=after))

    def ring(self, _job, _queue):
        """Nobody is rung for."""


class World:
    """A worker of this process on a ledger and a store of its own, with the machine's engine."""

    def __init__(self, folder: Path, engine):
        self.made, self.engine = made_toolchain(engine), engine
        self.recipes = folder / "recipes"
        self.recipes.mkdir()
        self.settings = Settings(data_dir=folder / "data", recipes_dir=self.recipes)
        database = Database(migrated_sqlite(folder / "jobs.db"))
        self.ledger, self.store = Ledger(database), FolderStore(folder / "store")
        save_record(self.store, self.made.record)
        catalogue = Catalogue(database)
        self.services = Services(
            settings=self.settings, ledger=self.ledger, catalogue=catalogue,
            requests=Requests(self.ledger, catalogue, Silent(), 60), store=self.store, engine=engine,
            owner="me",
        )  # fmt: skip

    def submit(self, what="", backend="backend", **limits):
        sdist = self._sdist(backend)
        digest = Digest.of(sdist)
        self.store.put_blob(sdist, digest)
        record = self.made.record
        inputs = BuildInputs(
            project="demo", version="1.0", sdist=str(digest), sdist_filename="demo-1.0.tar.gz",
            toolchain=record.image, target=record.policy, python_tag=record.python_tag, build_wheels={},
            environment={"DEMO": what}, config_settings={},
        )  # fmt: skip
        asked = AskedLimits.model_validate({"memory": 1 << 30, "disk": 256 * MEGABYTE, **limits})
        spec = {
            "inputs": inputs.to_document(), "image": record.image, "runtime": [],
            "limits": Limits.of(self.settings, asked).to_document(),
        }  # fmt: skip
        job, _ = self.ledger.submit(
            Kind.WHEEL, inputs.key, spec=spec, title="demo 1.0", toolchain=record.name, subject="demo"
        )
        return job.id

    def _sdist(self, backend):
        files = {
            "pyproject.toml": PYPROJECT.format(backend=backend),
            f"{backend}.py": BACKEND,
            "hog.c": HOG,
            "Makefile": MAKEFILE,
        }
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w:gz") as tar:
            for name, text in files.items():
                member = tarfile.TarInfo(f"demo-1.0/{name}")
                member.size = len(text)
                tar.addfile(member, io.BytesIO(text.encode()))
        return out.getvalue()

    def work(self, cores=2.0):
        """Work until nothing is left."""
        capacity = Capacity(Machine(cores=cores, memory=8 << 30), 0, lambda _queue: 0)
        claimed = ClaimedJob(self.services, Silent(), {Kind.WHEEL: make_one_wheel})
        Runner(self.services, [f"toolchain.{self.made.record.name}"], capacity, claimed).run()

    def log(self, job):
        import gzip

        with self.store.open_blob(Digest.parse(self.ledger.get(job).log)) as stream:
            return gzip.decompress(stream.read()).decode()

    @contextmanager
    def working(self):
        thread = threading.Thread(target=self.work)
        thread.start()
        try:
            yield
        finally:
            for job in self.ledger.latest():
                if not job.state.ended:
                    self.ledger.cancel(job.id, "test")
            thread.join(60)


def has_container(engine, job):
    return any(container.job == job for container in engine.containers())


@pytest.fixture
def world(tmp_path, engine):
    return World(tmp_path, engine)


def test_a_compile_without_memory_is_tried_once_more_with_half_the_jobs(world):
    job = world.submit("hog", memory=320 * MEGABYTE)
    world.work()
    after, log = world.ledger.get(job), world.log(job)
    assert after.state is State.SUCCEEDED, after.error
    assert "out of memory with 2 parallel jobs: once more in a fresh container, with 1" in log
    assert "==> compile again" in log
    assert [log.count(f"compiling with {jobs}") for jobs in ("2 parallel jobs", "1 parallel job,")] == [1, 1]
    assert {"compile", "compile again"} <= set(after.result["wheel"]["seconds"])
    assert (after.fence, after.attempts) == (1, 0)


def test_what_is_too_large_for_one_job_says_so_and_is_not_tried_again(world):
    job = world.submit("hog", memory=128 * MEGABYTE)
    world.work(cores=1.0)
    after = world.ledger.get(job)
    assert (after.state, after.error["kind"]) == (State.FAILED, "out-of-memory")
    assert "at most 128 MiB" in after.error["expected"]
    assert "--memory" in after.error["do"]
    assert world.log(job).count("==> unpack") == 1


def test_a_full_disk_names_the_limit_and_what_raises_it(world):
    job = world.submit("fill", disk=100 * MEGABYTE)
    world.work()
    error = world.ledger.get(job).error
    assert error["failed"] == "demo 1.0: the build's disk is full in the phase compile"
    assert "at most 100 MiB" in error["expected"]
    assert "--disk" in error["do"]


def test_a_time_out_names_its_phase_the_limit_and_what_raises_it(world):
    job = world.submit("sleep", seconds=2)
    world.work()
    error = world.ledger.get(job).error
    assert (error["kind"], error["facts"]["phase"]) == ("timed-out", "compile")
    assert "2 s" in error["expected"]
    assert "--timeout" in error["do"]


def test_meson_python_is_told_how_many_jobs_it_may_run(world):
    job = world.submit(backend="mesonpy")
    world.work()
    assert 'config settings: {"compile-args": ["-j2"]}' in world.log(job)


@pytest.mark.parametrize("phase", ["compile", "test"])
def test_within_five_seconds_of_the_last_cancel_the_container_is_gone(world, engine, until, phase):
    if phase == "test":
        (world.recipes / "demo.toml").write_text('smoke = "import time; time.sleep(300)"\n')
    job = world.submit("sleep" if phase == "compile" else "")
    with world.working():
        until(lambda: world.ledger.get(job).phase == phase and has_container(engine, job), seconds=60)
        world.ledger.cancel(job, "test")
        begun = time.monotonic()
        until(lambda: not has_container(engine, job), seconds=5)
        until(lambda: world.ledger.get(job).state is State.CANCELLED, seconds=10)
        assert time.monotonic() - begun < 10
