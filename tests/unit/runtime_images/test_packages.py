"""Debian packages in images: what is taken of them, what is not, and how scanners learn of it."""

from __future__ import annotations

import gzip
import hashlib
import platform

import pytest

from runtime_images.deb_index import read_deb, read_shlibs
from runtime_images.opened_files import TABLE
from tests.unit.runtime_images.debs import COPYRIGHT, Archive, deb_of
from wheelyard.errors import ForeignOutputRefused, StoreUnavailable

MACHINE = platform.machine()
LIB = f"usr/lib/{MACHINE}-linux-gnu"
STATUS = "var/lib/dpkg/status.d"
BASE = {"lib": "usr/lib", f"{LIB}/libc.so.6": b"libc", "etc/passwd": b"root"}


@pytest.fixture
def archive(store, scratch, tars, put_layer) -> Archive:
    base = tars.write(BASE)
    return Archive(store, base, put_layer(base, "base"), scratch, MACHINE)


def taken(archive: Archive, *asked: str, **more) -> set[str]:
    """Paths of what is taken, without records and papers."""
    files = archive.files(archive.layer(*asked, **more))
    return {path for path in files if not path.startswith((STATUS, "usr/share/doc/"))}


def test_a_program_comes_with_what_it_loads_and_with_nothing_else(archive, linker):
    program = linker.library("", ("libtop.so.1", "libc.so.6"))
    archive.add(
        "tool",
        {"usr/bin/tool": program, "usr/share/man/man1/tool.1": b"page"},
        modes={"usr/bin/tool": 0o4755},
    )
    archive.add(
        "libtop1",
        {
            f"{LIB}/libtop.so.1": "libtop.so.1.2",
            f"{LIB}/libtop.so.1.2": linker.library("libtop.so.1", ("libdeep.so.2",), f"/{LIB}/private"),
            f"{LIB}/libaside.so.1": linker.library("libaside.so.1"),
        },
    )
    archive.add("libdeep2", {f"{LIB}/private/libdeep.so.2": linker.library("libdeep.so.2")})
    archive.add("heavy", {f"{LIB}/libheavy.so.1": linker.library("libheavy.so.1")})
    system = archive.layer("tool")
    files = archive.files(system)
    assert taken(archive, "tool") == {
        "usr/bin/tool",
        f"{LIB}/libtop.so.1",
        f"{LIB}/libtop.so.1.2",
        f"{LIB}/private/libdeep.so.2",
    }
    assert files[f"{LIB}/libtop.so.1"] == "libtop.so.1.2"
    assert system.packages == {"tool": "1.0-1", "libtop1": "1.0-1", "libdeep2": "1.0-1"}
    assert system.nowhere == {}
    assert archive.programs(system) == {"usr/bin/tool"}
    assert system.layer.title == "packages tool"


def test_what_is_taken_is_recorded_with_the_sums_of_what_is_there_alone(archive, linker):
    library = linker.library("libone.so.1")
    archive.add(
        "libone1", {f"{LIB}/libone.so.1": library, "usr/share/man/x": b"", "usr/share/one/table": b"1"}
    )
    archive.add("tool", {"usr/bin/tool": linker.library("", ("libone.so.1",))}, depends="libone1 (>= 1)")
    files = archive.files(archive.layer("tool"))
    md5 = hashlib.md5(library, usedforsecurity=False).hexdigest()
    papers = hashlib.md5(COPYRIGHT, usedforsecurity=False).hexdigest()
    sums = f"{md5}  {LIB}/libone.so.1\n{papers}  usr/share/doc/libone1/copyright\n"
    assert files[f"{STATUS}/libone1.md5sums"] == sums.encode()
    assert files[f"{STATUS}/libone1"].startswith(b"Package: libone1\nVersion: 1.0-1\nArchitecture: amd64\n")
    assert files["usr/share/doc/libone1/copyright"] == COPYRIGHT


def test_the_papers_of_a_package_are_found_through_the_link_to_another_ones(archive, linker):
    archive.add("libmain1", {f"{LIB}/libmain.so.1": linker.library("libmain.so.1", ("libside.so.1",))})
    archive.add(
        "libside1",
        {f"{LIB}/libside.so.1": linker.library("libside.so.1"), "usr/share/doc/libside1": "main-common"},
    )
    archive.add("main-common", {"usr/share/main/table": b""})
    files = archive.files(archive.layer("libmain1"))
    assert files["usr/share/doc/libside1/copyright"] == COPYRIGHT
    assert f"{STATUS}/main-common" not in files, "nothing of it is there but its papers"


def test_a_package_without_files_stands_for_what_it_depends_on(archive, linker):
    archive.add("tool", {}, depends="tool-1.0 | tool-0.9, virtual-data")
    archive.add("tool-1.0", {"usr/bin/tool-1.0": linker.library("")})
    archive.add("data", {"usr/share/tool/table": b""}, more="Provides: virtual-data (= 1)\n")
    archive.add("other", {"usr/bin/other": linker.library("")})
    assert taken(archive, "tool") == {"usr/bin/tool-1.0", "usr/share/tool/table"}


def test_a_whole_package_brings_all_its_files_and_those_of_its_closure(archive, linker):
    archive.add("tool", {"usr/bin/tool": linker.library(""), "usr/share/tool/x": b""}, depends="data")
    archive.add("data", {"usr/share/data/y": b"", "etc/data.conf": b"", "var/cache/data/z": b""})
    archive.add("apart", {"usr/share/apart": b""})
    assert taken(archive, whole=("tool",)) == {
        "usr/bin/tool",
        "usr/share/tool/x",
        "usr/share/data/y",
        "etc/data.conf",
    }


def test_a_library_that_alternatives_would_lead_to_gets_its_link(archive, linker):
    archive.add("tool", {"usr/bin/tool": linker.library("", ("libblas.so.3",))})
    archive.add("libblas3", {f"{LIB}/blas/libblas.so.3": linker.library("libblas.so.3")})
    files = archive.files(archive.layer("tool"))
    assert files[f"{LIB}/libblas.so.3"] == f"/{LIB}/blas/libblas.so.3"


def test_a_library_that_is_asked_by_its_soname_comes_from_whichever_package_has_it(archive, linker):
    archive.add(
        "libgl1", {f"{LIB}/libGL.so.1": "libGL.so.1.7", f"{LIB}/libGL.so.1.7": linker.library("libGL.so.1")}
    )
    archive.add("libllvm", {f"{LIB}/libLLVM.so": linker.library("libLLVM.so")})
    system = archive.layer(sonames=("libGL.so.1", "libnowhere.so.9"))
    assert system.libraries == {"libGL.so.1": f"{LIB}/libGL.so.1.7"}
    assert system.packages == {"libgl1": "1.0-1"}
    assert system.nowhere == {"libnowhere.so.9": ""}


def test_what_a_library_opens_while_it_runs_comes_with_it(archive, linker):
    archive.add("file", {"usr/bin/file": linker.library("", ("libmagic.so.1",))})
    archive.add("libmagic1", {f"{LIB}/libmagic.so.1": linker.library("libmagic.so.1")})
    archive.add(
        "libmagic-mgc",
        {"usr/lib/file/magic.mgc": b"table", "usr/share/misc/magic.mgc": "../../lib/file/magic.mgc"},
    )
    assert {"usr/lib/file/magic.mgc", "usr/share/misc/magic.mgc"} <= taken(archive, "file")


def test_mesa_s_drivers_come_only_where_mesa_is_asked_for(archive, linker):
    driver = linker.library("", ("libLLVM.so",))
    archive.add("libgl1", {f"{LIB}/libGL.so.1": linker.library("libGL.so.1")}, depends="libglx-mesa0")
    archive.add("libglx-mesa0", {f"{LIB}/libGLX_mesa.so.0": linker.library("libGLX_mesa.so.0")})
    archive.add("libgl1-mesa-dri", {f"{LIB}/dri/swrast_dri.so": driver, f"{LIB}/dri/radeon_dri.so": driver})
    archive.add("libllvm", {f"{LIB}/libLLVM.so": linker.library("libLLVM.so")})
    assert taken(archive, "libgl1") == {f"{LIB}/libGL.so.1"}
    with_mesa = taken(archive, "libgl1", "libglx-mesa0")
    assert with_mesa == {
        f"{LIB}/{name}" for name in ("libGL.so.1", "libGLX_mesa.so.0", "dri/swrast_dri.so", "libLLVM.so")
    }


def test_a_package_that_the_base_has_a_part_of_is_completed_and_its_record_is_of_both(archive):
    archive.base_packages = {"libc-bin": "2.36"}
    archive.add("libc-bin", {"usr/bin/getent": b"\x7fprogram", "etc/passwd": b"root"}, version="2.36")
    files = archive.files(archive.layer("libc-bin"))
    assert set(files) - {"usr/share/doc/libc-bin/copyright"} == {
        "usr/bin/getent",
        f"{STATUS}/libc-bin",
        f"{STATUS}/libc-bin.md5sums",
    }
    assert b"etc/passwd" in files[f"{STATUS}/libc-bin.md5sums"]


def test_a_newer_version_of_a_base_package_replaces_what_the_base_has_of_it(archive, linker):
    archive.base_packages = {"libc6": "2.36-1"}
    archive.add("libc6", {f"{LIB}/libc.so.6": b"newer", f"{LIB}/libunused.so.1": b""}, version="2.36-2")
    archive.add("tool", {"usr/bin/tool": linker.library("", ("libc.so.6",))}, depends="libc6 (>= 2.36-2)")
    files = archive.files(archive.layer("tool"))
    assert files[f"{LIB}/libc.so.6"] == b"newer"
    assert b"Version: 2.36-2" in files[f"{STATUS}/libc6"]
    assert f"{LIB}/libunused.so.1" not in files


def test_files_of_a_split_usr_and_hard_links_lie_where_the_image_has_them(archive, linker):
    library = linker.library("libsplit.so.1")
    archive.add(
        "libsplit1",
        {
            f"lib/{MACHINE}-linux-gnu/libsplit.so.1.0": library,
            f"lib/{MACHINE}-linux-gnu/libsplit.so.1": "libsplit.so.1.0",
            f"{LIB}/libsplit.so": f"/lib/{MACHINE}-linux-gnu/libsplit.so.1",
            "usr/share/split/one": b"1",
            "usr/share/split/two": ("", "usr/share/split/one"),
            "usr/share/man/man1/page": b"2",
            "usr/share/split/three": ("", "usr/share/man/man1/page"),
        },
    )
    files = archive.files(archive.layer("libsplit1"))
    assert files[f"{LIB}/libsplit.so.1.0"] == library
    assert files[f"{LIB}/libsplit.so.1"] == "libsplit.so.1.0"
    assert files["usr/share/split/two"] == b"1"
    assert files["usr/share/split/three"] == b"2"


def test_equal_packages_are_equal_layers_and_the_second_time_nothing_is_read(archive, linker):
    archive.add("tool", {"usr/bin/tool": linker.library("")})
    first = archive.layer("tool")

    def nothing():
        raise AssertionError

    archive.below = nothing
    assert archive.layer("tool") == first


def test_busybox_gets_the_links_that_make_it_a_shell(archive, linker):
    archive.add("busybox-static", {"usr/bin/busybox": linker.library("")})
    files = archive.files(archive.layer("busybox-static"))
    assert files["usr/bin/sh"] == "busybox"
    assert files["usr/bin/ls"] == "busybox"


def test_a_package_that_is_lost_is_named_by_its_digest(archive):
    archive.debs = {"tool": f"1.0-1 sha256:{'0' * 64}"}
    with pytest.raises(StoreUnavailable) as failure:
        archive.layer("tool")
    assert failure.value.expected == f"sha256:{'0' * 64}"


def test_a_package_packed_with_gzip_is_read_too(tmp_path):
    place = tmp_path / "demo.deb"
    place.write_bytes(
        deb_of("demo", {"usr/bin/demo": b"x"}, packer=gzip.compress, shlibs="libx 1 demo (>= 1)\n")
    )
    index = read_deb(place, tmp_path)
    assert (index.name, index.version) == ("demo", "1.0-1")
    assert index.shlibs["libx.so.1"] == "demo"
    assert index.contents.entries["usr/bin/demo"].size == 1


@pytest.mark.parametrize(
    "body", [b"", b"!<arch>\n", b"not one", deb_of("demo", {"usr/bin/x": b"y" * 9999})[:-900]]
)
def test_what_is_no_package_is_refused(tmp_path, body):
    place = tmp_path / "broken.deb"
    place.write_bytes(body)
    with pytest.raises(ForeignOutputRefused, match=r"broken\.deb"):
        read_deb(place, tmp_path)


def test_sonames_of_both_spellings_are_read_from_shlibs():
    found = read_shlibs(
        "libGL 1 libgl1\nlibldap-2.5 0 libldap-2.5-0 (>= 2.5.4)\nudeb: libx 1 libx-udeb\n"
        "libbfd 2.40 libbinutils (>= 2.40)\n"
    )
    assert found["libGL.so.1"] == "libgl1"
    assert found["libldap-2.5.so.0"] == "libldap-2.5-0"
    assert found["libbfd-2.40.so"] == "libbinutils"
    assert "libx.so.1" not in found


def test_each_row_of_the_table_says_why():
    assert all(len(row.why) > 20 and row.takes for row in TABLE)


def catalogued(files: dict[str, bytes | str]) -> dict[str, dict[str, str]]:
    """Packages as syft's and trivy's readers of `status.d` find them: name to fields and files.

    Both read every file of the folder but the sums as stanzas of `Field: value` lines, where one that begins
    with a space goes on; both skip what is to be removed, and take name and version of the source from
    `Source: NAME (VERSION)`. syft takes a package's files from NAME.md5sums beside it.
    """
    found = {}
    for path, body in files.items():
        if not path.startswith(f"{STATUS}/") or path.endswith(".md5sums"):
            continue
        for stanza in body.decode().split("\n\n"):
            fields: dict[str, str] = {}
            for line in stanza.splitlines():
                if not line.startswith(" "):
                    name, colon, value = line.partition(":")
                    assert colon, line
                    assert name not in fields, "syft refuses a field that comes twice"
                    fields[name] = value.strip()
            if fields and not {"deinstall", "purge"} & set(fields.get("Status", "").split()):
                assert fields["Package"]
                assert fields["Version"]
                found[fields["Package"]] = fields
    return found


def test_scanners_find_each_package_and_the_owner_of_each_elf_file(archive, linker):
    archive.add(
        "tool",
        {"usr/bin/tool": linker.library("", ("libone.so.1",)), "usr/lib/tool/plugin.so": linker.library("")},
        more="Source: toolbox (1.0-2)\n",
    )
    archive.add("libone1", {f"{LIB}/libone.so.1": linker.library("libone.so.1")})
    archive.add("libunused1", {f"{LIB}/libunused.so.1": linker.library("libunused.so.1")})
    files = archive.files(archive.layer("tool"))
    packages = catalogued(files)
    assert packages.keys() == {"tool", "libone1"}
    assert packages["tool"]["Source"] == "toolbox (1.0-2)"
    owned = {}
    for name in packages:
        for line in files[f"{STATUS}/{name}.md5sums"].decode().splitlines():
            digest, path = line.split("  ", 1)
            assert hashlib.md5(files[path], usedforsecurity=False).hexdigest() == digest
            owned[path] = name
    elves = {path for path, body in files.items() if isinstance(body, bytes) and body.startswith(b"\x7fELF")}
    assert elves == {"usr/bin/tool", "usr/lib/tool/plugin.so", f"{LIB}/libone.so.1"}
    assert elves <= owned.keys()
    assert all(f"usr/share/doc/{name}/copyright" in files for name in packages), "the licences are read there"
