"""Which libraries the loader finds, which ones are taken from the compile image, and which are nowhere."""

from __future__ import annotations

import platform
import tarfile

import pytest

from runtime_images.file_tree import FileTree
from runtime_images.library_search import Part, find_needs
from runtime_images.library_source import NoSource
from runtime_images.missing_libraries import provide_libraries
from runtime_images.stored_layers import unpacked_layer
from wheelyard.errors import BuildFailed

MACHINE = platform.machine()
LIB = f"usr/lib/{MACHINE}-linux-gnu"
SITE = "usr/local/lib/python3.11/dist-packages"

STATUS = """Package: libfoo1
Status: install ok installed
Architecture: amd64
Version: 1.2-3+deb12u1

Package: other
Status: install ok installed
Version: 9
"""


@pytest.fixture
def needs_of(tars):
    """Needs of wheels over a base, as {soname: met by}."""

    def find(base, **wheels):
        tree = FileTree()
        tree.add(tars.contents(base), "base")
        parts = [Part(owner=name, contents=tars.contents(members)) for name, members in wheels.items()]
        for part in parts:
            tree.add(part.contents, part.owner)
        return {need.soname: need.met_by for need in find_needs(tree, parts, MACHINE)}

    return find


def test_says_who_meets_each_need(needs_of, linker):
    sonames = ("libbase.so.6", "libown.so.1", "libother.so.2", "libloaded.so.3", "libmissing.so.4")
    found = needs_of(
        {f"{LIB}/libbase.so.6": b"", "lib": "usr/lib"},
        mine={
            f"{SITE}/mine/ext.so": linker.library("", sonames, "$ORIGIN/../mine.libs:$ORIGIN/../theirs/lib"),
            f"{SITE}/mine.libs/libown.so.1": b"",
        },
        theirs={
            f"{SITE}/theirs/lib/libother.so.2": b"",
            f"{SITE}/theirs/deep/libloaded-abc.so": linker.library("libloaded.so.3"),
        },
    )
    assert found == {
        "libbase.so.6": "base",
        "libown.so.1": "mine",
        "libother.so.2": "theirs",
        "libloaded.so.3": "theirs",
        "libmissing.so.4": "",
    }


def test_a_library_of_a_package_is_met_where_the_loader_finds_it_and_for_its_own_part(tars, linker):
    package = tars.contents(
        {
            f"{LIB}/blas/libblas.so.3": linker.library("libblas.so.3", ("libpriv.so.1",), "$ORIGIN/../priv"),
            f"{LIB}/priv/libpriv.so.1": linker.library("libpriv.so.1"),
            f"{LIB}/plugins/self.so": linker.library("", ("libblas.so.3",)),
            f"{LIB}/libplain.so.1": linker.library("libplain.so.1"),
        }
    )
    native = tars.contents({"usr/local/lib/libn.so.1": linker.library("libn.so.1", ("libblas.so.3",))})
    wheel = tars.contents(
        {f"{SITE}/e.so": linker.library("", ("libblas.so.3", "libplain.so.1", "libn.so.1"))}
    )
    parts = [
        Part(owner="packages", contents=package, by_loader=True),
        Part(owner="native n", contents=native, by_loader=True),
        Part(owner="mine", contents=wheel),
    ]
    tree = FileTree()
    for part in parts:
        tree.add(part.contents, part.owner)
    assert {(need.owner, need.soname): need.met_by for need in find_needs(tree, parts, MACHINE)} == {
        ("mine", "libblas.so.3"): "",
        ("mine", "libn.so.1"): "native n",
        ("mine", "libplain.so.1"): "packages",
        ("native n", "libblas.so.3"): "",
        ("packages", "libblas.so.3"): "packages",
        ("packages", "libpriv.so.1"): "packages",
    }


def test_a_base_library_outside_the_default_folders_is_not_found(needs_of, linker):
    found = needs_of(
        {"opt/far/libfar.so.1": b""}, mine={f"{SITE}/ext.so": linker.library("", ("libfar.so.1",))}
    )
    assert found == {"libfar.so.1": ""}


def test_a_dangling_link_in_the_base_is_no_library(needs_of, linker):
    found = needs_of(
        {f"{LIB}/liba.so.1": "liba.so.1.0"}, mine={f"{SITE}/ext.so": linker.library("", ("liba.so.1",))}
    )
    assert found == {"liba.so.1": ""}


def test_files_for_musl_are_passed_over(needs_of, linker):
    found = needs_of({}, mine={f"{SITE}/ext.so": linker.library("", ("libc.musl-x86_64.so.1", "libx.so.1"))})
    assert found == {}


@pytest.fixture
def system_layer(tars, store, scratch, put_layer):
    """Makes the system layer for one wheel's file and gives its members, and what was found."""

    def make(wheel_file: bytes, compile_image, base=None, optional=()):
        base_tar = tars.write(base or {"lib": "usr/lib", f"{LIB}/libc.so.6": b""})
        base_layer = put_layer(base_tar, "base")
        wheel = Part(owner="demo 1.0", contents=tars.contents({f"{SITE}/demo/ext.so": wheel_file}))
        tree, below = FileTree(), FileTree()
        contents = tars.contents(base or {"lib": "usr/lib", f"{LIB}/libc.so.6": b""})
        for each in (tree, below):
            each.add(contents, "base")
        tree.add(wheel.contents, wheel.owner)
        layers = [put_layer(tars.write(members), "compile") for members in compile_image]
        system = provide_libraries(
            store,
            [need for need in find_needs(tree, [wheel], MACHINE) if not need.met_by],
            optional=optional,
            below=(base_layer,),
            tree=below,
            compile_layers=layers,
            source=NoSource(),
            machine=MACHINE,
            scratch=scratch,
        )
        if not system.layers:
            return system, {}
        (layer,) = system.layers
        with unpacked_layer(store, layer, scratch) as tar, tarfile.open(tar) as archive:
            return system, {
                member.name: member.linkname or archive.extractfile(member).read()
                for member in archive
                if not member.isdir()
            }

    return make


def test_takes_the_library_with_its_links_its_closure_and_its_packages(system_layer, linker):
    foo = linker.library("libfoo.so.1", ("libbar.so.2", "libc.so.6", "libpriv.so.3"), f"/{LIB}/foo")
    bar = linker.library("libbar.so.2")
    private = linker.library("libpriv.so.3")
    system, files = system_layer(
        linker.library("", ("libfoo.so.1",)),
        [
            {
                "lib": "usr/lib",
                f"{LIB}/libfoo.so.1": "libfoo.so.1.4",
                f"{LIB}/libfoo.so.1.4": foo,
                f"{LIB}/libfoo.so": "libfoo.so.1",
                f"{LIB}/libbar.so.2": f"/etc/alternatives/libbar.so.2-{MACHINE}",
                f"etc/alternatives/libbar.so.2-{MACHINE}": f"/{LIB}/fast/libbar.so.2",
                f"{LIB}/fast/libbar.so.2": bar,
                f"{LIB}/foo/libpriv.so.3": "libpriv.so.3.0",
                f"{LIB}/foo/libpriv.so.3.0": private,
                f"{LIB}/libunused.so.1": linker.library("libunused.so.1"),
                "var/lib/dpkg/status": STATUS.encode(),
                "var/lib/dpkg/info/libfoo1:amd64.list": f"/.\n/lib\n/{LIB[4:]}/libfoo.so.1.4\n".encode(),
                "var/lib/dpkg/info/libfoo1:amd64.md5sums": (
                    f"{'a' * 32}  {LIB[4:]}/libfoo.so.1.4\n{'b' * 32}  usr/share/doc/libfoo1/copyright\n"
                ).encode(),
                "var/lib/dpkg/info/other.list": b"/usr/bin/other\n",
                "usr/share/doc/libfoo1": "libfoo-common",
                "usr/share/doc/libfoo-common/copyright": b"MIT",
            }
        ],
    )
    assert system.libraries == {
        "libfoo.so.1": f"{LIB}/libfoo.so.1.4",
        "libbar.so.2": f"{LIB}/fast/libbar.so.2",
    }
    assert system.packages == {"libfoo1": "1.2-3+deb12u1"}
    assert system.layers[0].title == "system libfoo1"
    assert files == {
        f"{LIB}/libfoo.so.1": "libfoo.so.1.4",
        f"{LIB}/libfoo.so.1.4": foo,
        f"{LIB}/libbar.so.2": f"/etc/alternatives/libbar.so.2-{MACHINE}",
        f"etc/alternatives/libbar.so.2-{MACHINE}": f"/{LIB}/fast/libbar.so.2",
        f"{LIB}/fast/libbar.so.2": bar,
        f"{LIB}/foo/libpriv.so.3": "libpriv.so.3.0",
        f"{LIB}/foo/libpriv.so.3.0": private,
        "usr/share/doc/libfoo1/copyright": b"MIT",
        "var/lib/dpkg/status.d/libfoo1": (
            b"Package: libfoo1\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.2-3+deb12u1\n"
        ),
        "var/lib/dpkg/status.d/libfoo1.md5sums": f"{'a' * 32}  {LIB}/libfoo.so.1.4\n".encode(),
    }


def test_a_library_that_only_a_cache_would_find_gets_a_link_in_a_default_folder(system_layer, linker):
    far = linker.library("libfar.so.1")
    system, files = system_layer(linker.library("", ("libfar.so.1",)), [{"usr/local/lib/libfar.so.1.0": far}])
    assert files == {"usr/local/lib/libfar.so.1.0": far, f"{LIB}/libfar.so.1": "/usr/local/lib/libfar.so.1.0"}
    assert system.libraries == {"libfar.so.1": "usr/local/lib/libfar.so.1.0"}
    assert system.layers[0].title == "system libfar.so.1"


def test_the_upper_layers_of_the_compile_image_win(system_layer, linker):
    old, new = linker.library("libup.so.1"), linker.library("libup.so.1", ("libc.so.6",))
    _, files = system_layer(
        linker.library("", ("libup.so.1",)), [{f"{LIB}/libup.so.1": old}, {f"{LIB}/libup.so.1": new}]
    )
    assert files == {f"{LIB}/libup.so.1": new}


def test_the_same_needs_give_the_same_layer_and_the_second_time_it_is_kept(system_layer, linker):
    wheel, image = linker.library("", ("libx.so.1",)), [{f"{LIB}/libx.so.1": linker.library("libx.so.1")}]
    first, _ = system_layer(wheel, image)
    second, _ = system_layer(wheel, image)
    assert first == second


def test_a_soname_that_is_nowhere_is_named_with_its_wheel_and_file(system_layer, linker):
    with pytest.raises(BuildFailed) as failure:
        system_layer(linker.library("", ("libGL.so.1",)), [{f"{LIB}/libz.so.1": b""}])
    assert "demo 1.0 needs libGL.so.1" in failure.value.failed
    assert failure.value.facts["missing"] == [
        {"wheel": "demo 1.0", "path": f"/{SITE}/demo/ext.so", "soname": "libGL.so.1", "packages": []}
    ]


def test_a_soname_that_a_taken_library_lacks_is_named_too(system_layer, linker):
    lacking = linker.library("libtop.so.1", ("libdeep.so.2",))
    with pytest.raises(BuildFailed) as failure:
        system_layer(linker.library("", ("libtop.so.1",)), [{f"{LIB}/libtop.so.1": lacking}])
    assert failure.value.facts["missing"] == [
        {
            "wheel": "the toolchain's image",
            "path": f"/{LIB}/libtop.so.1",
            "soname": "libdeep.so.2",
            "packages": [],
        }
    ]


def test_an_optional_soname_may_be_nowhere(system_layer, linker):
    system, _ = system_layer(linker.library("", ("libGL.so.1",)), [{}], optional=("libGL.so.1",))
    assert system.left_out == ("libGL.so.1",)
    assert system.layers == ()
