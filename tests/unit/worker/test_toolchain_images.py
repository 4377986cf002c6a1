"""Which files, platforms and bases a toolchain gets."""

import pytest

from wheelyard.errors import InputError
from wheelyard.settings import Settings
from wheelyard.toolchains import get_toolchain, list_toolchains, read_tools_lock
from worker.registry_image import reference_of
from worker.toolchain_images import base_toolchain, keep_in_compile
from worker.tools_layer import platform_options

REGISTRY_TOML = """\
description = "from a registry"
policy = "manylinux_2_28_x86_64"
image = "team/builder@sha256:{digest}"
base = "{base}"
[python]
version = "3.11"
tag = "cp311"
"""


@pytest.fixture
def named(tmp_path):
    def make(base):
        (tmp_path / "team.toml").write_text(REGISTRY_TOML.format(digest="0" * 64, base=base))
        return get_toolchain("team", tmp_path)

    return make


def test_every_shipped_toolchain_has_a_lock_of_its_tools_without_an_address():
    for toolchain in list_toolchains():
        lock = read_tools_lock(toolchain)
        assert "pip==" in lock
        assert "auditwheel==" in lock
        assert "--hash=sha256:" in lock
        assert "://" not in lock


@pytest.mark.parametrize(
    "path",
    [
        "dev/null",
        "etc/apt/sources.list",
        "etc/resolv.conf",
        "var/lib/apt/lists/x",
        "var/log/dpkg.log",
        "tmp/x",
    ],
)
def test_leaves_the_making_machines_traces_out(path):
    assert not keep_in_compile(path)


@pytest.mark.parametrize(
    "path",
    [
        "usr/bin/gcc",
        "var/lib/dpkg/status",
        "var/lib/dpkg/info/gcc.list",
        "dev",
        "tmp",
        "etc/apt/apt.conf.d/01x",
    ],
)
def test_keeps_the_system_and_its_package_database(path):
    assert keep_in_compile(path)


def test_asks_for_wheels_of_every_glibc_up_to_the_policys():
    options = platform_options(get_toolchain("debian11-cp39").python, "manylinux_2_31_x86_64")
    assert options[:4] == ["--python-version", "3.9", "--implementation", "cp"]
    assert "manylinux_2_31_x86_64" in options
    assert "manylinux_2_5_x86_64" in options
    assert "manylinux2014_x86_64" in options
    assert "manylinux_2_32_x86_64" not in options


def test_a_toolchain_of_packages_has_a_base_of_its_own():
    toolchain = get_toolchain("debian12-cp311")
    assert base_toolchain(toolchain, Settings()) is toolchain


def test_a_toolchain_from_a_registry_has_the_base_that_it_names_or_none(named):
    assert base_toolchain(named(""), Settings()) is None
    assert base_toolchain(named("debian12-cp311"), Settings()).name == "debian12-cp311"


@pytest.mark.parametrize("base", ["debian13-cp313", "manylinux_2_28-cp311"])
def test_refuses_a_base_with_another_python_or_without_packages(named, base):
    with pytest.raises(InputError):
        base_toolchain(named(base), Settings())


def test_the_registry_comes_from_the_settings(named):
    settings = Settings(image_registry="https://registry.example:5000/")
    assert reference_of(named(""), settings) == f"registry.example:5000/team/builder@sha256:{'0' * 64}"


def test_says_what_to_set_where_no_registry_is_known(named):
    with pytest.raises(InputError) as caught:
        reference_of(named(""), Settings(image_registry=""))
    assert "WHEELYARD_IMAGE_REGISTRY" in caught.value.expected
