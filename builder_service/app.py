"""The front door: every address, over the services that it stands on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

from anyio import to_thread
from fastapi import APIRouter, Depends, FastAPI
from starlette.routing import BaseRoute

from builder_service import (
    access_tokens,
    blobs,
    build_reasons,
    built_locks,
    channels,
    files,
    health,
    home,
    image_dockerfiles,
    image_names,
    image_pages,
    image_receipts,
    integrity,
    metrics,
    oidc,
    plan_pages,
    plans,
    problems,
    project_pages,
    projects,
    recipes,
    registry,
    simple_pages,
    submissions,
    toolchains,
    uploads,
    wheels,
    workers,
)
from builder_service.body_limit import MAX_BODY_BYTES, BodyLimit
from builder_service.file_uses import FileUses
from builder_service.hidden_tokens import HiddenTokens
from builder_service.jobs import job_routes
from builder_service.page_cache import PageCache
from builder_service.part_checks import checks_of
from builder_service.private_answers import PrivateAnswers
from builder_service.ready_pages import ReadyPages
from builder_service.request_log import RequestLog
from builder_service.run_images import RunImages
from builder_service.services import Services, open_services
from builder_service.store_links import CLOSED_SECONDS, OPEN_SECONDS, StoreLinks
from builder_service.store_promises import StorePromises
from builder_service.tokens import allowed
from wheelyard import __version__
from wheelyard.access_token import Scope
from wheelyard.jobs.states import Kind
from wheelyard.settings import Settings

__all__ = ["Services", "create_app", "open_services"]

_THREADS = 64
_TAGS = [
    {"name": "builds", "description": "Wheels of a set of requirements, built once for everybody."},
    {"name": "plans", "description": "What a build would do or does: hits, builds, and what is blocked."},
    {"name": "verifications", "description": "Published wheels, built again and compared byte by byte."},
    {"name": "images", "description": "Slim runtime images, made of those wheels."},
    {"name": "jobs", "description": "What runs or ran, whatever its kind."},
    {"name": "toolchains", "description": "Compilers, one CPython and a platform policy."},
    {"name": "recipes", "description": "What single projects need on top of their sdists."},
    {"name": "workers", "description": "Who works, and on what."},
    {"name": "wheels", "description": "What the cache holds, and of what it was made."},
    {
        "name": "index",
        "description": "What pip and uv install from (PEP 503, 592, 629, 658, 691, 700, 714, 740, 792).",
    },
    {"name": "blobs", "description": "Bytes by digest."},
    {"name": "tokens", "description": "Who may do what; CI jobs exchange their ID tokens (RFC 8693)."},
    {"name": "health", "description": "For those who watch over the service."},
]
_DESCRIPTION = (
    "Wheels from source in toolchain containers, a cache that a team installs from, and slim runtime images. "
    "Errors are RFC 9457 problems. Reads are open unless the service is told otherwise; POST, PUT and DELETE "
    "ask for an access token with the scope that they need."
)


def create_app(settings: Settings, *, services: Services | None = None) -> FastAPI:
    """The application.

    :param settings: of this process.
    :param services: what it stands on; None opens what the settings name, and closes it at the end.
    :raises InputError: a setting is missing or can't be used.
    """
    opened = open_services(settings) if services is None else services

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        to_thread.current_default_thread_limiter().total_tokens = _THREADS
        yield
        await opened.listener.close()
        if services is None:
            opened.ledger.database.close()
            await to_thread.run_sync(opened.tracer.close)

    app = FastAPI(
        title="Wheelyard",
        version=__version__,
        description=_DESCRIPTION,
        openapi_tags=_TAGS,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        lifespan=lifespan,
        redirect_slashes=False,
        routes=_routes(),
    )
    app.state.services = opened
    app.state.metrics = metrics.Metrics(opened.ledger.database, checks_of(opened), opened.upstream.tally)
    app.state.pages = PageCache(opened.ledger.database, opened.channels)
    app.state.uses = FileUses(opened.catalogue)
    app.state.store_promises = StorePromises(opened.store.check)
    app.state.links = StoreLinks(opened.store, OPEN_SECONDS if settings.public_reads else CLOSED_SECONDS)
    app.state.run_images = RunImages(opened)
    app.state.exchange = oidc.open_exchange(settings.oidc_rules, opened.tokens)
    problems.install(app)
    if settings.public_reads:
        app.add_middleware(ReadyPages, pages=app.state.pages, metrics=app.state.metrics)
    app.add_middleware(BodyLimit, limit=MAX_BODY_BYTES, apart=("/v1/blobs/.*", uploads.APART, registry.APART))
    if not settings.public_reads:
        app.add_middleware(PrivateAnswers)
    hidden = HiddenTokens(settings.token.get_secret_value())
    app.add_middleware(RequestLog, metrics=app.state.metrics, hidden=hidden, tracer=opened.tracer)
    _describe_problems(app)
    return app


@cache
def _routes() -> list[BaseRoute]:
    """Every address. What FastAPI makes of them serves each application of a process: it takes a while."""
    all_of_them = APIRouter()
    for router in (
        # Those that are asked for most come first: an address is looked for in their order.
        simple_pages.router,
        files.router,
        submissions.router,
        job_routes("/v1/builds", "builds", Kind.BUILD),
        job_routes("/v1/plans", "plans", Kind.PLAN, shown=False),
        job_routes("/v1/verifications", "verifications", Kind.VERIFY),
        job_routes("/v1/images", "images", Kind.IMAGE),
        job_routes("/v1/jobs", "jobs", None),
        *(
            room.router
            for room in (
                blobs,
                toolchains,
                recipes,
                plans,
                built_locks,
                wheels,
                build_reasons,
                workers,
                uploads,
                channels,
                projects,
                integrity,
                project_pages,
                plan_pages,
                image_names,
                image_dockerfiles,
                image_receipts,
                image_pages,
            )
        ),
    ):
        # What writes asks for a right of its own besides, at its own address.
        all_of_them.include_router(router, dependencies=[Depends(allowed(Scope.READ))])
    for room in (access_tokens, oidc, health, metrics, home):
        all_of_them.include_router(room.router)
    # Errors there are not problems, and who reads is asked in another way.
    all_of_them.include_router(registry.router)
    return all_of_them.routes


def _describe_problems(app: FastAPI) -> None:
    """Let OpenAPI say that errors come as problems; FastAPI would describe them as plain JSON."""
    make = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = make()
            schema = {"$ref": f"#/components/schemas/{problems.Problem.__name__}"}
            for path in document["paths"].values():
                for operation in path.values():
                    for status, answer in operation["responses"].items():
                        if status >= "400":
                            content: dict[str, Any] = {problems.MEDIA_TYPE: {"schema": schema}}
                            if "text/plain" in answer.get("content", {}):
                                content["text/plain"] = {"schema": {"type": "string"}}
                            answer["content"] = content
            for name in ("HTTPValidationError", "ValidationError"):
                document["components"]["schemas"].pop(name, None)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]  # FastAPI documents this as the way to extend it
