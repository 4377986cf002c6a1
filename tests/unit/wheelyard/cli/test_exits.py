import errno

import pytest

from wheelyard.answers import JobAnswer
from wheelyard.cli.exits import as_known_error, exit_code_of, exit_code_of_job, exit_codes_help
from wheelyard.errors import (
    BuildFailed,
    Cancelled,
    Conflict,
    DiskFull,
    EngineFailed,
    InputError,
    NotFound,
    TimedOut,
    Unauthorized,
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BuildFailed("x"), 1),
        (InputError("x"), 2),
        (NotFound("x"), 2),
        (Unauthorized("x"), 2),
        (Conflict("x"), 2),
        (EngineFailed("x"), 3),
        (OSError("x"), 3),
        (ZeroDivisionError("x"), 3),
        (TimedOut("x"), 4),
        (Cancelled("x"), 4),
        (KeyboardInterrupt(), 4),
    ],
)
def test_every_error_has_its_code(error, code):
    assert exit_code_of(error) == code


@pytest.mark.parametrize(
    ("state", "error", "code"),
    [
        ("succeeded", None, 0),
        ("failed", BuildFailed("x").to_document(), 1),
        ("failed", EngineFailed("x").to_document(), 3),
        ("failed", TimedOut("x").to_document(), 4),
        ("failed", None, 1),
        ("cancelled", None, 4),
    ],
)
def test_an_ended_job_has_its_errors_code(state, error, code):
    job = JobAnswer.from_document({"id": "a", "state": state, "error": error})
    assert exit_code_of_job(job) == code


def test_a_full_disk_is_called_one():
    assert isinstance(as_known_error(OSError(errno.ENOSPC, "No space left", "/tmp/x")), DiskFull)


def test_a_defect_says_how_to_see_more():
    assert "--debug" in as_known_error(KeyError("x")).do


def test_the_help_names_every_code():
    assert all(f"{code} " in exit_codes_help() for code in range(5))
