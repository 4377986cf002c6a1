"""The address of the workers: who is there, what each may use, and what it does now."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from builder_service.services import Opened
from wheelyard.jobs.states import Kind
from wheelyard.jobs.workers import HeldJob, WorkerRegistry, WorkerSeen

router = APIRouter(prefix="/v1/workers", tags=["workers"])


class HeldJobDocument(BaseModel):
    """A job that a worker holds."""

    id: str
    kind: Kind
    title: str
    phase: str
    since: Annotated[float, Field(description="Epoch seconds of its claim.")]


class WorkerDocument(BaseModel):
    """A worker process. Whether its jobs live is said by their leases, not by this."""

    owner: str = Field(description="The name under which it holds jobs.")
    host: str
    pid: int
    version: str
    queues: list[str] = Field(description="That it works on; `relay` for the relay.")
    slots: int = Field(description="Jobs at the same time at the most; 0 for the relay.")
    cores: float = Field(description="That it may use; 0 for the relay.")
    memory: int = Field(description="For its builds together, in bytes; 0 for the relay.")
    draining: bool = Field(description="Whether it takes nothing more, since it was told to stop.")
    silent: bool = Field(description="Whether it missed so many signs of life that it is likely gone.")
    started_at: float = Field(description="Epoch seconds.")
    seen_at: float = Field(description="Epoch seconds of its last sign of life.")
    age: float = Field(description="Seconds since then.")
    jobs: list[HeldJobDocument] = Field(description="That it holds now, oldest claim first.")


class WorkerList(BaseModel):
    """Workers, by host and start."""

    workers: list[WorkerDocument]


@router.get("", operation_id="list_workers", summary="Who works, and on what")
def listing(services: Opened) -> WorkerList:
    """Those that were seen within a day and took no leave; the relays, too."""
    registry = WorkerRegistry(services.ledger.database)
    held = registry.held()
    return WorkerList(workers=[_document(worker, held.get(worker.owner, ())) for worker in registry.list()])


def _document(worker: WorkerSeen, held: tuple[HeldJob, ...]) -> WorkerDocument:
    return WorkerDocument(
        owner=worker.owner,
        host=worker.host,
        pid=worker.pid,
        version=worker.version,
        queues=list(worker.queues),
        slots=worker.slots,
        cores=worker.cores,
        memory=worker.memory,
        draining=worker.draining,
        silent=worker.silent,
        started_at=worker.started_at,
        seen_at=worker.seen_at,
        age=round(worker.age, 3),
        jobs=[
            HeldJobDocument(id=job.id, kind=job.kind, title=job.title, phase=job.phase, since=job.since)
            for job in held
        ],
    )
