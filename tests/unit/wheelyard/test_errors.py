"""The error tree: what an error says, and that it crosses a process boundary whole."""

import json

import pytest

from wheelyard import errors
from wheelyard.errors import BuildFailed, InfrastructureError, InputError, WheelyardError, from_document


def tree(root=WheelyardError):
    return [root, *(leaf for child in root.__subclasses__() for leaf in tree(child))]


OURS = [cls for cls in tree() if cls.__module__ == errors.__name__]


def test_an_error_says_what_failed_what_was_expected_and_found_and_what_to_do():
    error = BuildFailed("numpy does not compile", expected="zlib.h", found="nothing", do="add zlib1g-dev")
    assert str(error).splitlines() == [
        "numpy does not compile",
        "  expected: zlib.h",
        "  found: nothing",
        "  next: add zlib1g-dev",
    ]
    assert str(InputError("only this")) == "only this"


@pytest.mark.parametrize("cls", OURS)
def test_every_error_survives_as_a_document(cls):
    error = cls("a", expected="b", found="c", do="d", digest="sha256:0", size=3)
    back = from_document(json.loads(json.dumps(error.to_document())))
    assert type(back) is cls
    assert back.to_document() == error.to_document()


def test_a_kind_that_nobody_knows_is_still_an_error():
    error = from_document({"kind": "from-the-future", "failed": "something", "facts": {"a": 1}})
    assert (type(error), error.failed, error.facts) == (WheelyardError, "something", {"a": 1})
    assert from_document({}).failed == "unknown failure"


def test_kinds_are_unique_and_classes_are_explained():
    assert len({cls.kind for cls in OURS}) == len(OURS)
    assert all(cls.__doc__ and cls.title for cls in OURS)


@pytest.mark.parametrize("cls", OURS)
def test_exit_codes_and_statuses_follow_whose_fault_it_is(cls):
    assert 400 <= cls.status < 600
    if issubclass(cls, InputError):
        assert (cls.exit_code, cls.status < 500) == (2, True)
    elif issubclass(cls, InfrastructureError):
        assert (cls.exit_code, cls.status >= 500) == (3, True)
    elif issubclass(cls, BuildFailed):
        assert cls.exit_code == 1
