"""Whether the service lives, and whether what it stands on answers."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Request
from pydantic import BaseModel

from builder_service.problems import responses
from builder_service.services import Opened
from builder_service.store_promises import StorePromises
from wheelyard import __version__
from wheelyard.digests import Digest
from wheelyard.errors import InfrastructureError

router = APIRouter(tags=["health"])
_EMPTY = Digest.of(b"")


class Health(BaseModel):
    """The service lives."""

    status: str
    version: str


class Readiness(Health):
    """Each part that the service stands on, by name: `ok`.

    `promises` names what the store can't do, and what that costs; empty where it does all that is wanted.
    """

    parts: dict[str, str]
    promises: dict[str, str] = {}


class NotReady(InfrastructureError):
    """A part that the service stands on does not answer."""

    kind = "not-ready"
    title = "The service is not ready"


@router.get("/healthz", operation_id="health", summary="Whether the service lives")
async def healthz() -> Health:
    """Answers as long as the process does."""
    return Health(status="ok", version=__version__)


@router.get("/readyz", operation_id="readiness", summary="Whether its parts answer", responses=responses())
def readyz(services: Opened, request: Request) -> Readiness:
    """Asks the database, Redis and the store; the problem says which of them is out, and why.

    What the store can and can't do is tried once, in the background; the answer has it from then on.
    """
    checks: dict[str, Callable[[], object]] = {
        "database": services.ledger.database.check,
        "redis": services.events.check,
        "store": lambda: services.store.blob_size(_EMPTY),
    }
    parts, advice = {}, []
    for name, check in checks.items():
        try:
            check()
            parts[name] = "ok"
        except InfrastructureError as error:
            parts[name] = ": ".join(filter(None, (error.failed, error.found)))
            advice.append(error.do)
    out = [name for name, answer in parts.items() if answer != "ok"]
    if out:
        raise NotReady(
            f"not ready: {', '.join(out)}",
            expected="database, redis and store answer",
            found="; ".join(parts[name] for name in out),
            do="; ".join(filter(None, advice)),
            parts=parts,
        )
    promises: StorePromises = request.app.state.store_promises
    return Readiness(status="ok", version=__version__, parts=parts, promises=promises.broken())
