"""Which paths are a build tool."""

from __future__ import annotations

import pytest

from runtime_images.build_tools import find_setuid, find_tools
from runtime_images.layer_contents import Entry

PROGRAM = Entry(kind="file", mode=0o755)
PLAIN = Entry(kind="file", mode=0o644)


@pytest.mark.parametrize(
    ("path", "tool"),
    [
        ("usr/bin/gcc", "gcc"),
        ("usr/bin/x86_64-linux-gnu-gcc-12", "gcc"),
        ("usr/bin/g++-12", "g++"),
        ("usr/bin/c++", "cc"),
        ("usr/bin/ld.gold", "ld"),
        ("opt/x/bin/cmake", "cmake"),
        ("usr/bin/git-upload-pack", "git"),
        ("usr/local/bin/pip3.11", "pip"),
        ("usr/bin/dpkg-deb", "dpkg"),
        ("usr/bin/apt-get", "apt"),
        ("bin/dash", "sh"),
        ("bin/bash", "bash"),
        ("usr/bin/perl5.36-x86_64-linux-gnu", "perl"),
    ],
)
def test_finds_a_tool_by_its_program(path, tool):
    assert find_tools([(path, PROGRAM)]) == {tool: (f"/{path}",)}
    assert find_tools([(path, Entry(kind="link", mode=0o777, target="x"))]) == {tool: (f"/{path}",)}


@pytest.mark.parametrize(
    "path",
    ["usr/bin/ld.so", "usr/lib64/ld-linux-x86-64.so.2", "usr/bin/python3", "usr/bin/aptitude-x", "a/gitk"],
)
def test_other_programs_are_no_tools(path):
    assert find_tools([(path, PROGRAM)]) == {}


def test_a_folder_or_a_plain_file_of_that_name_is_no_tool():
    folder = Entry(kind="folder", mode=0o755)
    assert find_tools([("site/git", folder), ("usr/share/completions/git", PLAIN)]) == {}


@pytest.mark.parametrize(
    "path",
    [
        "usr/lib/python3/dist-packages/pip/__init__.py",
        "usr/lib/python3.11/ensurepip/_bundled/pip-23.0-py3-none-any.whl",
    ],
)
def test_pip_is_found_as_a_package_too(path):
    assert find_tools([(path, PLAIN)]) == {"pip": (f"/{path}",)}


def test_lists_files_with_rights_of_their_own():
    items = [("bin/su", Entry(kind="file", mode=0o4755)), ("var/mail", Entry(kind="folder", mode=0o2775))]
    assert find_setuid(items) == ("/bin/su",)
