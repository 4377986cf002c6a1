"""The smoke test of an image: it is started once, as closed as can be, before anybody gets it."""

from __future__ import annotations

import json
import platform
import secrets
from collections import deque
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from runtime_images.machines import machine_of
from runtime_images.spec import ImageSpec
from wheelyard.digests import canonical_json
from wheelyard.errors import EngineFailed, TimedOut
from wheelyard.image_record import ImageRecord, load_image
from wheelyard.image_request import ImageRequest
from wheelyard.smoke_verdict import SKIPPED, SmokeState, SmokeVerdict, verdict_document
from worker.context import Work
from worker.engine.contract import Ended, ProgramSpec
from worker.engine_images import EngineImages
from worker.smoke_failure import PackageSearch, SmokeFailure, smoke_error
from worker.smoke_order import SmokeOrder, programs_of, smoke_order

SECONDS = 900.0
"""For all of it; each import and each check has its own, shorter time."""

MEMORY = 2 << 30
_TMP = 256 << 20
_PIDS = 1024
_SCRIPTS = ("smoke_image.py", "smoke_tasks.py", "smoke_programs.py")
_LINES_KEPT = 20
_NO_EVENT = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What reading a line raises that is broken JSON, or another document than an event."""


def nobody_knows(soname: str) -> tuple[str, ...]:  # noqa: ARG001 - a `PackageSearch`
    """The search of who has no packages to name."""
    return ()


def smoke_test(
    work: Work,
    request: ImageRequest,
    spec: ImageSpec,
    record: ImageRecord,
    packages_with: PackageSearch = nobody_knows,
) -> SmokeVerdict:
    """Start an image and try what is in it; a verdict that is known already is answered without.

    :param record: of the assembled image, whose bytes are in the store.
    :param packages_with: names the Debian packages that have a library, for what an error advises.
    :raises BuildFailed: something in it does not work; the message says what.
    :raises TimedOut: it did not end.
    :raises Cancelled: the job was cancelled.
    :raises EngineFailed: the engine does not take or start it.
    """
    if not request.smoke_test:
        return SKIPPED
    machine, here = machine_of(spec.policy), platform.machine()
    if machine != here:
        reason = f"the image is for {machine}, and the worker's machine is {here}"
        work.log.line(f"the smoke test is not run: {reason}")
        return SmokeVerdict(state=SmokeState.NOT_RUN, reason=reason)
    services = work.services
    programs = programs_of(spec, services.store, work.scratch)
    order = smoke_order(request, spec, services.settings.recipes_dir, programs)
    name = verdict_document(record.image_id, order.key)
    known = services.store.get_document(name)
    if known is not None:
        return SmokeVerdict.from_document(json.loads(known))
    memory = request.build.limits.memory or min(services.settings.build_memory, MEMORY)
    heard, ended = _try_image(work, record, spec.scheme.python, order, memory)
    if heard.failures or not heard.whole:
        failures = heard.failures or [_broken_off(heard, ended)]
        raise smoke_error(
            failures,
            wheels={pin.project: pin.filename for pin in record.wheels},
            memory=memory,
            memory_kills=heard.memory_kills or int(ended.out_of_memory),
            packages_with=packages_with,
            natives={name: wheel.project for wheel in order.wheels for name in wheel.lacking},
        )
    notes = [
        *heard.notes,
        *(
            f"the smoke test of {wheel.project}'s recipe is not run: the image lacks the native {name}"
            for wheel in order.wheels
            for name in wheel.lacking
        ),
    ]
    for note in notes:
        work.log.line(note)
    verdict = SmokeVerdict(state=SmokeState.PASSED, passed=tuple(heard.passed), notes=tuple(sorted(notes)))
    services.store.put_document(name, canonical_json(verdict.to_document()))
    work.log.line(f"smoke test {verdict}")
    return verdict


@dataclass(slots=True, kw_only=True)
class _Heard:
    """What came out of the container; lines that begin with the nonce are taken for the script's own.

    Foreign code of the same user can read the nonce and forge them: the test finds mistakes, not malice.
    """

    order: SmokeOrder
    nonce: str
    passed: list[str] = field(default_factory=list)
    failures: list[SmokeFailure] = field(default_factory=list)
    tried: int | None = None
    notes: list[str] = field(default_factory=list)
    memory_kills: int = 0
    others: deque[str] = field(default_factory=lambda: deque(maxlen=_LINES_KEPT))

    @property
    def whole(self) -> bool:
        """Whether the script came to its end, and all that it tried passed."""
        return self.tried == len(self.passed)

    def line(self, text: str) -> None:
        """One line."""
        nonce, _, document = text.partition(" ")
        if nonce != self.nonce:
            self.others.append(text[:1000])
            return
        try:
            event = json.loads(document)
            # What no document of ours can hold, such as half a surrogate pair, is refused here.
            canonical_json(event)
            problem = self._take(event)
        except _NO_EVENT:
            problem = "a line that is none of its events"
        if problem and len(self.failures) < _LINES_KEPT:
            reason = f"the script in the container said {problem}: {document[:200]}"
            self.failures.append(SmokeFailure(what="the test itself", reason=reason))

    def _take(self, event: dict[str, Any]) -> str:
        """One event; what is wrong with it, or nothing."""
        kind = event["event"]
        if self.tried is not None:
            return "something after its end"
        if kind == "passed":
            what = str(event["what"])
            if not self.order.asks_for(what):
                return "that something passed which it was not to try"
            self.passed.append(what)
        elif kind == "failed":
            self.failures.append(SmokeFailure.from_document(event))
        elif kind == "done":
            notes, kills = [str(note) for note in event["notes"]], int(event["memory_kills"])
            self.tried, self.notes, self.memory_kills = int(event["tried"]), notes, kills
        else:
            return "a word that it does not have"
        return ""


def _try_image(
    work: Work, record: ImageRecord, python: str, order: SmokeOrder, memory: int
) -> tuple[_Heard, Ended]:
    """Bring the image into the engine, and run the script in it.

    :param python: the image's interpreter.
    :param memory: of the container, in bytes.
    """
    services = work.services
    heard = _Heard(order=order, nonce=secrets.token_hex(16))
    images = EngineImages(services.engine, services.store, services.settings.data_dir / "tested-images")
    image = images.bring(load_image(services.store, record))
    program = ProgramSpec(
        image=image,
        job=work.claim.id,
        owner=services.owner,
        argv=(python, "-I", f"/in/{_SCRIPTS[0]}", "/in/order.json"),
        mounts={_lay_order(work.scratch / "smoke", order, heard.nonce): "/in"},
        tmpfs={"/tmp": _TMP},  # noqa: S108 - in the container, not here
        memory=memory,
        pids=_PIDS,
    )
    with services.engine.program(program) as running, work.watching(running):
        try:
            return heard, running.run(on_line=heard.line, timeout=SECONDS)
        except EngineFailed:
            # A killed container makes the engine fail, too; what killed it is the better reason.
            work.check()
            raise
        except TimedOut as error:
            raise TimedOut(
                "the image's smoke test did not end in time",
                expected=f"an end within {SECONDS:.0f} s",
                found=f"{len(heard.passed)} imports and checks passed in that time",
                do="leave it out with --no-smoke-test (smoke_test = false), or mend what is slow",
                seconds=SECONDS,
            ) from error


def _lay_order(folder: Path, order: SmokeOrder, nonce: str) -> Path:
    """The folder that the container sees as `/in`, readable for any user."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {name: (files("worker") / "inside" / name).read_text("utf-8") for name in _SCRIPTS}
    texts["order.json"] = json.dumps({**order.to_document(), "nonce": nonce})
    for name, text in texts.items():
        (folder / name).write_text(text, "utf-8")
        (folder / name).chmod(0o644)
    folder.chmod(0o755)
    return folder


def _broken_off(heard: _Heard, ended: Ended) -> SmokeFailure:
    """What is said of a container that ended before its script did."""
    return SmokeFailure(
        what="starting its Python" if not heard.passed else "the test itself",
        reason=f"the container ended with status {ended.code} before all was tried",
        lines=tuple(heard.others),
        killed=ended.out_of_memory,
    )
