"""What `cache verify` says of what it found, and of what was done about it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wheelyard.cli.tables import write_json, write_line
from wheelyard.errors import QueueUnavailable
from wheelyard.sizes import size_text

if TYPE_CHECKING:
    from wheelyard.jobs.database import Database
    from wheelyard.jobs.states import Job
    from wheelyard.keeping.repair import Repaired
    from wheelyard.keeping.verification import Fault, Verified
    from wheelyard.settings import Settings
    from wheelyard.store.contract import Store

_PAUSE_SECONDS = 1.0


@dataclass(kw_only=True)
class FaultReport:
    """A verification, and what followed.

    :param repaired: one for each round of builds.
    :param ended: the builds that ended while they were waited for.
    """

    verified: Verified
    repaired: list[Repaired] = field(default_factory=list)
    ended: list[Job] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong any more, as far as this command has seen it."""
        if self.verified.is_whole:
            return True
        if not self.repaired or self.verified.unreadable:
            return False
        last = self.repaired[-1]
        ordered = {job.id for round_ in self.repaired for job in round_.jobs.values()}
        succeeded = {job.id for job in self.ended if job.state.value == "succeeded"}
        return not any(round_.left for round_ in self.repaired) and not last.waiting and ordered <= succeeded

    def to_document(self) -> dict[str, Any]:
        """All of it as JSON-serialisable fields."""
        states = {job.id: job.state.value for job in self.ended}
        return {
            "blobs": self.verified.blobs,
            "bytes": self.verified.size,
            "whole": self.is_whole,
            "faults": [_fault(fault) for fault in self.verified.faults],
            "unreadable": self.verified.unreadable,
            "jobs": [
                {"id": job.id, "build_key": key, "title": job.title, "state": states.get(job.id, "queued")}
                for round_ in self.repaired
                for key, job in round_.jobs.items()
            ],
            "errors": [
                {"id": job.id, **(job.error or {})} for job in self.ended if job.state.value != "succeeded"
            ],
            "done": [line for round_ in self.repaired for line in round_.done],
            "left": [line for round_ in self.repaired for line in round_.left],
        }


def mend(report: FaultReport, settings: Settings, store: Store, database: Database, *, wait: bool) -> None:
    """Mend what was found; where it is waited for, in as many rounds as wheels need one another.

    :param wait: whether to wait for each build that is queued.
    """
    from wheelyard.catalogue import Catalogue
    from wheelyard.jobs.ledger import Ledger
    from wheelyard.keeping.repair import Repair
    from wheelyard.requests import Requests

    ledger = Ledger(database)
    requests = Requests(
        ledger, Catalogue(database), _doorbell(settings), settings.resolve_max_age, settings.recipes_dir
    )
    repair = Repair(store, ledger, requests, settings)
    faults = report.verified.faults
    while faults:
        repaired = repair.mend(faults)
        report.repaired.append(repaired)
        if not wait or not repaired.jobs:
            return
        ended = _wait(ledger, [job.id for job in repaired.jobs.values()])
        report.ended += ended
        if any(job.state.value != "succeeded" for job in ended):
            return
        waiting = set(repaired.waiting)
        faults = [fault for fault in faults if any(name.key in waiting for name in fault.names)]


def _doorbell(settings: Settings) -> Any:
    from wheelyard.doorbell import CeleryDoorbell

    return CeleryDoorbell(settings.redis_url) if settings.redis_url else _Silent()


class _Silent:
    """No doorbell: the relay comes by and rings for what is queued."""

    def ring(self, _job_id: str, _queue: str) -> None:
        """Say that nobody is rung for.

        :raises QueueUnavailable: always.
        """
        raise QueueUnavailable("no Redis is set here; the relay rings for the job")


def _wait(ledger: Any, ids: list[str]) -> list[Job]:
    while True:
        jobs: list[Job] = ledger.get_many(ids)
        if all(job.state.ended for job in jobs):
            return jobs
        time.sleep(_PAUSE_SECONDS)


def write_verified(report: FaultReport, *, as_json: bool) -> None:
    """Write the report to standard output."""
    if as_json:
        write_json(report.to_document())
        return
    verified = report.verified
    for fault in verified.faults:
        what = "lost" if fault.is_lost else f"damaged, {fault.found}"
        write_line(f"{fault.digest}: {what}")
        for name in fault.names:
            write_line(f"    the {name.role} of {name.name}")
    for problem in verified.unreadable:
        write_line(f"damaged record: {problem}")
    for repaired in report.repaired:
        _write_repaired(repaired)
    for job in report.ended:
        write_line(f"job {job.id}: {job.state.value}")
        if job.error:
            write_line(f"    {job.error.get('failed', '')}")
            write_line(f"    next: {job.error.get('do', '')}")
    state = "all of it is whole" if verified.is_whole else f"{len(verified.faults)} are not whole"
    write_line(f"{verified.blobs} objects, {size_text(verified.size)} read; {state}")


def _write_repaired(repaired: Repaired) -> None:
    for line in repaired.done:
        write_line(f"mended: {line}")
    for key, job in repaired.jobs.items():
        write_line(f"built again: {job.title}, job {job.id}, build key {key[:12]}")
    for line in repaired.left:
        write_line(f"to do: {line}")
    if repaired.waiting:
        write_line(
            f"{len(repaired.waiting)} more wheels need those first: "
            "then run `wheelyard cache verify --repair` again"
        )


def _fault(fault: Fault) -> dict[str, Any]:
    return {
        "digest": str(fault.digest),
        "fault": "lost" if fault.is_lost else "damaged",
        "found": fault.found,
        "size": fault.size,
        "names": [{"role": name.role.value, "name": name.name, "key": name.key} for name in fault.names],
    }
