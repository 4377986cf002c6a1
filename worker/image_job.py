"""The work of an image job: its wheels first, then a layer for each that has none, then the image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from runtime_images.assemble import assemble
from runtime_images.report import report_document
from runtime_images.spec import ImageSpec
from wheelyard.digests import Digest
from wheelyard.errors import InfrastructureError
from wheelyard.image_checks import check_image_request
from wheelyard.image_publication import publish_image
from wheelyard.image_record import ImageRecord, WheelPin
from wheelyard.image_request import ImageRequest
from wheelyard.jobs.states import State
from wheelyard.requests import Caller
from wheelyard.smoke_verdict import SmokeVerdict
from wheelyard.toolchains import get_toolchain
from worker.app_wheel import app_pin, read_app_wheel
from worker.context import Work
from worker.filled_layers import fill_layers
from worker.image_acceptance import accept_image
from worker.image_base import Foundation, base_layers, refuse_unknown_parts, submit_natives
from worker.image_dockerfile import keep_dockerfile_parts
from worker.image_documents import attach_documents
from worker.image_smoke import smoke_test
from worker.outcome import Done, Outcome, Parked
from worker.plan_job import refuse_failed
from worker.toolchain_job import ReadyToolchain, ready_toolchain, submit_toolchain


def make_image(work: Work) -> Outcome:
    """One claim's worth of an image: the first asks for what is missing, a later one assembles it."""
    services, spec = work.services, work.claim.job.spec
    request = ImageRequest.from_document(spec)
    refuse_failed(services.ledger.get_many(work.claim.job.children))
    if "build_job" not in spec:
        spec, waited_for = ask_for_wheels(work, request)
        if waited_for:
            return Parked(children=waited_for, spec=spec)
    build = finished_build(work, request, spec)
    if build is None:
        return Parked(children=(submit_toolchain(work, request.build.toolchain),), spec=spec)
    # The image that the wheels were built in, which the toolchain's name may not stand for any more.
    ready = ready_toolchain(services, request.build.toolchain, build["toolchain_image"])
    if waited_for := submit_natives(work, ready, request.natives):
        return Parked(children=waited_for, spec=spec)
    with work.phase("base"):
        foundation = base_layers(work, ready, request)
    image_spec = spec_of(request, ready, build, foundation)
    with work.phase("layers"):
        fill_layers(work, ready, image_spec)
    verdicts: list[SmokeVerdict] = []

    def accept(record: ImageRecord) -> None:
        accept_image(work, request, ready.toolchain.policy, record)
        with work.phase("smoke test", State.PUBLISHING):
            packages_with = foundation.source.packages_with
            verdicts.append(smoke_test(work, request, image_spec, record, packages_with))

    with work.phase("assemble", State.PUBLISHING):
        record = assemble(
            image_spec,
            services.store,
            compile_layers=ready.record.layers,
            scratch=work.scratch / "assemble",
            source=foundation.source,
            accept=accept,
        )
        attach_documents(services.store, record, image_spec, build)
        keep_dockerfile_parts(services.store, image_spec, record, request.base, work.scratch)
        publish_image(services.ledger.database, services.store, record, request.tags, work.claim.job.client)
    smoke = verdicts[-1].to_document()
    result = {"image": {**report_document(record), "smoke_test": smoke}, "build": build, **work.times}
    return Done(result=result)


def ask_for_wheels(work: Work, request: ImageRequest) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Submit the build of the image's wheels; what can't be an image is refused before.

    :returns: the job's spec from then on, in which `build_job` is empty where there are no wheels, and the
        jobs that are to be waited for.
    """
    services, job = work.services, work.claim.job
    check_image_request(request)
    refuse_unknown_parts(work, request)
    build, pin = request.build, app_pin(request)
    if pin is not None:
        toolchain = get_toolchain(build.toolchain, services.settings.toolchains_dir)
        app = read_app_wheel(
            pin, toolchain, services.store, work.scratch, max_bytes=services.settings.max_wheel_bytes
        )
        work.log.line(f"{pin.filename} requires {', '.join(app.requires) or 'nothing'}")
        build = replace(build, requirements=tuple(sorted({*build.requirements, *app.requires})))
    if not build.requirements:
        return {**job.spec, "build_job": ""}, ()
    submitted = services.requests.build(build, now=job.created_at, caller=Caller.of_job(job, services.owner))
    waited_for = () if submitted.cached else (submitted.job.id,)
    return {**job.spec, "build_job": submitted.job.id}, waited_for


def finished_build(work: Work, request: ImageRequest, spec: Mapping[str, Any]) -> dict[str, Any] | None:
    """The result of the build; one without wheels where the image has none, None without a toolchain.

    :raises InfrastructureError: the build ended, and its result is not there.
    """
    services = work.services
    if not spec["build_job"]:
        image = services.catalogue.toolchain_image(request.build.toolchain)
        return None if image is None else {"toolchain_image": image, "wheels": []}
    result = services.ledger.get(spec["build_job"]).result
    if result is None:
        raise InfrastructureError(
            "the build of the image's wheels has no result", do="ask for the image again"
        )
    return result


def spec_of(
    request: ImageRequest, ready: ReadyToolchain, build: dict[str, Any], foundation: Foundation
) -> ImageSpec:
    """The image's spec: everything by digest."""
    ground = foundation.ground
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
        base=ground.layers[0],
        more_base=ground.layers[1:],
        scheme=ground.scheme,
        lower=foundation.lower,
        wheels=wheels,
        app=Digest.parse(request.app) if request.app else None,
        entrypoint=request.entrypoint or ("python3",),
        command=request.command,
        environment={**ground.environment, **request.environment},
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
        app_wheel=app_pin(request),
    )
