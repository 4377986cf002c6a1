"""Libraries that wheels need and nothing below them has: from packages, or named with who would have them."""

from __future__ import annotations

import platform
from collections.abc import Sequence

import pytest

from runtime_images.file_tree import FileTree
from runtime_images.library_search import Need
from runtime_images.missing_libraries import provide_libraries
from runtime_images.package_layer import Packages
from tests.unit.runtime_images.debs import Archive
from wheelyard.errors import BuildFailed

MACHINE = platform.machine()
LIB = f"usr/lib/{MACHINE}-linux-gnu"
BASE = {"lib": "usr/lib", f"{LIB}/libc.so.6": b"libc"}


class Release:
    """A Debian release that has what an archive has."""

    base_packages: dict[str, str] = {}  # noqa: RUF012 - a fake's

    def __init__(self, archive: Archive, candidates: dict[str, tuple[str, ...]] | None = None) -> None:
        self.archive = archive
        self.candidates = candidates or {}
        self.asked: list[tuple[str, ...]] = []
        self.brought: list[Packages] = []

    def find(self, sonames: Sequence[str]) -> Packages:
        self.asked.append(tuple(sonames))
        return Packages(sonames=tuple(sonames), debs=self.archive.debs)

    def bring(self, packages: Packages) -> None:
        self.brought.append(packages)

    def packages_with(self, soname: str) -> tuple[str, ...]:
        return self.candidates.get(soname, ())


@pytest.fixture
def archive(store, scratch, tars, put_layer) -> Archive:
    base = tars.write(BASE)
    return Archive(store, base, put_layer(base, "base"), scratch, MACHINE)


def need(soname: str) -> Need:
    return Need(owner="opencv-python 4.12", path="usr/local/lib/cv2.so", soname=soname, met_by="")


def provide(archive: Archive, source: Release, *sonames: str, compile_layers=(), optional=()):
    tree = FileTree()
    tree.lay(archive.base, "base")
    return provide_libraries(
        archive.store,
        [need(soname) for soname in sonames],
        optional=optional,
        below=(archive.base_layer,),
        tree=tree,
        compile_layers=compile_layers,
        source=source,
        machine=MACHINE,
        scratch=archive.scratch,
    )


def test_what_the_compile_image_lacks_comes_from_packages_alone(archive, linker, tars, put_layer):
    both = put_layer(tars.write({f"{LIB}/libX11.so.6": linker.library("libX11.so.6")}), "compile")
    archive.add("libgl1", {f"{LIB}/libGL.so.1": linker.library("libGL.so.1", ("libX11.so.6",))})
    release = Release(archive)
    found = provide(archive, release, "libGL.so.1", "libX11.so.6", compile_layers=[both])
    assert release.asked == [("libGL.so.1",)]
    assert found.libraries == {"libGL.so.1": f"{LIB}/libGL.so.1", "libX11.so.6": f"{LIB}/libX11.so.6"}
    assert found.packages == {"libgl1": "1.0-1"}
    assert [layer.title for layer in found.layers] == ["system libX11.so.6", "libraries libgl1"]


def test_a_library_that_no_package_has_is_named_with_its_wheel_and_what_would_have_it(archive, linker):
    archive.add("libother", {f"{LIB}/libother.so.1": linker.library("libother.so.1")})
    release = Release(archive, {"libGL.so.1": ("libgl1", "libgl1-mesa-swx11")})
    with pytest.raises(BuildFailed) as failure:
        provide(archive, release, "libGL.so.1")
    assert failure.value.failed == "opencv-python 4.12 needs libGL.so.1, which nothing provides"
    assert "libgl1 and libgl1-mesa-swx11 would have it" in failure.value.found
    assert failure.value.facts["missing"][0]["packages"] == ["libgl1", "libgl1-mesa-swx11"]


def test_an_optional_library_that_nothing_has_is_left_out(archive):
    found = provide(archive, Release(archive), "libGL.so.1", optional=("libGL.so.1",))
    assert found.left_out == ("libGL.so.1",)
    assert found.layers == ()


def test_a_library_that_a_taken_one_needs_and_no_package_has_is_named_too(archive, linker):
    archive.add("libgl1", {f"{LIB}/libGL.so.1": linker.library("libGL.so.1", ("libdeep.so.1",))})
    with pytest.raises(BuildFailed) as failure:
        provide(archive, Release(archive), "libGL.so.1")
    assert failure.value.facts["missing"][0]["soname"] == "libdeep.so.1"
    assert failure.value.facts["missing"][0]["path"] == f"/{LIB}/libGL.so.1"


def test_equal_needs_are_equal_layers_and_a_kept_one_needs_no_package(archive, linker):
    archive.add("libgl1", {f"{LIB}/libGL.so.1": linker.library("libGL.so.1")})
    first, second = Release(archive), Release(archive)
    assert provide(archive, first, "libGL.so.1") == provide(archive, second, "libGL.so.1")
    assert (len(first.brought), len(second.brought)) == (1, 0)
