"""What a build costs over the engine's own time: from its claim to its container, and in all."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from bench.jobs.figures import Figures
from bench.jobs.timed_engine import TimedEngine
from tests.chaos.projects import tiny_sdist
from tests.e2e.made_toolchain import NAME, Made
from wheelyard.build_key import BuildInputs
from wheelyard.digests import Digest
from wheelyard.jobs.states import Job, Kind, State, queue_of
from wheelyard.jobs.workers import WorkerRegistry
from wheelyard.settings import Settings
from wheelyard.store.contract import Store
from wheelyard.toolchain_record import PLACE
from worker.context import Services
from worker.engine.contract import Engine
from worker.process import open_runner, open_services

TO_CONTAINER_AIM_MS = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Overhead:
    """Of so many trivial builds, one after the other.

    :param to_container: from the claim until the engine was asked for the container.
    :param start: of a container, by the engine.
    :param ours: of a whole build, what was not in the engine.
    :param engine: of a whole build, what was.
    :param ratio: a build's whole time over the engine's part of it.
    """

    builds: int
    to_container: Figures
    start: Figures
    ours: Figures
    engine: Figures
    ratio: float


def measure_builds(settings: Settings, made: Made, engine: Engine, builds: int) -> Overhead:
    """Build that many tiny wheels in one worker of this process, on the servers of the settings."""
    services = open_services(settings)
    timed = TimedEngine(engine)
    services = replace(services, engine=timed)
    keep_toolchain(services, made)
    jobs = [_submit(services, services.store, made.record.image) for _ in range(builds)]
    runner = open_runner(services, [queue_of(Kind.WHEEL, NAME)], 1, WorkerRegistry(services.ledger.database))
    runner.run()
    found = services.ledger.get_many(jobs)
    failed = [job.error for job in found if job.state is not State.SUCCEEDED]
    if failed:
        raise RuntimeError(f"{len(failed)} builds failed, the first one so: {failed[0]}")
    whole = [job.ended_at - _claimed_at(services, job) for job in found]
    spent = [timed.spent[job.id] for job in found]
    result = Overhead(
        builds=builds,
        to_container=Figures.of(
            [one.asked_at - _claimed_at(services, job) for job, one in zip(found, spent, strict=True)]
        ),
        start=Figures.of([one.starts[0] for one in spent]),
        ours=Figures.of([seconds - one.seconds for seconds, one in zip(whole, spent, strict=True)]),
        engine=Figures.of([one.seconds for one in spent]),
        ratio=round(sum(whole) / sum(one.seconds for one in spent), 4),
    )
    services.ledger.database.close()
    return result


def keep_toolchain(services: Services, made: Made) -> None:
    """Let a toolchain whose image the engine has be known to the store and the database."""
    for name in made.store.list_documents(f"{PLACE}{NAME}/"):
        services.store.put_document(name, made.store.get_document(name) or b"")
    with services.ledger.database.transaction() as session:
        services.catalogue.set_toolchain_image(session, NAME, made.record.image)


def _claimed_at(services: Services, job: Job) -> float:
    moves = services.ledger.transitions(job.id)
    return next(float(move["at"]) for move in moves if move["cause"] == "claimed")


def _submit(services: Services, store: Store, image: str) -> str:
    name = f"bench{time.time_ns():x}"
    sdist = tiny_sdist(name, compiles=False)
    digest = Digest.of(sdist)
    store.put_blob(sdist, digest)
    inputs = BuildInputs(
        project=name, version="1.0", sdist=str(digest), sdist_filename=f"{name}-1.0.tar.gz", toolchain=image,
        target="manylinux_2_36_x86_64", python_tag="cp311", build_wheels={}, environment={},
        config_settings={},
    )  # fmt: skip
    spec = {"inputs": inputs.to_document(), "image": image, "runtime": []}
    job, _ = services.ledger.submit(
        Kind.WHEEL, inputs.key, spec=spec, title=f"{name} 1.0", subject=name, toolchain=NAME
    )
    return job.id
