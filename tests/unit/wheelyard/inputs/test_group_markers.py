"""Markers of locks: what they say of extras and groups is settled, the rest stays."""

from __future__ import annotations

import pytest
from packaging.markers import Marker

from wheelyard.inputs.group_markers import Choice, settle

CHOICE = Choice.of(["Video"], ["test"])


@pytest.mark.parametrize(
    ("marker", "left"),
    [
        ("'video' in extras", True),
        ("'audio' in extras", False),
        ("'audio' not in extras", True),
        ("'test' in dependency_groups", True),
        ("'docs' in dependency_groups or 'video' in extras", True),
        ("python_version < '3.12'", 'python_version < "3.12"'),
        ("'video' in extras and python_version < '3.12'", 'python_version < "3.12"'),
        ("'audio' in extras and python_version < '3.12'", False),
        ("'audio' in extras or python_version < '3.12'", 'python_version < "3.12"'),
        ("('audio' in extras or 'video' in extras) and (sys_platform == 'linux' or os_name == 'nt')",
         'sys_platform == "linux" or os_name == "nt"'),
        ("platform_version not in 'a b' and 'video' in extras", 'platform_version not in "a b"'),
    ],
)  # fmt: skip
def test_a_marker_is_settled_by_the_choice(marker, left):
    settled = settle(Marker(marker), CHOICE)
    assert (settled if isinstance(settled, bool) else str(settled)) == left


def test_no_marker_holds_everywhere():
    assert settle(None, Choice()) is True


@pytest.mark.parametrize("python", ["3.9", "3.12"])
@pytest.mark.parametrize("platform", ["linux", "win32"])
def test_what_is_left_means_the_same(python, platform):
    text = (
        "('video' in extras and python_version < '3.12') or ('audio' in extras and os_name == 'posix') "
        "or (sys_platform == 'win32' and ('docs' in dependency_groups or python_version == '3.12'))"
    )
    environment = {"python_version": python, "sys_platform": platform, "os_name": "posix"}
    chosen = {"extras": {"video"}, "dependency_groups": {"test"}}
    settled = settle(Marker(text), CHOICE)
    whole = Marker(text).evaluate({**environment, **chosen}, context="lock_file")
    assert (settled if isinstance(settled, bool) else settled.evaluate(environment)) == whole
