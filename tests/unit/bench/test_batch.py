"""The batch: what a failure is called, and that its page says only what was measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.batch.outcome import Outcome, Reason, reason_of
from bench.batch.outcomes import Outcomes
from bench.batch.page import write_page
from bench.batch.projects import Project, read_projects
from wheelyard.errors import BuildFailed, InputError, OutOfMemory, StoreUnavailable, WheelyardError

LXML = Project(name="lxml", pin="lxml==6.1.3", rank=102)
PYYAML = Project(name="pyyaml", pin="pyyaml==6.0.3", rank=15)
MISSING = Outcome(
    requirement=LXML.pin,
    reason=Reason.PACKAGE,
    failed="lxml 6.1.3",
    missing=("libxml2-dev",),
    error="fatal error",
    seconds=9.0,
    day="2026-11-28",
)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (BuildFailed("x", phase="compile", missing_kind="header", packages=["libxml2-dev"]), Reason.PACKAGE),
        (BuildFailed("x", phase="compile", missing_kind="program", missing_name="gperf"), Reason.PART),
        (BuildFailed("x", phase="compile", first_error="Cargo, the Rust package manager"), Reason.RUST),
        (BuildFailed("x", phase="compile", first_error="a.c:1:1: error: trust me"), Reason.COMPILE),
        (BuildFailed("x", phase="resolve"), Reason.METADATA),
        (BuildFailed("x", phase="test"), Reason.WHEEL),
        (OutOfMemory("x", phase="compile again"), Reason.LIMIT),
        (InputError("x"), Reason.REQUIREMENT),
        (StoreUnavailable("x"), Reason.SERVICE),
        (WheelyardError("x"), Reason.SERVICE),
    ],
)
def test_a_failure_is_called_what_it_is(error: WheelyardError, reason: Reason):
    assert reason_of(error) is reason


def test_what_was_not_run_is_in_no_share(tmp_path: Path):
    outcomes = Outcomes(path=tmp_path / "outcomes.json", toolchain="debian12-cp311")
    outcomes.keep("first", MISSING)
    page = write_page([PYYAML, LXML], outcomes)
    assert "**1 of 2 run so far**" in page
    assert "| at the first try, before there were recipes for them | 0 | 0% of 1 | 0 |" in page
    assert "| 15 | pyyaml 6.0.3 |  |  |  | not run yet |  |" in page
    assert "| 102 | lxml 6.1.3 | no |  | 9 | a Debian package is missing | `libxml2-dev` |" in page


def test_a_recipe_changes_the_last_number_and_not_the_first(tmp_path: Path):
    path = tmp_path / "outcomes.json"
    outcomes = Outcomes(path=path, toolchain="debian12-cp311")
    outcomes.keep("first", MISSING)
    outcomes.keep("recipes", Outcome(requirement=LXML.pin, seconds=90.0, made=1, day="2026-11-28"))
    page = write_page([LXML], Outcomes.read(path, "debian12-cp311"))
    assert "| at the first try, before there were recipes for them | 0 | 0% of 1 | 0 |" in page
    assert "| with the recipes in `infra/recipes` | 1 | 100% of 1 | 0 |" in page
    assert "| 102 | lxml 6.1.3 | no | built | 90 |" in page


def test_a_wheel_without_its_compiled_part_is_built_and_told_apart(tmp_path: Path):
    outcomes = Outcomes(path=tmp_path / "outcomes.json", toolchain="debian12-cp311")
    outcomes.keep("first", Outcome(requirement=PYYAML.pin, seconds=9.0, pure=True, day="2026-11-28"))
    page = write_page([PYYAML], outcomes)
    assert "| at the first try, before there were recipes for them | 1 | 100% of 1 | 1 |" in page
    assert "| 15 | pyyaml 6.0.3 | pure |  | 9 |  |  |" in page


def test_outcomes_of_another_toolchain_do_not_count(tmp_path: Path):
    path = tmp_path / "outcomes.json"
    Outcomes(path=path, toolchain="debian12-cp311").keep("first", MISSING)
    assert Outcomes.read(path, "debian13-cp313").last(LXML.pin) is None


def test_the_list_is_60_pins_in_the_order_of_their_downloads():
    projects = read_projects(Path(__file__).parents[3] / "bench" / "batch" / "projects.txt")
    ranks = [project.rank for project in projects]
    assert len({project.name for project in projects}) == 60
    assert ranks == sorted(ranks)


def test_a_line_without_a_rank_is_refused(tmp_path: Path):
    path = tmp_path / "projects.txt"
    path.write_text("pyyaml==6.0.3\n")
    with pytest.raises(ValueError, match="line 1"):
        read_projects(path)
