"""Patches are applied exactly, in their order, or name what does not fit."""

import shutil

import pytest

from worker.inside.source_patches import PatchRefused, apply_patches, failures

pytestmark = pytest.mark.skipif(shutil.which("patch") is None, reason="this machine has no patch program")
TEXT = "".join(f"line {number}\n" for number in range(1, 21))
FIRST = "--- a/src/a.c\n+++ b/src/a.c\n@@ -1,4 +1,4 @@\n-line 1\n+line one\n line 2\n line 3\n line 4\n"
SECOND = (
    "--- a/src/a.c\n+++ b/src/a.c\n@@ -1,4 +1,4 @@\n-line one\n+line 1 again\n line 2\n line 3\n line 4\n"
)


@pytest.fixture
def sources(tmp_path):
    folder = tmp_path / "sources"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "a.c").write_text(TEXT)
    return folder


@pytest.fixture
def patches(tmp_path):
    folder = tmp_path / "patches"
    folder.mkdir()
    return folder


def test_patches_are_applied_in_their_order(sources, patches, capsys):
    (patches / "002-a.patch").write_text(SECOND)
    (patches / "001-z.patch").write_text(FIRST)
    apply_patches(patches, sources, "demo 1.0")
    assert (sources / "src" / "a.c").read_text() == TEXT.replace("line 1\n", "line 1 again\n", 1)
    assert [line for line in capsys.readouterr().out.splitlines() if not line.startswith(" ")] == [
        "patch z.patch", "patch a.patch",
    ]  # fmt: skip
    assert [path.name for path in (sources / "src").iterdir()] == ["a.c"]


def test_no_patches_are_fine(sources, tmp_path):
    apply_patches(tmp_path / "nothing", sources, "demo 1.0")


def refused(patches, sources, text):
    (patches / "001-fix.patch").write_text(text)
    with pytest.raises(PatchRefused) as error:
        apply_patches(patches, sources, "demo 1.0")
    return str(error.value)


def test_a_hunk_whose_surroundings_differ_is_refused_though_its_own_line_fits(sources, patches):
    said = refused(patches, sources, FIRST.replace("line 4\n", "line four\n"))
    assert said == "the patch fix.patch does not apply to demo 1.0: hunk 1 of src/a.c"


def test_each_hunk_that_does_not_fit_is_named(sources, patches):
    hunk = "@@ -10,3 +10,3 @@\n line 10\n-line eleven\n+line 11\n line 12\n"
    assert refused(patches, sources, FIRST + hunk).endswith(": hunk 2 of src/a.c")


def test_a_file_that_is_not_there_is_named(sources, patches):
    said = refused(patches, sources, FIRST.replace("src/a.c", "src/gone.c"))
    assert said == "the patch fix.patch does not apply to demo 1.0: src/gone.c is not in the sources"


def test_a_patch_that_is_in_the_sources_already_is_refused(sources, patches):
    (patches / "001-first.patch").write_text(FIRST)
    apply_patches(patches, sources, "demo 1.0")
    (patches / "001-first.patch").unlink()
    assert refused(patches, sources, FIRST).endswith(": hunk 1 of src/a.c")


def test_a_patch_leads_out_of_the_sources_nowhere(sources, patches, tmp_path):
    (tmp_path / "other").write_text("line 1\nline 2\nline 3\nline 4\n")
    refused(patches, sources, FIRST.replace("src/a.c", "../other"))
    assert (tmp_path / "other").read_text().startswith("line 1\n")


def test_what_patch_says_in_other_words_is_quoted():
    assert (
        failures(["patch: **** malformed patch at line 4:"], []) == "patch: **** malformed patch at line 4:"
    )
