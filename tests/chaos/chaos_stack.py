"""A whole stack of real processes and servers that a test may let fail, and what it is asked for."""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx2

from tests.chaos.fault_proxy import Failing, Fault, FaultProxy
from tests.chaos.projects import tiny_files, tiny_sdist
from tests.chaos.rooms import Room
from tests.conftest import PostgresServer, S3Server
from tests.e2e.made_toolchain import NAME, Made
from tests.index_site import IndexSite
from wheelyard.build_key import BuildInputs
from wheelyard.catalogue import Catalogue
from wheelyard.digests import Digest
from wheelyard.errors import WheelyardError
from wheelyard.jobs.database import Database
from wheelyard.jobs.ledger import Ledger
from wheelyard.jobs.migrate import migrate
from wheelyard.jobs.states import Job, Kind
from wheelyard.settings import Settings
from wheelyard.stack.ports import free_ports
from wheelyard.stack.program import Program
from wheelyard.stack.readiness import listens
from wheelyard.stack.servers import BUCKET, Ports, redis_address, redis_program
from wheelyard.store.open import open_store
from wheelyard.toolchain_record import PLACE
from wheelyard.wheel_record import record_name
from worker.engine.contract import Engine

LEASE_SECONDS = 3.0
ROOT = Path(__file__).parents[2]
_START_SECONDS = 60
_numbers = itertools.count(1)


class ChaosStack:
    """The stack: PostgreSQL, Redis, S3 behind the fault proxy, API, workers and relay.

    :param folder: of everything that it writes.
    """

    def __init__(
        self,
        folder: Path,
        postgres: PostgresServer,
        s3: S3Server,
        site: IndexSite,
        made: Made,
        engine: Engine,
    ) -> None:
        self.folder, self.postgres, self.site, self.engine = folder, postgres, site, engine
        self.proxy = FaultProxy(s3.ports.s3)
        self.token = secrets.token_urlsafe(16)
        ports, password = Ports.draw(), secrets.token_urlsafe(16)
        self._redis_port = ports.redis
        self.redis = Room(
            redis_program(folder / "redis", folder / "run", ports, password),
            dict(os.environ),
            folder / "redis.log",
        )
        direct = s3.settings(BUCKET, secrets.token_hex(8))
        self.database_url = postgres.make_database(f"chaos_{secrets.token_hex(4)}")
        migrate(self.database_url)
        self.settings = direct.model_copy(
            update={"database_url": self.database_url, "redis_url": redis_address(ports, password)}
        )
        self.environment = self._environment(direct)
        # What the tests themselves ask goes past the proxy.
        self.ledger = Ledger(Database(self.database_url, patience=30))
        self.catalogue = Catalogue(self.ledger.database)
        self.store = open_store(direct)
        self._keep_toolchain(made)
        self.image = made.record.image
        self.apis: list[Room] = []
        self.workers: list[Room] = []
        self._urls: dict[str, str] = {}
        self._client = httpx2.Client(
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=60,
            trust_env=False,
            limits=httpx2.Limits(max_connections=200, max_keepalive_connections=0),
        )
        self.relay = self._room("relay", "worker.relay")
        self.plans = self._room("plans", "worker", "--queues", "plans", "--concurrency", "4")

    def _environment(self, direct: Settings) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("WHEELYARD_")}
        ours = {
            "DATA_DIR": self.folder / "data",
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.settings.redis_url,
            "STORE_URL": direct.store_url,
            "S3_ENDPOINT": self.proxy.url,
            "S3_ACCESS_KEY": direct.s3_access_key,
            "S3_SECRET_KEY": direct.s3_secret_key.get_secret_value(),
            "TOKEN": self.token,
            "TOOLCHAIN": NAME,
            "INDEX_URL": self.site.url,
            "LEASE_SECONDS": LEASE_SECONDS,
            "RELAY_SECONDS": 0.5,
            "BUILD_MEMORY": 1 << 29,
            "BUILD_DISK": 1 << 28,
        }
        return {
            **kept,
            **{f"WHEELYARD_{name}": str(value) for name, value in ours.items()},
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
        }

    def _keep_toolchain(self, made: Made) -> None:
        # Its image is in the engine; the store needs only the record that says so.
        for name in made.store.list_documents(f"{PLACE}{NAME}/"):
            self.store.put_document(name, made.store.get_document(name) or b"")
        with self.ledger.database.transaction() as session:
            self.catalogue.set_toolchain_image(session, NAME, made.record.image)

    def _room(self, name: str, module: str, *arguments: str, **more: str) -> Room:
        (self.folder / "run").mkdir(exist_ok=True)
        program = Program(name=name, argv=(sys.executable, "-m", module, *arguments), cwd=self.folder / "run")
        return Room(program, {**self.environment, **more}, self.folder / f"{name}.log")

    # -- its processes -------------------------------------------------------------------------------------

    @property
    def rooms(self) -> list[Room]:
        return [*self.apis, *self.workers, self.plans, self.relay]

    def calm(self, *, apis: int = 0, workers: int = 2, plans: bool = False) -> None:
        """Bring up what a test starts with; what runs too much ends."""
        self.start_redis()
        self._resize(self.apis, apis, self._api)
        self._resize(self.workers, workers, self.worker)
        for room in (*self.apis, *self.workers, self.relay):
            room.start()
        if plans:
            self.plans.start()
        else:
            self.plans.stop()
        for api in self.apis:
            self._wait_ready(api)

    def _resize(self, rooms: list[Room], wanted: int, make: Callable[[], Room]) -> None:
        while len(rooms) > wanted:
            rooms.pop().stop()
        while len(rooms) < wanted:
            rooms.append(make())

    def worker(self, **more: str) -> Room:
        """Another worker that compiles, one job at a time; not started yet.

        :param more: variables of its own.
        """
        return self._room(
            f"worker{next(_numbers)}", "worker", "--queues", "compile", "--concurrency", "1", **more
        )

    def _api(self) -> Room:
        (port,) = free_ports(1)
        room = self._room(f"api{next(_numbers)}", "builder_service", WHEELYARD_PORT=str(port))
        self._urls[room.name] = f"http://127.0.0.1:{port}"
        return room

    def _wait_ready(self, api: Room) -> None:
        def ready() -> bool:
            assert api.alive, api.last_words()
            with contextlib.suppress(httpx2.HTTPError):
                return self._client.get(f"{self._urls[api.name]}/readyz", timeout=5).is_success
            return False

        self.until(ready, "the API is not ready")

    def start_redis(self) -> None:
        """Start it where it does not run, and wait until it listens."""
        self.redis.start()
        self.until(lambda: listens(self._redis_port), "Redis does not listen")

    def empty_redis(self) -> None:
        """Throw away what a Redis that does not run has kept on its disk."""
        for place in sorted((self.folder / "redis").rglob("*"), reverse=True):
            place.rmdir() if place.is_dir() else place.unlink()

    def holder(self, job: Job) -> Room | None:
        """The worker that holds a job, by the process number in its owner's id."""
        parts = job.owner.split("/")
        return next((room for room in self.workers if len(parts) > 1 and str(room.pid) == parts[1]), None)

    def close(self) -> None:
        """End all of it."""
        for room in self.rooms:
            room.signal_tree(signal.SIGCONT)
            room.kill()
        self.redis.signal_tree(signal.SIGCONT)
        self.redis.kill()
        self.proxy.close()
        self._client.close()
        jobs = {job.id for job in self.ledger.get_many({one.job for one in self.engine.containers()})}
        for one in self.engine.containers():
            if one.job in jobs:
                self.engine.remove(one.id)
        self.ledger.database.close()

    # -- what it is asked for ------------------------------------------------------------------------------

    def submit_wheel(self, seconds: float = 0.0, *, compiles: bool = False) -> Job:
        """Queue the build of one new tiny wheel, as a plan does.

        :param seconds: that its compile sleeps.
        """
        name = f"chaos{next(_numbers)}x{secrets.token_hex(3)}"
        sdist = tiny_sdist(name, seconds, compiles=compiles)
        digest = Digest.of(sdist)
        self.store.put_blob(sdist, digest)
        inputs = BuildInputs(
            project=name, version="1.0", sdist=str(digest), sdist_filename=f"{name}-1.0.tar.gz",
            toolchain=self.image, target="manylinux_2_36_x86_64", python_tag="cp311", build_wheels={},
            environment={}, config_settings={},
        )  # fmt: skip
        spec = {"inputs": inputs.to_document(), "image": self.image, "runtime": []}
        job, _ = self.ledger.submit(
            Kind.WHEEL, inputs.key, spec=spec, title=f"{name} 1.0", subject=name, toolchain=NAME
        )
        return job

    def submit_held_wheel(self) -> tuple[Job, contextlib.AbstractContextManager[Failing]]:
        """Queue a tiny wheel whose first record waits at the store's door until the block ends."""
        job = self.submit_wheel()
        return job, self.proxy.failing(Fault.HELD, f"PUT .*/{record_name(job.key)}", times=1)

    def add_project(self, seconds: float = 0.0) -> str:
        """Put a new tiny project on the index; gives its name."""
        name = f"chaos{next(_numbers)}x{secrets.token_hex(3)}"
        self.site.add_sdist(name, "1.0", tiny_files(name, seconds))
        return name

    def post(self, api: Room, project: str, headers: Mapping[str, str] | None = None) -> httpx2.Response:
        """Ask an API for a build."""
        return self._client.post(
            f"{self._urls[api.name]}/v1/builds", json={"requirements": [project]}, headers=headers
        )

    def accept(self, api: Room, project: str) -> str:
        """Ask an API for a build that it must accept; gives the job's id."""
        answer = self.post(api, project)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def leave(self, api: Room, job_id: str, waiter: str = "") -> httpx2.Response:
        """Leave a job through an API."""
        params = {"waiter": waiter} if waiter else {}
        return self._client.delete(f"{self._urls[api.name]}/v1/jobs/{job_id}", params=params)

    # -- waiting -------------------------------------------------------------------------------------------

    def until(
        self, condition: Callable[[], object], otherwise: str, seconds: float = _START_SECONDS
    ) -> float:
        """Wait for a condition; gives the seconds that it took. If it fails, logs are shown."""
        began = time.monotonic()
        while not condition():
            if time.monotonic() - began > seconds:
                raise AssertionError(
                    f"{otherwise} within {seconds:.0f} s\n"
                    + "\n".join(room.last_words() for room in self.rooms if room.log.exists())
                )
            time.sleep(0.05)
        return time.monotonic() - began

    def until_compiles(self, job: Job, seconds: float = 60) -> Job:
        """Wait until a container compiles for a job's present owner; gives the job as it is then."""

        def compiling() -> bool:
            now = self.ledger.get(job.id)
            assert not now.state.ended, now
            return now.phase == "compile" and any(
                (one.job, one.owner) == (job.id, now.owner) for one in self.engine.containers()
            )

        self.until(compiling, f"{job.title} does not compile", seconds)
        return self.ledger.get(job.id)

    def until_ended(self, jobs: Sequence[str], seconds: float = 120) -> None:
        """Wait until all of them ended."""

        def ended() -> bool:
            try:
                return all(job.state.ended for job in self.ledger.get_many(jobs))
            except WheelyardError:
                return False

        self.until(ended, "a job did not end", seconds)


@contextlib.contextmanager
def running_stack(*parts: Any) -> Iterator[ChaosStack]:
    """A stack without any process yet, and its end; see `ChaosStack`."""
    stack = ChaosStack(*parts)
    try:
        yield stack
    finally:
        stack.close()
