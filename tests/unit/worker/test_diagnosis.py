"""What is said of a failed compile."""

import pytest

from wheelyard.errors import InfrastructureError
from worker.diagnosis import diagnose, first_error, missing_part, name_package


def test_the_compilers_own_error_wins_over_the_build_tools_echo():
    lines = [
        "[3/9] Compiling C object a.o",
        "FAILED: a.o",
        "src/a.c:7:10: fatal error: jpeglib.h: No such file or directory",
        "ninja: build stopped: subcommand failed.",
        "error: command '/usr/bin/gcc' failed with exit code 1",
    ]
    assert first_error(lines) == "src/a.c:7:10: fatal error: jpeglib.h: No such file or directory"


def test_a_python_backends_exception_is_found_where_no_compiler_spoke():
    lines = [
        "Traceback (most recent call last):",
        '  File "setup.py", line 3',
        "ModuleNotFoundError: No module named 'x'",
    ]
    assert first_error(lines) == "ModuleNotFoundError: No module named 'x'"


def test_mesons_error_is_found():
    assert "Dependency" in first_error(
        ['../meson.build:12:10: ERROR: Dependency "libpng" not found, tried pkgconfig']
    )


@pytest.mark.parametrize(
    ("line", "part"),
    [
        (
            "a.c:1:10: fatal error: libavcodec/avcodec.h: No such file or directory",
            ("header", "libavcodec/avcodec.h"),
        ),
        ("/usr/bin/ld: cannot find -lfoo: No such file or directory", ("library", "foo")),
        ('meson.build:3:1: ERROR: Dependency "libpng" not found, tried pkgconfig', ("pkg-config", "libpng")),
        ("sh: 1: flex: not found", ("program", "flex")),
        ("FileNotFoundError: [Errno 2] No such file or directory: 'pg_config'", ("program", "pg_config")),
        ("all is well", ("", "")),
    ],
)
def test_names_the_missing_part(line, part):
    assert missing_part([line]) == part


def test_the_error_carries_its_facts():
    error = diagnose(
        ["x.c:1:1: error: no"], title="demo 1.0", phase="compile", said=["the backend failed"], code=1
    )
    assert error.facts["first_error"] == "x.c:1:1: error: no"
    assert error.failed == "demo 1.0: the phase compile failed"
    assert error.exit_code == 1


def test_where_nothing_looks_like_an_error_our_own_script_is_quoted():
    error = diagnose(
        ["hm"], title="demo 1.0", phase="repair", said=["auditwheel left 0 wheels, expected one"], code=3
    )
    assert error.found == "auditwheel left 0 wheels, expected one"


def test_the_package_that_brings_the_missing_part_is_named():
    error = diagnose(
        ["a.c:1:1: fatal error: foo.h: No such file"], title="d", phase="compile", said=[], code=1
    )
    hinted = name_package(error, lambda kind, name: ["libfoo-dev", "other-dev"] if name == "foo.h" else [])
    assert "libfoo-dev (or other-dev) has the header foo.h" in hinted.do
    assert hinted.facts["first_error"] == error.facts["first_error"]


def test_a_hint_that_can_not_be_had_changes_nothing():
    def out(kind, name):
        raise InfrastructureError("no mirror")

    error = diagnose(
        ["a.c:1:1: fatal error: foo.h: No such file"], title="d", phase="compile", said=[], code=1
    )
    assert name_package(error, out) is error
