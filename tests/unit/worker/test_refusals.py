"""Refusals: each kind of requirement that can't be met, in plain words."""

import pytest
from packaging.requirements import Requirement

from wheelyard.digests import Digest
from wheelyard.errors import BuildFailed, InputError, NotFound
from wheelyard.toolchains import Python, Toolchain
from wheelyard.upstream.listing import ListedFile, Listing, read_filename
from worker.refusals import explain, read_refusal

ONE = Digest("1" * 64)
TOOLCHAIN = Toolchain(
    name="debian12-cp311",
    description="",
    python=Python(version="3.11", tag="cp311"),
    policy="manylinux_2_36_x86_64",
    image="example/image@sha256:" + "0" * 64,
)


def listing(*names, python=None, yanked=(), hashless=False):
    files = []
    for name in names:
        kind, version = read_filename("demo", name)
        files.append(
            ListedFile(
                filename=name,
                url="",
                digest=None if hashless else ONE,
                kind=kind,
                version=version,
                requires_python=(python or {}).get(str(version), ""),
                yanked="broken" if str(version) in yanked else None,
            )
        )
    return Listing(project="demo", files=tuple(files))


def sources(*versions):
    return [f"demo-{version}.tar.gz" for version in versions]


def why(requirement, page, **more):
    return explain(Requirement(requirement), page, TOOLCHAIN, **more)


def test_says_nothing_where_the_page_has_what_is_wanted():
    assert why("demo", listing(*sources("1.0"))) is None
    assert why("demo>=1", listing("demo-2.0-py3-none-any.whl", *sources("1.0"))) is None


def test_a_version_that_does_not_exist_is_answered_with_the_newest_five():
    error = why("demo==9", listing(*sources("0.9", "0.10", "1.0", "1.1", "1.2", "1.3", "2.0rc1")))
    assert isinstance(error, NotFound)
    assert str(error) == (
        "no version of demo fits demo==9\n  expected: one of 1.3, 1.2, 1.1, 1.0, 0.10 and 1 older ones"
    )


def test_versions_that_the_toolchain_can_not_use_are_not_offered():
    error = why("demo==9", listing(*sources("1.0", "2.0"), python={"2.0": ">=3.12"}))
    assert error is not None
    assert error.expected == "one of 1.0"


def test_a_version_without_an_sdist_is_answered_with_those_that_have_one():
    page = listing("demo-3.0-py3-none-any.whl", *sources("1.0", "1.1", "2.0"), python={"2.0": ">=3.12"})
    error = why("demo==3.0", page)
    assert isinstance(error, InputError)
    assert str(error) == (
        "demo 3.0 has no sdist on the index\n"
        "  expected: a version that has one: 1.1, 1.0\n  next: ask for demo==1.1"
    )
    assert error.facts["versions"] == ["1.1", "1.0"]


def test_a_project_without_any_sdist_is_said_to_have_none():
    page = listing("demo-3.0-py3-none-any.whl", "demo-2.0-py3-none-any.whl")
    error = why("demo", page)
    assert error is not None
    assert error.failed == "no version of demo that is asked for has an sdist on the index"
    assert error.expected == "a version that has one; there is none"
    assert why("demo", page, wanted="wheel") is None


def test_a_python_that_is_not_supported_is_answered_with_the_newest_that_fits():
    page = listing(*sources("1.0", "2.0", "2.1"), python={"2.0": ">=3.12", "2.1": ">=3.13"})
    error = why("demo>=2", page)
    assert str(error) == (
        "demo 2.1 requires Python >=3.13; the toolchain debian12-cp311 has 3.11\n"
        "  next: ask for demo==1.0, the newest that fits, or take another toolchain"
    )


def test_a_project_for_other_pythons_only_needs_another_toolchain():
    error = why("demo", listing(*sources("2.0"), python={"2.0": "<3"}))
    assert error is not None
    assert error.do == "take another toolchain; no version fits this one"


def test_a_page_without_hashes_is_said_to_be_useless():
    error = why("demo", listing(*sources("1.0"), hashless=True))
    assert isinstance(error, NotFound)
    assert "no file with a SHA-256" in error.failed


def test_yanked_versions_are_named_unless_one_is_asked_for_exactly():
    page = listing(*sources("1.0"), yanked={"1.0"})
    error = why("demo", page)
    assert error is not None
    assert "yanked" in error.failed
    assert why("demo==1.0", page) is None


def test_the_asker_of_a_requirement_is_named():
    error = why("demo==9", listing(*sources("1.0")), asker="other==2.0")
    assert error is not None
    assert error.failed == "no version of demo fits demo==9, which other==2.0 needs"


def refusal(lines, page, wanted="sdist"):
    def listing_of(project):
        if project != "demo":
            raise NotFound(f"there is no project {project} on the index")
        return page

    return read_refusal(lines.splitlines(), listing_of, TOOLCHAIN, wanted, "other")


UNMET = """\
  ERROR: Could not find a version that satisfies the requirement demo>=2 (from other) (from versions: 1.0)
  ERROR: No matching distribution found for demo>=2
"""


def test_reads_which_requirement_of_which_project_was_not_met():
    error = refusal(UNMET, listing("demo-2.0-py3-none-any.whl", *sources("1.0")))
    assert error.failed == "demo 2.0, which other needs, has no sdist on the index"


def test_a_project_that_another_one_needs_and_that_does_not_exist_is_named():
    error = refusal(
        "ERROR: Could not find a version that satisfies the requirement ghost "
        "(from other) (from versions: none)\nERROR: No matching distribution found for ghost",
        listing(),
    )
    assert isinstance(error, NotFound)
    assert error.failed == "there is no project ghost on the index; other needs it"


def test_a_build_requirement_without_a_wheel_is_named():
    error = refusal(
        "ERROR: Could not find a version that satisfies the requirement demo (from versions: none)\n"
        "ERROR: No matching distribution found for demo",
        listing(*sources("1.0")),
        wanted="wheel",
    )
    assert error.failed == "demo has no wheel for the toolchain debian12-cp311"
    assert "manylinux_2_36_x86_64" in error.expected


def test_advice_about_a_dependency_is_about_the_project_that_needs_it():
    error = refusal(UNMET, listing("demo-2.0-py3-none-any.whl", *sources("1.0")))
    assert error.do == "ask for a version of other that takes demo==1.0"


def test_a_dependency_from_an_address_is_named():
    error = refusal(
        "  Collecting other (from -r requirements.in (line 1))\n"
        "  Collecting base @ https://example.org/base.tar.gz (from other->-r requirements.in (line 1))\n",
        listing(),
    )
    assert error.failed == "other needs base from an address"
    assert error.found == "https://example.org/base.tar.gz"


CLASH = """\
  ERROR: Cannot install -r a and numpy<2 because these package versions have conflicting dependencies.
  The conflict is caused by:
      The user requested numpy<2
      opencv-python-headless 5.0.0.93 depends on numpy>=2; python_version >= "3.9"
  To fix this you could try to:
  1. loosen the range of package versions you've specified
"""


def test_requirements_that_contradict_each_other_are_told_in_the_resolvers_words():
    error = refusal(CLASH, listing())
    assert error.facts["causes"] == [
        "The user requested numpy<2",
        'opencv-python-headless 5.0.0.93 depends on numpy>=2; python_version >= "3.9"',
    ]
    assert "contradict each other" in error.failed


@pytest.mark.parametrize("lines", ["", "something new\nof a later pip"])
def test_words_that_nobody_knows_are_passed_on(lines):
    error = refusal(lines, listing())
    assert error.failed == "other can't be resolved"
    assert error.found == (lines or "the resolver said nothing")


HOOK = """\
  Collecting other[extra]>=1 (from -r requirements.in (line 1))
    error: subprocess-exited-with-error
    \u00d7 Getting requirements to build wheel did not run successfully.
    │ exit code: 1
    ╰─> [1 lines of output]
        no moon tonight
        [end of output]
    note: This error originates from a subprocess, and is likely not a problem with pip.
"""


def test_a_backend_that_fails_is_told_in_its_own_words():
    error = refusal(HOOK, listing())
    assert isinstance(error, BuildFailed)
    assert error.failed == "the build backend of other failed while it was asked for the project's metadata"
    assert error.found == "Getting requirements to build wheel:\nno moon tonight"


def test_what_a_backend_lacks_for_metadata_is_said_to_be_needed_by_its_project():
    lines = HOOK.replace(
        "Getting requirements to build wheel", "installing build dependencies for other"
    ).replace(
        "no moon tonight",
        "ERROR: Could not find a version that satisfies the requirement ghost (from versions: none)",
    )
    error = refusal(lines, listing())
    assert isinstance(error, NotFound)
    assert error.failed == "there is no project ghost on the index; other needs it"
