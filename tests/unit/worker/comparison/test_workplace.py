"""Where a comparison works: found again by the next one only where it was killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.comparison.workplace import open_workplace, take_leftovers


def test_a_comparison_that_runs_is_left_alone(tmp_path: Path) -> None:
    with open_workplace(tmp_path) as work:
        assert list(take_leftovers(tmp_path)) == []
        assert work.folder.is_dir()


def test_a_comparison_that_ended_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), open_workplace(tmp_path):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_killed_one_is_given_once_and_its_folder_goes(tmp_path: Path) -> None:
    killed = tmp_path / "0123456789ab"
    killed.mkdir()
    (killed / "lock").touch()
    (killed / "saved.tar").write_text("half")
    assert list(take_leftovers(tmp_path)) == ["0123456789ab"]
    assert list(take_leftovers(tmp_path)) == []


def test_a_machine_without_comparisons_has_no_leftovers(tmp_path: Path) -> None:
    assert list(take_leftovers(tmp_path / "none")) == []
