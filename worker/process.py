"""What a worker process is made of: its services, opened once, and the kinds of work that it can do."""

from __future__ import annotations

import os
import socket
import uuid

from wheelyard.catalogue import Catalogue
from wheelyard.doorbell import CeleryDoorbell
from wheelyard.events import RedisEventStream
from wheelyard.jobs.database import Database
from wheelyard.jobs.ledger import Ledger
from wheelyard.jobs.states import Kind
from wheelyard.requests import Requests
from wheelyard.settings import Settings
from wheelyard.store.open import open_store
from worker.build_job import make_build
from worker.context import Services
from worker.engine.detect import detect_engine
from worker.image_job import make_image
from worker.runner import Runner
from worker.toolchain_job import make_toolchain
from worker.wheel_job import make_one_wheel

HANDLERS = {
    Kind.BUILD: make_build,
    Kind.WHEEL: make_one_wheel,
    Kind.IMAGE: make_image,
    Kind.TOOLCHAIN: make_toolchain,
}


def open_services(settings: Settings) -> Services:
    """Open everything that a worker stands on.

    :raises WheelyardError: something of it is missing; the text says what.
    """
    database = Database(settings.effective_database_url)
    ledger, catalogue = Ledger(database), Catalogue(database)
    return Services(
        settings=settings,
        ledger=ledger,
        catalogue=catalogue,
        requests=Requests(ledger, catalogue, CeleryDoorbell(settings.redis_url), settings.resolve_max_age),
        store=open_store(settings),
        engine=detect_engine(settings),
        owner=f"{socket.gethostname()}/{os.getpid()}/{uuid.uuid4().hex[:8]}",
    )


def open_runner(settings: Settings) -> Runner:
    """The process's runner of jobs."""
    return Runner(open_services(settings), RedisEventStream(settings.redis_url), HANDLERS)
