"""What dead workers left on this host: containers and scratch folders of claims that hold no longer."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Protocol

import structlog

from wheelyard.errors import EngineFailed
from wheelyard.jobs.ledger import Ledger
from wheelyard.jobs.states import Job
from wheelyard.settings import Settings
from worker.engine.contract import Engine
from worker.rounds import Round

_SWEEP_SECONDS = 15.0
_SCRATCH = re.compile(r"([0-9a-f]{32})-([0-9]+)")

logger = structlog.get_logger("worker.leftovers")


class Doors(Protocol):
    """The services that a sweep asks; `worker.context.Services` has them."""

    @property
    def settings(self) -> Settings:
        """Of this process."""

    @property
    def ledger(self) -> Ledger:
        """Says who holds a job."""

    @property
    def engine(self) -> Engine:
        """Of this host."""


def scratch_folder(settings: Settings) -> Path:
    """The folder with one folder `JOB-FENCE` for each claim that is worked on."""
    return settings.data_dir / "scratch"


def remove_leftovers(services: Doors) -> int:
    """Remove the containers of this host whose owner is not their job's, and the folders of old claims.

    Jobs of another stack on the host are not ours: what the ledger does not know is left alone. Safe to call
    at any time and at the same time from every process of the host. Returns how many things went.

    :raises EngineFailed: the engine does not list its containers.
    """
    return _remove_containers(services) + _remove_folders(services)


def _remove_containers(services: Doors) -> int:
    # The list comes first, the ledger second: who made a container had claimed its job before that.
    listed = services.engine.containers()
    jobs = _known(services, {one.job for one in listed})
    removed = 0
    for one in listed:
        job = jobs.get(one.job)
        if job is None or (job.owner and job.owner == one.owner):
            continue
        logger.warning("removing what a worker left", job=job.id, container=one.id[:12], owner=one.owner)
        try:
            services.engine.remove(one.id)
            removed += 1
        except EngineFailed as error:
            # One that can't be removed now must not keep the others; the next round tries again.
            logger.warning("a container can't be removed", container=one.id[:12], error=str(error))
    return removed


def _remove_folders(services: Doors) -> int:
    root = scratch_folder(services.settings)
    if not root.is_dir():
        return 0
    found = {path: match for path in root.iterdir() if (match := _SCRATCH.fullmatch(path.name))}
    jobs = _known(services, {match[1] for match in found.values()})
    removed = 0
    for path, match in found.items():
        job = jobs.get(match[1])
        if job is None or (job.owner and job.fence == int(match[2])):
            continue
        shutil.rmtree(path, ignore_errors=True)
        removed += 1
    return removed


def _known(services: Doors, ids: set[str]) -> dict[str, Job]:
    return {job.id: job for job in services.ledger.get_many(sorted(ids))} if ids else {}


def sweeping(services: Doors) -> Round:
    """The round that keeps this host clean; the first one is at once, for what was left before."""
    return Round(name="sweeper", once=lambda: remove_leftovers(services), pause=_SWEEP_SECONDS)
