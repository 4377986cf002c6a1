"""The work of a verification: build a published wheel again elsewhere, and compare the two byte by byte."""

from __future__ import annotations

import json
import time
from typing import Any

from wheelyard.digests import Digest
from wheelyard.limits import limits_of
from wheelyard.recipes import recipe_of
from wheelyard.verification import Verification
from wheelyard.wheel_difference import WheelDifference, compare_wheels
from wheelyard.wheel_record import WheelRecord
from worker.build_container import WheelOrder, allot, lay_inputs, make_wheel
from worker.circumstances import ELSEWHERE
from worker.context import Work
from worker.lost_wheel import build_number_of, fetch_lost_inputs
from worker.outcome import Done, Outcome
from worker.recipe_packages import image_with_packages
from worker.toolchain_job import ready_toolchain
from worker.wheel_check import check_wheel
from worker.wheel_records import needed_record


def verify_one_wheel(work: Work) -> Outcome:
    """Make a wheel of its record's inputs once more, and say whether it is the same.

    It is made in another folder, on another host and at another time, of nothing that an earlier compile
    left. Nothing of it is published: the wheel that is there stays, whatever comes out. A difference is
    an answer and no failure; the store then has the rebuilt wheel too, by its digest, for as long as what
    recent jobs name is kept.
    """
    services = work.services
    record = needed_record(
        services, work.claim.job.spec["build_key"], of=work.claim.job.title, do="build it again"
    )
    difference = _compare(work, record)
    verification = Verification(
        build_key=record.key,
        project=record.inputs.project,
        version=record.inputs.version,
        toolchain=record.toolchain,
        digest=record.digest,
        job=work.claim.id,
        circumstances=ELSEWHERE.to_document(),
        difference=difference,
        verified_at=time.time(),
    )
    document = verification.to_document()
    services.store.put_document(verification.document_name, json.dumps(document, sort_keys=True).encode())
    result: dict[str, Any] = {"verification": document, **work.times}
    return Done(result=result)


def _compare(work: Work, record: WheelRecord) -> WheelDifference:
    services, inputs = work.services, record.inputs
    ready = ready_toolchain(services, record.toolchain, inputs.toolchain)
    with work.phase("prepare"):
        fetch_lost_inputs(work, inputs)
        order = WheelOrder(
            inputs=inputs,
            toolchain=ready.toolchain,
            image=image_with_packages(work, ready, inputs.packages),
            build_number=build_number_of(record),
            circumstances=ELSEWHERE,
        )
        folder = work.scratch / "in"
        lay_inputs(work, order, folder)
    recipe = recipe_of(inputs, services.settings.recipes_dir)
    allotment = allot(work, limits_of(work.claim.job, services.settings), recipe.memory_per_job)
    rebuilt = make_wheel(work, order, folder, allotment)
    with work.phase("check"):
        check_wheel(
            rebuilt,
            project=inputs.project,
            version=inputs.version,
            toolchain=ready.toolchain,
            max_bytes=services.settings.max_wheel_bytes,
        )
    with work.phase("compare"):
        published = work.scratch / "published" / record.filename
        published.parent.mkdir()
        services.store.fetch_blob(record.digest, published)
        found = compare_wheels(published, rebuilt)
        work.log.line(f"{record.filename}: {'equal' if found.equal else 'the rebuilt wheel is another one'}")
        for member in found.members:
            work.log.line(f"  {member.name}: {member.how}")
        if not found.equal:
            services.store.put_blob(rebuilt, Digest.parse(found.digests[1]))
    return found
