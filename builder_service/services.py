"""What the front door stands on: ledger, catalogue, requests, store, events and doorbell, opened once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from wheelyard.catalogue import Catalogue
from wheelyard.channels import Channels
from wheelyard.doorbell import CeleryDoorbell, Doorbell, DoorbellBehind
from wheelyard.errors import InputError
from wheelyard.events import EventListener, EventStream, RedisEventListener, RedisEventStream
from wheelyard.image_catalogue import ImageCatalogue
from wheelyard.image_repositories import Repositories
from wheelyard.image_tags import ImageTags
from wheelyard.image_uploads import ImageUploads
from wheelyard.jobs.database import Database
from wheelyard.jobs.deliveries import Deliveries
from wheelyard.jobs.idempotency import IdempotencyKeys
from wheelyard.jobs.ledger import Ledger
from wheelyard.jobs.queue_place import QueuePlaces
from wheelyard.project_page import ProjectPages
from wheelyard.projects import Projects
from wheelyard.requests import Requests
from wheelyard.settings import Settings
from wheelyard.store.contract import Store
from wheelyard.store.open import open_store
from wheelyard.tokens import Tokens
from wheelyard.tracing import NO_TRACER, Tracer, open_tracer
from wheelyard.upstream.pulled_index import PulledIndex, open_upstream
from wheelyard.yanks import Yanks


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The front door's parts. Each is safe to share between threads.

    :param pages: what channels show of projects.
    :param keys: what requests with an `Idempotency-Key` were answered with.
    :param deliveries: the webhooks.
    :param tokens: the access tokens.
    :param places: where jobs stand in their queues.
    :param upstream: the upstream index's part of the pages, and its files.
    :param events: the live events, for a thread.
    :param listener: the same, for the event loop.
    """

    settings: Settings
    ledger: Ledger
    catalogue: Catalogue
    channels: Channels
    projects: Projects
    pages: ProjectPages
    upstream: PulledIndex
    yanks: Yanks
    requests: Requests
    keys: IdempotencyKeys
    deliveries: Deliveries
    tokens: Tokens
    places: QueuePlaces
    store: Store
    events: EventStream
    listener: EventListener
    doorbell: Doorbell
    tracer: Tracer = NO_TRACER

    @property
    def images(self) -> ImageCatalogue:
        """The images that were made here."""
        return ImageCatalogue(self.ledger.database, self.store)

    @property
    def repositories(self) -> Repositories:
        """What the repositories of the registry have."""
        return Repositories(self.ledger.database, self.store)

    @property
    def image_tags(self) -> ImageTags:
        """The tags of the registry."""
        return ImageTags(self.ledger.database, self.store)

    @property
    def image_uploads(self) -> ImageUploads:
        """Pushes to the registry that are under way."""
        return ImageUploads(self.ledger.database)


def open_services(settings: Settings) -> Services:
    """Open every part that the settings name. Nothing is contacted yet; `/readyz` says what answers.

    :raises InputError: a setting is missing or can't be used; the message names it.
    """
    if not settings.redis_url:
        raise InputError(
            "WHEELYARD_REDIS_URL is not set",
            expected="the address of a Redis-protocol server, such as redis://127.0.0.1:6379/0",
            do="set it, or start the one-machine stack with `wheelyard up`, which brings its own",
        )
    if not settings.public_reads and not settings.token.get_secret_value():
        raise InputError(
            "WHEELYARD_PUBLIC_READS is off, but there is no token that could be asked for",
            do="set WHEELYARD_TOKEN, or leave WHEELYARD_PUBLIC_READS alone",
        )
    if not settings.database_url:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    database = Database(settings.effective_database_url)
    ledger, catalogue = Ledger(database), Catalogue(database)
    store = open_store(settings)
    channels, projects = Channels(database, store), Projects(database, store)
    upstream = PulledIndex(
        database,
        store,
        channels,
        projects,
        lambda: open_upstream(settings.index_url, settings.effective_public_url),
        seconds=settings.upstream_page_seconds,
    )
    doorbell = DoorbellBehind(CeleryDoorbell(settings.redis_url))
    return Services(
        settings=settings,
        ledger=ledger,
        catalogue=catalogue,
        channels=channels,
        projects=projects,
        pages=ProjectPages(database, upstream),
        upstream=upstream,
        yanks=Yanks(database, store),
        requests=Requests(ledger, catalogue, doorbell, settings.resolve_max_age, settings.recipes_dir),
        keys=IdempotencyKeys(database),
        deliveries=Deliveries(database),
        tokens=Tokens(database),
        places=QueuePlaces(ledger),
        store=store,
        events=RedisEventStream(settings.redis_url),
        listener=RedisEventListener(settings.redis_url),
        doorbell=doorbell,
        tracer=open_tracer(settings.otel_endpoint, "wheelyard-api"),
    )


async def services_of(request: Request) -> Services:
    """The services of the application that answers; `async`, so that it costs no thread."""
    services: Services = request.app.state.services
    return services


Opened = Annotated[Services, Depends(services_of)]
"""The parameter of an endpoint that needs them."""
