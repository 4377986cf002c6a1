"""What is said of a failed compile."""

from worker.diagnosis import diagnose, first_error


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


def test_what_was_missing_is_among_the_facts():
    error = diagnose(
        ["a.c:1:1: fatal error: foo.h: No such file"], title="d", phase="compile", said=[], code=1
    )
    assert (error.facts["missing_kind"], error.facts["missing_name"]) == ("header", "foo.h")
    assert "the header foo.h is missing in the build" in error.do


def test_cmakes_own_words_are_quoted_and_the_log_opens_where_they_begin():
    lines = [
        "CMake Error at CMakeLists.txt:3 (find_package):",
        "",
        "  Could NOT find JPEG (missing: JPEG_LIBRARY)",
    ]
    error = diagnose(lines, title="d", phase="compile", said=[], code=1)
    assert (
        error.found
        == "CMake Error at CMakeLists.txt:3 (find_package): Could NOT find JPEG (missing: JPEG_LIBRARY)"
    )
    assert error.facts["first_error"] == lines[0]


def test_a_patch_that_does_not_apply_is_the_error_itself():
    said = ["the patch fix.patch does not apply to demo 1.0: hunk 1 of src/a.c"]
    error = diagnose(["patching file src/a.c"], title="demo 1.0", phase="unpack", said=said, code=3)
    assert error.failed == said[0]
    assert "versions" in error.do
