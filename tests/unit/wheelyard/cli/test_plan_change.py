"""What `--if` makes of a request."""

import pytest

from wheelyard.cli.plan_change import changed_request
from wheelyard.errors import InputError

REQUEST = {"requirements": ["numpy"], "toolchain": "debian12-cp311"}


def test_changes_are_made_one_after_the_other_and_the_request_stays():
    changed = changed_request(REQUEST, ["toolchain=a", "toolchain=b", "build-deps=source"])
    assert (changed["toolchain"], changed["build_deps"]) == ("b", "source")
    assert REQUEST == {"requirements": ["numpy"], "toolchain": "debian12-cp311"}


def test_a_constraint_holds_for_what_is_run_and_what_is_built_with():
    changed = changed_request(REQUEST, ["constraint=Cython==3.1.0"])
    assert changed["constraints"] == changed["build_constraints"] == ["cython==3.1.0"]


def test_a_constraint_takes_the_place_of_what_was_said_of_its_project():
    request = {**REQUEST, "constraints": ["cython<3", "numpy<3"], "build_constraints": ["ninja<2"]}
    changed = changed_request(request, ["constraint=Cython==3.1.0"])
    assert changed["constraints"] == ["numpy<3", "cython==3.1.0"]
    assert changed["build_constraints"] == ["ninja<2", "cython==3.1.0"]


def test_a_variant_is_that_of_the_project_in_any_spelling():
    request = {**REQUEST, "variants": {"OpenCV.Python": "full", "numpy": "x"}}
    changed = changed_request(request, ["variant=opencv_python=video"])
    assert changed["variants"] == {"opencv-python": "video", "numpy": "x"}


@pytest.mark.parametrize(
    "change",
    ["", "toolchain=", "toolchain", "constraint=", "constraint=../x", "variant=a", "variant=a=", "recipe=x"],
)
def test_what_is_no_change_is_refused(change):
    with pytest.raises(InputError):
        changed_request(REQUEST, [change])
