"""The work of a native job: one build key's native artifact, and how a plan comes by it."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

from wheelyard.digests import Digest
from wheelyard.errors import BuildFailed, StoredOtherBytes
from wheelyard.jobs.states import Kind, State
from wheelyard.limits import Limits, limits_of
from wheelyard.native_recipe import NativeRecipe, get_native_recipe, prefix_of
from wheelyard.native_record import NativeInputs, NativeRecord, find_native, whole_native
from wheelyard.plan import PlanNode, Role, Standing
from wheelyard.requests import Caller
from wheelyard.toolchains import get_toolchain
from worker.build_container import allot
from worker.context import Work
from worker.native_check import check_archive
from worker.native_container import lay_sources, make_archive, try_archive
from worker.outcome import Done, Outcome
from worker.recipe_packages import debian_of, image_with_packages, lock_packages, private_apt
from worker.toolchain_job import ReadyToolchain, ready_toolchain

_UNKNOWN_SECONDS = 300.0


def native_node(work: Work, ready: ReadyToolchain, name: str) -> PlanNode:
    """A native artifact's place in a plan under a toolchain: its key, and whether it is there.

    :raises NotFound: there is no recipe of that name.
    :raises InputError: it can't be made under the toolchain, or a package of its recipe can't be had.
    """
    services = work.services
    recipe = get_native_recipe(name, services.settings.recipes_dir)
    source = recipe.source_for(debian_of(ready.toolchain, f"the native artifact {name}").suite)
    inputs = NativeInputs(
        name=name,
        version=source.version,
        sources={file.filename: file.digest for file in source.files},
        toolchain=ready.record.image,
        packages=lock_packages(work, ready, recipe.packages),
        environment=dict(recipe.environment),
        steps=recipe.steps,
        leave_out=recipe.leave_out,
        prefix=prefix_of(name),
    )
    record = whole_native(services.store, inputs.key)
    seconds = 0.0
    if record is None:
        usual = services.ledger.usual_seconds(Kind.NATIVE, name, work.claim.job.toolchain)
        seconds = usual if usual is not None else _UNKNOWN_SECONDS
    work.log.line(f"{name} {source.version}: {'hit' if record else 'to build'}, key {inputs.key[:12]}")
    return PlanNode(
        id=f"{name}=={source.version} (native)",
        project=name,
        version=source.version,
        role=Role.NATIVE,
        standing=Standing.WAITING if record is None else Standing.HIT,
        inputs=inputs.to_document(),
        key=inputs.key,
        seconds=seconds,
        digest="" if record is None else str(record.digest),
    )


def submit_native(work: Work, plan_image: str, node: PlanNode) -> str:
    """Submit the job of a native artifact that is not there; returns the job's id.

    :param plan_image: digest of the toolchain's compile image that the plan is for.
    """
    services, job = work.services, work.claim.job
    settings = services.settings
    recipe = get_native_recipe(node.project, settings.recipes_dir)
    toolchain = get_toolchain(job.toolchain, settings.toolchains_dir)
    limits = Limits.of(settings, toolchain.limits, recipe.limits)
    submission = services.requests.native(
        node.key,
        spec={"inputs": node.inputs, "image": plan_image, "limits": limits.to_document()},
        title=f"native {node.project} {node.version}",
        subject=node.project,
        toolchain=job.toolchain,
        caller=Caller.of_job(job, services.owner),
    )
    return submission.job.id


def make_native(work: Work) -> Outcome:
    """Make the native artifact of one build key, unless it is in the store already.

    One whose record is there and whose bytes are lost is made again, and must be the same.
    """
    services, spec = work.services, work.claim.job.spec
    inputs = NativeInputs.from_document(spec["inputs"])
    record = whole_native(services.store, inputs.key)
    if record is None:
        lost = find_native(services.store, inputs.key)
        ready = ready_toolchain(services, work.claim.job.toolchain, spec["image"])
        recipe = get_native_recipe(inputs.name, services.settings.recipes_dir)
        folder, archive = work.scratch / "in", work.scratch / "native.tar"
        with work.phase("prepare"):
            _bring_sources(work, ready, recipe, inputs)
            image = image_with_packages(work, ready, inputs.packages)
            lay_sources(work, ready, inputs, folder)
        allotment = allot(work, limits_of(work.claim.job, services.settings), recipe.memory_per_job)
        raw = make_archive(work, ready, inputs, image, folder, allotment)
        with work.phase("check"):
            files = check_archive(raw, archive, inputs.leave_out)
            raw.unlink()
        with work.phase("test"):
            try_archive(work, ready, recipe, archive, allotment)
        with work.phase("publish", State.PUBLISHING):
            record = _publish(work, ready, recipe, inputs, archive, files, lost)
    return Done(result={"digest": str(record.digest), "key": record.key, "size": record.size, **work.times})


def _bring_sources(work: Work, ready: ReadyToolchain, recipe: NativeRecipe, inputs: NativeInputs) -> None:
    """Fetch the sources that are not in the store from the mirror, by their digests."""
    store = work.services.store
    debian = debian_of(ready.toolchain, f"the native artifact {inputs.name}")
    places = {file.digest: file.path for file in recipe.source_for(debian.suite).files}
    for name, text in inputs.sources.items():
        digest = Digest.parse(text)
        if store.renew_blob(digest) is not None:
            continue
        if text not in places:
            raise BuildFailed(
                f"{name} is lost, and the recipe of {inputs.name} names another file by now",
                expected=text,
                do="ask for the build again",
            )
        work.log.line(f"fetching {name}")
        with tempfile.TemporaryDirectory(prefix="source-", dir=work.scratch) as folder:
            target = Path(folder) / "source"
            private_apt(work, debian).fetch(places[text], digest, target)
            store.put_blob(target, digest)


def _publish(
    work: Work,
    ready: ReadyToolchain,
    recipe: NativeRecipe,
    inputs: NativeInputs,
    archive: Path,
    files: int,
    lost: NativeRecord | None,
) -> NativeRecord:
    """Put bytes, then the record, into the store.

    :param lost: the record of the artifact whose place it takes.
    :raises BuildFailed: it is another one.
    """
    store, digest = work.services.store, Digest.of_file(archive)
    if lost is not None and lost.digest != digest:
        raise BuildFailed(
            f"the native artifact {inputs.name} was lost, and made again it is another one",
            expected=str(lost.digest),
            found=str(digest),
            do="restore that blob from a backup of the bucket, or take another version of it",
            build_key=lost.key,
        )
    work.patiently(lambda: store.put_blob(archive, digest))
    if lost is not None:
        return lost
    record = NativeRecord(
        inputs=inputs,
        licence=recipe.licence,
        digest=digest,
        size=archive.stat().st_size,
        files=files,
        toolchain=ready.toolchain.name,
        seconds=dict(work.seconds),
        log=work.log.close(store),
        published_at=time.time(),
    )
    body = json.dumps(record.to_document(), sort_keys=True).encode()
    try:
        work.patiently(lambda: store.put_document(record.document_name, body))
    except StoredOtherBytes:
        # Another attempt of the same key came first; its bytes are what the cache answers from now on.
        return find_native(store, inputs.key) or record
    return record
