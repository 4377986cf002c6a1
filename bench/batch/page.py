"""The page of the batch: how many projects build at the first try, with recipes, and why the rest do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from bench.batch.outcome import Outcome, Reason
from bench.batch.outcomes import Outcomes
from bench.batch.projects import Project

_HEAD = """\
# A team's batch: 60 of the most downloaded projects, from source

Written by `python -m bench.batch.batch`; the numbers are measured, and what was not run yet says so.

[The list](../../bench/batch/projects.txt) holds, in the order of their downloads, the first 60 projects that
ship wheels for a platform and an sdist, and whose build Debian's packages can serve; its head says what was
passed over, and why. Each project is asked for by itself, with all that it needs at run time from source,
too, and build requirements as wheels; none stops another:

    python -m bench.batch.batch                      # at the first try
    python -m bench.batch.batch --round recipes      # those that failed, once there are recipes for them
    wheelyard build -r bench/batch/projects.txt      # the same set as one request

"""
_LONGEST_ERROR = 110


def write_page(projects: Sequence[Project], outcomes: Outcomes) -> str:
    """The page's text.

    :param projects: the whole list, also what was not run.
    """
    first = [found for one in projects if (found := outcomes.rounds["first"].get(one.pin))]
    last = [found for one in projects if (found := outcomes.last(one.pin))]
    if not last:
        return f"{_HEAD}Nothing was run yet.\n"
    days = sorted({one.day for one in last})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    lines = [
        f"Toolchain {outcomes.toolchain}, measured {when}: **{len(last)} of {len(projects)} run so far**.",
        "",
        "| | built | of those that were run | of them without their compiled part |",
        "| --- | --- | --- | --- |",
        _share("at the first try, before there were recipes for them", first),
        _share("with the recipes in `infra/recipes`", last),
        "",
        *_reasons(last),
        "## Each project",
        "",
        "Seconds are from the request to the end, on a machine of two cores that did other work, too; what",
        "an earlier project had needed was a hit. `pure` is a wheel without machine code: an optional part",
        "was left out.",
        "",
        "| rank | project | first try | with recipes | seconds | reason | package or first error |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *(_row(one, outcomes) for one in projects),
    ]
    return _HEAD + "\n".join(lines) + "\n"


def _share(what: str, outcomes: Sequence[Outcome]) -> str:
    built = sum(one.built for one in outcomes)
    share = f"{built / len(outcomes):.0%} of {len(outcomes)}" if outcomes else "none was run"
    pure = sum(one.built and one.pure for one in outcomes)
    return f"| {what} | {built} | {share} | {pure} |"


def _reasons(outcomes: Sequence[Outcome]) -> list[str]:
    """Why those that are still not built are not, the most frequent reason first."""
    counted = Counter(one.reason for one in outcomes if not one.built)
    if not counted:
        return []
    rows = [f"| {reason} | {times} |" for reason, times in counted.most_common()]
    return ["| why the rest are not built | projects |", "| --- | --- |", *rows, ""]


def _row(project: Project, outcomes: Outcomes) -> str:
    first, again = (outcomes.rounds[name].get(project.pin) for name in ("first", "recipes"))
    last = again or first
    cells = [
        str(project.rank), project.pin.replace("==", " "), _verdict(first), _verdict(again),
        f"{last.seconds:.0f}" if last else "", *(_why(last, project) if last else ("not run yet", "")),
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _verdict(outcome: Outcome | None) -> str:
    if outcome is None:
        return ""
    if not outcome.built:
        return "no"
    return "pure" if outcome.pure else "built"


def _why(outcome: Outcome, project: Project) -> tuple[str, str]:
    if outcome.built:
        return "", ""
    culprit = f" ({outcome.failed})" if outcome.failed and not _is_of(outcome.failed, project) else ""
    if outcome.reason is Reason.PACKAGE:
        return f"{outcome.reason}{culprit}", f"`{outcome.missing[0]}`"
    error = " ".join(outcome.error.replace("|", "/").replace("`", "'").split())
    return f"{outcome.reason}{culprit}", f"`{error[:_LONGEST_ERROR]}`"


def _is_of(title: str, project: Project) -> bool:
    return title.partition(" ")[0] == project.name
