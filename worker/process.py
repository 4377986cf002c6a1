"""What a worker process is made of: its services, opened once, and the kinds of work that it can do."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Sequence

from wheelyard.catalogue import Catalogue
from wheelyard.doorbell import CeleryDoorbell
from wheelyard.events import RedisEventStream
from wheelyard.jobs.database import Database
from wheelyard.jobs.ledger import Ledger
from wheelyard.jobs.states import Kind
from wheelyard.jobs.workers import WorkerRegistry
from wheelyard.requests import Requests
from wheelyard.settings import Settings
from wheelyard.store.open import open_store
from wheelyard.store.traced import TracedStore
from wheelyard.tracing import open_tracer
from worker.build_job import make_build
from worker.capacity import Capacity, find_machine
from worker.claimed_job import ClaimedJob
from worker.context import Services
from worker.engine.detect import detect_engine
from worker.engine.watched import watched
from worker.image_job import make_image
from worker.layer_job import make_layer_ahead
from worker.metrics import WorkerMetrics
from worker.native_job import make_native
from worker.patient_store import PatientStore
from worker.plan_job import make_plan
from worker.runner import Runner
from worker.toolchain_job import make_toolchain
from worker.verification_job import verify_one_wheel
from worker.wheel_job import make_one_wheel

HANDLERS = {
    Kind.BUILD: make_build,
    Kind.PLAN: make_plan,
    Kind.WHEEL: make_one_wheel,
    Kind.NATIVE: make_native,
    Kind.LAYER: make_layer_ahead,
    Kind.VERIFY: verify_one_wheel,
    Kind.IMAGE: make_image,
    Kind.TOOLCHAIN: make_toolchain,
}


def open_services(settings: Settings) -> Services:
    """Open everything that a worker stands on.

    :raises WheelyardError: something of it is missing; the text says what.
    """
    # What is compiled must not be lost to a database that restarts; a lease is worth half its time.
    database = Database(settings.effective_database_url, patience=settings.lease_seconds / 2)
    ledger, catalogue = Ledger(database), Catalogue(database)
    store, metrics = PatientStore(open_store(settings)), WorkerMetrics()
    owner = f"{socket.gethostname()}/{os.getpid()}/{uuid.uuid4().hex[:8]}"
    return Services(
        settings=settings,
        ledger=ledger,
        catalogue=catalogue,
        requests=Requests(
            ledger,
            catalogue,
            CeleryDoorbell(settings.redis_url),
            settings.resolve_max_age,
            settings.recipes_dir,
        ),
        store=TracedStore(store) if settings.otel_endpoint else store,
        engine=watched(detect_engine(settings), metrics),
        owner=owner,
        tracer=open_tracer(settings.otel_endpoint, "wheelyard-worker", owner),
        metrics=metrics,
    )


def open_runner(services: Services, queues: Sequence[str], slots: int, registry: WorkerRegistry) -> Runner:
    """The process's runner of jobs.

    :param queues: that it works on.
    :param slots: jobs at the same time; 0 means as many as memory and cores allow.
    """
    settings = services.settings
    claimed = ClaimedJob(services, RedisEventStream(settings.redis_url), HANDLERS)

    def elsewhere(queue: str) -> int:
        return max(
            (
                other.memory
                for other in registry.list()
                if queue in other.queues and not other.draining and not other.silent
            ),
            default=0,
        )

    return Runner(services, queues, Capacity(find_machine(settings), slots, elsewhere), claimed)
