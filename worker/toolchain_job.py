"""The work of a toolchain job, and how other jobs come by a toolchain's image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from wheelyard.digests import key_of
from wheelyard.errors import InfrastructureError
from wheelyard.index_changes import Change, note_change
from wheelyard.requests import Caller
from wheelyard.toolchain_record import ToolchainRecord, load_record
from wheelyard.toolchains import Toolchain, get_toolchain
from worker.context import Services, Work
from worker.engine.labelled import labelled
from worker.outcome import Done, Outcome
from worker.toolchain_images import build_toolchain, ensure_loaded


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyToolchain:
    """A toolchain whose image is in this host's engine.

    :param image: image id in the engine.
    """

    toolchain: Toolchain
    record: ToolchainRecord
    image: str


def make_toolchain(work: Work) -> Outcome:
    """Make a toolchain's two images, and let its name stand for them."""
    services = work.services
    toolchain = get_toolchain(work.claim.job.toolchain, services.settings.toolchains_dir)
    engine = labelled(services.engine, job=work.claim.id, owner=services.owner, watch=work.watch)
    with work.phase("toolchain"):
        record = build_toolchain(
            toolchain, services.settings, services.store, engine, work.log.line, work.check
        )

    # What the name stands for is the database's to know; the bucket is told, so that it can be made again.
    fields = {"name": toolchain.name, "image": record.image}
    note_change(services.store, Change.TOOLCHAIN, services.owner, fields)

    def publish(session: Session) -> None:
        services.catalogue.set_toolchain_image(session, toolchain.name, record.image)

    result: dict[str, Any] = {"toolchain": record.to_document(), **work.times}
    return Done(result=result, publish=publish)


def submit_toolchain(work: Work, name: str) -> str:
    """Submit the making of a toolchain that was never made, for a job that waits; returns the job's id."""
    services = work.services
    toolchain = get_toolchain(name, services.settings.toolchains_dir)
    definition = key_of(toolchain.model_dump(mode="json"))
    caller = Caller.of_job(work.claim.job, services.owner)
    return services.requests.toolchain(name, digest=definition, caller=caller).job.id


def ready_toolchain(services: Services, name: str, image: str) -> ReadyToolchain:
    """Load a toolchain's image into this host's engine where it is missing.

    :param image: the digest that the job's key covers; a newer image of the same name is not taken instead.
    """
    record = load_record(services.store, name, image)
    if record is None:
        raise InfrastructureError(
            f"the record of toolchain {name} is not in the store",
            expected=image,
            do=f"run `wheelyard toolchain build {name}`",
        )
    loaded = ensure_loaded(record, services.store, services.engine)
    return ReadyToolchain(
        toolchain=get_toolchain(name, services.settings.toolchains_dir), record=record, image=loaded
    )
