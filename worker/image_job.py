"""The work of an image job: its wheels first, then a layer for each that has none, then the image."""

from __future__ import annotations

from typing import Any

from runtime_images.assemble import assemble
from runtime_images.report import report_document
from runtime_images.spec import ImageSpec
from wheelyard.digests import Digest
from wheelyard.errors import InfrastructureError
from wheelyard.image_publication import publish_image
from wheelyard.image_record import WheelPin
from wheelyard.image_request import ImageRequest
from wheelyard.jobs.states import State
from wheelyard.requests import Caller
from wheelyard.run_settings import check_run_settings
from worker.context import Work
from worker.filled_layers import fill_layers
from worker.outcome import Done, Outcome, Parked
from worker.plan_job import refuse_failed
from worker.toolchain_job import ReadyToolchain, ready_toolchain


def make_image(work: Work) -> Outcome:
    """One claim's worth of an image: the first submits its build, the next one assembles it."""
    services, spec = work.services, work.claim.job.spec
    request = ImageRequest.from_document(spec)
    if "build_job" not in spec:
        check_run_settings(request)
        job = work.claim.job
        submitted = services.requests.build(
            request.build, now=job.created_at, caller=Caller.of_job(job, services.owner)
        )
        spec = {**spec, "build_job": submitted.job.id}
        if not submitted.cached:
            return Parked(children=(submitted.job.id,), spec=spec)
    refuse_failed(services.ledger.get_many(work.claim.job.children))
    build = services.ledger.get(spec["build_job"]).result
    if build is None:
        raise InfrastructureError(
            "the build of the image's wheels has no result", do="ask for the image again"
        )
    # The image that the wheels were built in, which the toolchain's name may not stand for any more.
    ready = ready_toolchain(services, request.build.toolchain, build["toolchain_image"])
    image_spec = spec_of(request, ready, build)
    with work.phase("layers"):
        fill_layers(work, ready, image_spec)
    with work.phase("assemble", State.PUBLISHING):
        record = assemble(
            image_spec, services.store, compile_layers=ready.record.layers, scratch=work.scratch / "assemble"
        )
        publish_image(services.ledger.database, services.store, record, request.tags, work.claim.job.client)
    result = {"image": report_document(record), "build": build, **work.times}
    return Done(result=result)


def spec_of(request: ImageRequest, ready: ReadyToolchain, build: dict[str, Any]) -> ImageSpec:
    """The image's spec: everything by digest."""
    wheels = tuple(
        WheelPin(
            project=wheel["project"],
            version=wheel["version"],
            filename=wheel["filename"],
            digest=Digest.parse(wheel["digest"]),
        )
        for wheel in build["wheels"]
    )
    return ImageSpec(
        toolchain=ready.toolchain.name,
        toolchain_image=ready.record.image,
        python_tag=ready.toolchain.python.tag,
        policy=ready.toolchain.policy,
        base=ready.record.runtime_base,
        wheels=wheels,
        app=Digest.parse(request.app) if request.app else None,
        entrypoint=request.entrypoint or ("python3",),
        command=request.command,
        environment=request.environment,
        workdir=request.workdir,
        user=request.user,
        labels=request.labels,
        allow_root=request.allow_root,
        optional_libraries=request.optional_libraries,
        packages=request.packages,
        whole_packages=request.whole_packages,
        natives=request.natives,
        ports=request.ports,
        healthcheck=request.healthcheck,
        format=request.format,
        compression=request.compression,
        bytecode=request.bytecode,
        layer_limit=request.layer_limit,
    )
