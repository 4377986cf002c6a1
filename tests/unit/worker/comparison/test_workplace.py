"""Where a comparison works: found again by the next one only where it was killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.comparison.workplace import clear_leftovers, open_workplace


def cleared(place: Path, *, whole: bool = True) -> list[str]:
    """Ids of the comparisons that were found killed."""
    found: list[str] = []

    def clear(run: str) -> bool:
        found.append(run)
        return whole

    clear_leftovers(place, clear)
    return found


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    folder = tmp_path / "0123456789ab"
    folder.mkdir()
    (folder / "lock").touch()
    (folder / "saved.tar").write_text("half")
    return folder


def test_a_comparison_that_runs_is_left_alone(tmp_path: Path) -> None:
    with open_workplace(tmp_path) as work:
        assert cleared(tmp_path) == []
        assert work.folder.is_dir()


def test_a_comparison_that_ended_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), open_workplace(tmp_path):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_killed_one_is_cleared_once_and_its_folder_goes(tmp_path: Path, killed: Path) -> None:
    assert cleared(tmp_path) == [killed.name]
    assert cleared(tmp_path) == []


def test_one_that_the_engine_still_builds_for_is_tried_again(tmp_path: Path, killed: Path) -> None:
    assert cleared(tmp_path, whole=False) == [killed.name]
    assert cleared(tmp_path) == [killed.name]


def test_a_machine_without_comparisons_has_no_leftovers(tmp_path: Path) -> None:
    assert cleared(tmp_path / "none") == []
