"""Layers made ahead: a built wheel gets its image layer before anybody asks for an image with it."""

from __future__ import annotations

from runtime_images.wheel_layers import WheelFill, find_wheel_layer
from wheelyard.errors import WheelyardError
from wheelyard.image_record import WheelPin
from wheelyard.jobs.states import Priority
from wheelyard.requests import Caller
from wheelyard.wheel_record import WheelRecord
from worker.context import Work
from worker.filled_layers import fill_missing
from worker.outcome import Done, Outcome
from worker.toolchain_job import ready_toolchain


def submit_layer_ahead(work: Work, record: WheelRecord) -> None:
    """Queue the layer of a wheel that was built, behind all that anybody waits for.

    The wheel is there whatever becomes of this: an image fills what is missing.
    """
    services, job = work.services, work.claim.job
    if not services.settings.layers_ahead:
        return
    inputs = record.inputs
    pin = WheelPin(
        project=inputs.project, version=inputs.version, filename=record.filename, digest=record.digest
    )
    caller = Caller(client=job.client, priority=Priority.BATCH, actor=services.owner)
    try:
        services.requests.layer(
            pin, image=inputs.toolchain, toolchain=job.toolchain, channel=job.channel, caller=caller
        )
    except WheelyardError as error:
        work.log.line(f"the layer of {pin.title} is not made ahead: {error.failed}")


def make_layer_ahead(work: Work) -> Outcome:
    """Fill the layer of one wheel, unless it is there already."""
    services, spec = work.services, work.claim.job.spec
    pin = WheelPin.from_document(spec["wheel"])
    ready = ready_toolchain(services, work.claim.job.toolchain, spec["image"])
    # As images on the toolchain's own base want it; for another base it is filled when one is asked for.
    fill = WheelFill(toolchain_image=ready.record.image)
    if find_wheel_layer(services.store, pin.digest, fill) is None:
        with work.phase("layers"):
            fill_missing(work, ready, [pin], fill)
    layer = find_wheel_layer(services.store, pin.digest, fill)
    return Done(result={"layer": None if layer is None else layer.to_document(), **work.times})
