"""What must be true after every fault, whatever it was: nothing lost, nothing twice, nothing left."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.chaos.chaos_stack import ChaosStack
from wheelyard.digests import Digest
from wheelyard.jobs.states import Job, Kind, State
from wheelyard.wheel_record import WheelRecord, record_name

_CLEAN_SECONDS = 40.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One line of the table.

    :param lost: jobs that were accepted and never ended.
    :param twice: build keys that were published more than once, or ended more than once.
    :param left: containers that stayed.
    :param recovery: seconds from each fault until its job was at work again, or had ended.
    :param clean: seconds from the last end until no container was left.
    """

    fault: str
    jobs: int
    ends: Counter[State]
    lost: int
    twice: int
    left: int
    recovery: Sequence[float]
    clean: float

    def line(self) -> str:
        ends = ", ".join(f"{count} {state.value}" for state, count in sorted(self.ends.items()))
        times = sorted(self.recovery)
        middle = f"{times[len(times) // 2]:6.1f} {times[-1]:6.1f}" if times else f"{'-':>6} {'-':>6}"
        return (
            f"{self.fault:<58} {self.jobs:>5} {self.lost:>5} {self.twice:>6} {self.left:>5} "
            f"{middle} {self.clean:>6.1f}  {ends}"
        )


HEAD = (
    f"{'fault':<58} {'jobs':>5} {'lost':>5} {'twice':>6} {'left':>5} "
    f"{'median':>6} {'worst':>6} {'clean':>6}  ends"
)


@dataclass
class Table:
    """The verdicts of a session, printed at its end."""

    rows: list[Verdict] = field(default_factory=list)

    def judge(
        self,
        stack: ChaosStack,
        fault: str,
        jobs: Sequence[str],
        *,
        recovery: Sequence[float] = (),
        wanted: frozenset[State] = frozenset({State.SUCCEEDED}),
    ) -> None:
        """Wait until the containers are gone, look at everything, and hold it against what must be true.

        :param jobs: ids of all that was accepted; what they waited for is looked at, too.
        :param wanted: states that they may have ended in.
        """
        whole = _family(stack, jobs)
        ids = {job.id for job in whole}
        began = time.monotonic()

        def left() -> int:
            return sum(one.job in ids for one in stack.engine.containers())

        while left() and time.monotonic() - began < _CLEAN_SECONDS:
            time.sleep(0.2)
        problems = [problem for job in whole for problem in _published_twice(stack, job)]
        verdict = Verdict(
            fault=fault,
            jobs=len(whole),
            ends=Counter(job.state for job in whole),
            lost=sum(not job.state.ended for job in whole) + len(set(jobs) - ids),
            twice=len(problems),
            left=left(),
            recovery=recovery,
            clean=time.monotonic() - began,
        )
        self.rows.append(verdict)
        print(HEAD, verdict.line(), *problems, sep="\n")
        assert (verdict.lost, verdict.twice, verdict.left) == (0, 0, 0), problems
        assert {job.state for job in whole} <= wanted, [job.error for job in whole if job.state not in wanted]


def _family(stack: ChaosStack, jobs: Sequence[str]) -> list[Job]:
    found: dict[str, Job] = {}
    fresh = list(jobs)
    while fresh:
        known = {job.id: job for job in stack.ledger.get_many(fresh)}
        found |= known
        fresh = [child for job in known.values() for child in job.children if child not in found]
    return list(found.values())


def _published_twice(stack: ChaosStack, job: Job) -> list[str]:
    """What is wrong with how a job ended and with what it published."""
    problems = []
    moves = stack.ledger.transitions(job.id)
    ends = [move for move in moves if State(move["to"]).ended]
    if len(ends) > 1 or (ends and moves[-1] != ends[0]):
        problems.append(f"{job.title} ended {len(ends)} times: {moves}")
    claims = [move["fence"] for move in moves if move["cause"] == "claimed"]
    if claims != sorted(set(claims)):
        problems.append(f"{job.title} was claimed under the fences {claims}")
    if job.kind is not Kind.WHEEL:
        return problems
    shown = stack.catalogue.files(job.channel, job.title.split()[0])
    if job.state is not State.SUCCEEDED:
        return problems + ([f"{job.title} is shown, though it {job.state}"] if shown else [])
    record = WheelRecord.from_document((job.result or {})["wheel"])
    if [file.digest for file in shown] != [record.digest]:
        problems.append(f"{job.title} is shown as {shown}, not once as {record.digest}")
    kept = stack.store.get_document(record_name(job.key))
    if kept is None or WheelRecord.from_document(json.loads(kept)).digest != record.digest:
        problems.append(f"{job.title} has no record, or one of other bytes than its result's")
    stream = stack.store.open_blob(record.digest)
    if stream is None:
        return [*problems, f"the bytes of {job.title} are not in the store"]
    with stream:
        if Digest.of(stream.read()) != record.digest:
            problems.append(f"the bytes of {job.title} are not what its record says")
    return problems
