"""The work of a wheel job: compile, repair, check, test and publish one build key's wheel."""

from __future__ import annotations

import json
import time
from pathlib import Path

from packaging.utils import parse_wheel_filename
from packaging.version import Version
from sqlalchemy.orm import Session

from wheelyard.build_key import BuildInputs
from wheelyard.digests import Digest
from wheelyard.distributions.wheel_file import CheckedWheel
from wheelyard.errors import BuildFailed, StoredOtherBytes
from wheelyard.index_file import IndexFile, keep_file
from wheelyard.jobs.states import State
from wheelyard.limits import limits_of
from wheelyard.recipes import recipe_of
from wheelyard.removed_files import removed_names
from wheelyard.toolchains import Toolchain
from wheelyard.wheel_record import WheelRecord, find_record
from worker.build_container import WheelOrder, allot, lay_inputs, make_wheel
from worker.context import Services, Work
from worker.elf_external import external_libraries
from worker.fitting_wheel import note_fitting
from worker.layer_job import submit_layer_ahead
from worker.lost_wheel import build_number_of, fetch_lost_inputs, refuse_another
from worker.mend import name_mend, package_search
from worker.outcome import Done, Outcome
from worker.recipe_packages import image_with_packages
from worker.stable_abi import check_stable_abi
from worker.toolchain_job import ReadyToolchain, ready_toolchain
from worker.wheel_check import accepted_tags, check_wheel
from worker.wheel_records import needed_record, whole_record
from worker.wheel_test import test_wheel


def make_one_wheel(work: Work) -> Outcome:
    """Make the wheel of one build key, unless it is in the store already.

    One whose record is there and whose bytes are lost is made again, and must be the same.
    """
    services, spec = work.services, work.claim.job.spec
    inputs = BuildInputs.from_document(spec["inputs"])
    record, lost = whole_record(services, inputs.key), None
    if record is None:
        lost = find_record(services.store, inputs.key)
        ready = ready_toolchain(services, work.claim.job.toolchain, spec["image"])
        runtime = [_needed(services, key) for key in spec["runtime"]]
        with work.phase("prepare"):
            if lost is None:
                number = next_build_number(services, work.claim.job.channel, inputs, ready.toolchain)
            else:
                work.log.line(f"{lost.filename} is lost and made again")
                number = build_number_of(lost)
                fetch_lost_inputs(work, inputs)
            # The test's container is the toolchain's own: a library that was not grafted is missing there.
            image = image_with_packages(work, ready, inputs.packages)
            order = WheelOrder(inputs=inputs, toolchain=ready.toolchain, image=image, build_number=number)
            folder = work.scratch / "in"
            lay_inputs(work, order, folder)
        recipe = recipe_of(inputs, services.settings.recipes_dir)
        allotment = allot(work, limits_of(work.claim.job, services.settings), recipe.memory_per_job)
        try:
            path = make_wheel(work, order, folder, allotment)
        except BuildFailed as error:
            raise name_mend(
                error, package_search(services.settings, ready.toolchain),
                recipe=recipe, version=inputs.version, job=work.claim.id,
            ) from error  # fmt: skip
        with work.phase("check"):
            checked = check_wheel(
                path,
                project=inputs.project,
                version=inputs.version,
                toolchain=ready.toolchain,
                max_bytes=services.settings.max_wheel_bytes,
            )
            check_stable_abi(path, work.scratch)
        with work.phase("test"):
            # Not where it needs wheels that come after it, as in a cycle.
            tested = spec.get("test", True)
            modules = test_wheel(work, ready, checked, recipe, runtime, allotment) if tested else ()
        with work.phase("publish", State.PUBLISHING):
            source = folder / "sdist" / inputs.sdist_filename
            record = publish(work, ready, inputs, checked, modules, lost, sdist=source if tested else None)
    if not spec.get("show", True):
        # Only its bytes were wanted again, for the channels that show it already.
        return Done(result={"wheel": record.to_document(), **work.times})
    submit_layer_ahead(work, record)
    # Bound in the store first: where the channel has another file of that name, this build is not shown.
    shown = work.patiently(
        lambda: keep_file(services.store, IndexFile.of_record(record, work.claim.job.channel))
    )

    def show(session: Session) -> None:
        services.catalogue.add(session, shown)

    return Done(result={"wheel": record.to_document(), **work.times}, publish=show)


def publish(
    work: Work,
    ready: ReadyToolchain,
    inputs: BuildInputs,
    wheel: CheckedWheel,
    modules: tuple[str, ...],
    lost: WheelRecord | None = None,
    *,
    sdist: Path | None,
) -> WheelRecord:
    """Put bytes, then the record, into the store; waits for a store that is out.

    :param lost: the record of the wheel whose place it takes.
    :param sdist: what it was built of, where it may be noted for other toolchains; None for one untested.
    :raises BuildFailed: it is another wheel than that one.
    """
    store = work.services.store
    digest, metadata = Digest.of_file(wheel.path), Digest.of(wheel.metadata)
    if lost is not None:
        refuse_another(lost, wheel.path.name, digest)
    work.patiently(lambda: store.put_blob(wheel.path, digest))
    work.patiently(lambda: store.put_blob(wheel.metadata, metadata))
    if lost is not None:
        return lost
    record = WheelRecord(
        inputs=inputs,
        channel=work.claim.job.channel,
        filename=wheel.path.name,
        digest=digest,
        size=wheel.path.stat().st_size,
        metadata_digest=metadata,
        requires_python=wheel.requires_python,
        requires_dist=wheel.requires_dist,
        imports=modules,
        external=external_libraries(wheel.path),
        toolchain=ready.toolchain.name,
        seconds=dict(work.seconds),
        log=work.log.close(store),
        published_at=time.time(),
    )
    # Before the record: a note of a wheel that is not there is passed over, and one too few is for ever.
    if sdist is not None and work.patiently(lambda: note_fitting(store, record, sdist)):
        work.log.line(f"{record.filename} may fit other toolchains, too")
    body = json.dumps(record.to_document(), sort_keys=True).encode()
    try:
        work.patiently(lambda: store.put_document(record.document_name, body))
    except StoredOtherBytes:
        # Another attempt of the same key came first; its bytes are what the cache answers from now on.
        return _needed(work.services, inputs.key)
    return record


def next_build_number(services: Services, channel: str, inputs: BuildInputs, toolchain: Toolchain) -> int:
    """Build number (PEP 427) of a version that the channel may have with other bytes; 0 for the first.

    The names of files that were taken out of the channel count, too: they stand for what they were.
    """
    accepted = accepted_tags(toolchain)
    names = removed_names(services.store, channel, inputs.project)
    for file in services.catalogue.files(channel, inputs.project):
        if file.build_key == inputs.key:
            names.discard(file.filename)
        else:
            names.add(file.filename)
    taken = []
    for name in names:
        if not name.endswith(".whl"):
            continue
        _, version, build, tags = parse_wheel_filename(name)
        if version == Version(inputs.version) and tags & accepted:
            taken.append(build[0] if build else 0)
    return max(taken) + 1 if taken else 0


def _needed(services: Services, key: str) -> WheelRecord:
    return needed_record(services, key, of=f"build key {key}", do="build it again")
