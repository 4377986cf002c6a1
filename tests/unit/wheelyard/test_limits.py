"""Limits of one build."""

import pytest
from pydantic import ValidationError

from wheelyard.build_request import BuildRequest
from wheelyard.errors import InputError
from wheelyard.limits import AskedLimits, Limits, check_ceiling, parse_seconds, parse_size
from wheelyard.recipes import get_recipe
from wheelyard.settings import Settings


@pytest.mark.parametrize(
    ("text", "size"),
    [("4G", 4 << 30), ("4GiB", 4 << 30), ("512m", 512 << 20), ("1.5G", 3 << 29), ("123456789", 123456789)],
)
def test_a_size_has_a_binary_unit(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("30m", 1800), ("2h", 7200)])
def test_a_time_has_a_unit(text, seconds):
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "9" * 400, "G", "4X", "-4G", "4 G B", "1e9"])
def test_nonsense_is_no_size(text):
    with pytest.raises(ValueError, match="a size is"):
        parse_size(text)


@pytest.mark.parametrize(
    "wrong", [{"memory": "1"}, {"memory": 0}, {"cpus": 0}, {"pids": 1}, {"seconds": 0}, {"cores": 4}]
)
def test_a_limit_that_no_build_could_live_with_is_refused(wrong):
    with pytest.raises(ValidationError):
        AskedLimits.model_validate(wrong)


def test_the_later_one_wins_field_by_field():
    toolchain = AskedLimits.model_validate({"memory": "2G", "seconds": "3h"})
    recipe = AskedLimits.model_validate({"memory": "4G", "cpus": 1.5})
    request = AskedLimits.model_validate({"disk": "30G"})
    assert Limits.of(Settings(build_pids=100), toolchain, recipe, request) == Limits(
        memory=4 << 30, cpus=1.5, pids=100, disk=30 << 30, seconds=10800
    )


def test_limits_cross_a_document_whole():
    limits = Limits.of(Settings())
    assert Limits.from_document(limits.to_document()) == limits
    request = BuildRequest(
        requirements=("a",), toolchain="t", limits=AskedLimits.model_validate({"memory": "4G"})
    )
    assert BuildRequest.from_document(request.to_document()) == request


def test_a_request_of_an_older_version_has_no_limits():
    document = BuildRequest(requirements=("a",), toolchain="t").to_document()
    del document["limits"]
    assert BuildRequest.from_document(document).limits == AskedLimits()


def test_a_request_above_the_ceiling_is_refused_with_both_numbers():
    settings = Settings(max_build_memory=16 << 30)
    asked = AskedLimits.model_validate({"memory": "16G", "seconds": 60})
    assert check_ceiling(asked, settings) is asked
    with pytest.raises(InputError) as refused:
        check_ceiling(AskedLimits.model_validate({"memory": "17G"}), settings)
    assert refused.value.facts == {"limit": "memory", "ceiling": 16 << 30}
    assert "WHEELYARD_MAX_BUILD_MEMORY" in refused.value.do


def test_the_default_is_never_above_the_ceiling():
    settings = Settings(build_memory=128 << 30, max_build_memory=1 << 30)
    check_ceiling(AskedLimits.model_validate({"memory": "128G"}), settings)


def test_a_recipe_has_limits(tmp_path):
    (tmp_path / "demo.toml").write_text('[limits]\nmemory = "12G"\nseconds = "5h"\n')
    assert get_recipe("demo", tmp_path).limits.to_document() == {"memory": 12 << 30, "seconds": 18000}
    (tmp_path / "bad.toml").write_text('[limits]\nmemory = "much"\n')
    with pytest.raises(InputError, match=r"limits\.memory"):
        get_recipe("bad", tmp_path)
