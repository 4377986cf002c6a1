"""Packages as a layer: their files at merged paths, their scripts never run, dpkg's status true."""

import subprocess
import tarfile

import pytest

from worker.debian.deb_layer import STATUS, keep_in_layer, make_packages_tar, merge_status

BELOW = "Package: libc6\nStatus: install ok installed\nVersion: 2.36\n\nPackage: libdemo\nVersion: 0.9\n"


@pytest.fixture
def deb(tmp_path):
    """A package with a library in `/lib`, a header, a program that is set-uid, papers, and an evil script."""
    root = tmp_path / "source"
    for path, text in {
        "DEBIAN/control": "Package: libdemo\nVersion: 1.0\nArchitecture: amd64\nMaintainer: me\n"
        "Description: x\n",
        "DEBIAN/postinst": f"#!/bin/sh\ntouch {tmp_path}/was-run\n"
        "update-alternatives --install /usr/bin/show show /usr/bin/demo 10 "
        "--slave /usr/bin/gone gone /usr/bin/elsewhere\n",
        "lib/x86_64-linux-gnu/libdemo.so.1": "elf",
        "usr/include/demo.h": "int demo;",
        "usr/bin/demo": "program",
        "usr/share/doc/libdemo/copyright": "MIT",
        "usr/share/doc/libdemo/changelog.gz": "long",
        "usr/share/man/man1/demo.1": "page",
    }.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    (root / "DEBIAN/postinst").chmod(0o755)
    (root / "usr/bin/demo").chmod(0o4755)
    (root / "lib/x86_64-linux-gnu/libdemo.so").symlink_to("libdemo.so.1")
    target = tmp_path / "libdemo.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "--build", str(root), str(target)], check=True, capture_output=True
    )
    return target


def layer(deb, folder):
    folder.mkdir()
    return make_packages_tar([deb], BELOW, folder, 1000)


def test_its_files_lie_at_merged_paths_without_papers_and_nothing_of_it_was_run(deb, tmp_path):
    with tarfile.open(layer(deb, tmp_path / "work")) as tar:
        members = {member.name: member for member in tar}
        status = tar.extractfile(STATUS).read().decode()
    files = {name for name, member in members.items() if not member.isdir()}
    assert files == {
        "usr/lib/x86_64-linux-gnu/libdemo.so.1",
        "usr/lib/x86_64-linux-gnu/libdemo.so",
        "usr/include/demo.h",
        "usr/bin/demo",
        "usr/bin/show",
        "usr/share/doc/libdemo/copyright",
        STATUS,
    }
    assert members["usr/bin/show"].linkname == "/usr/bin/demo"
    assert "lib" not in members, "it would hide the link of a merged system"
    assert members["usr/bin/demo"].mode == 0o755
    assert members["usr/lib/x86_64-linux-gnu/libdemo.so"].linkname == "libdemo.so.1"
    assert status.count("Package: libdemo\n") == 1
    assert "Version: 1.0" in status
    assert "Package: libc6" in status
    assert not (tmp_path / "was-run").exists()


def test_the_same_packages_are_the_same_bytes(deb, tmp_path):
    first, second = layer(deb, tmp_path / "one"), layer(deb, tmp_path / "two")
    assert first.read_bytes() == second.read_bytes()


def test_the_status_names_what_was_added_as_installed():
    merged = merge_status(BELOW, ["Package: libdemo\nVersion: 1.0\n", "Package: a\nVersion: 2\n"])
    assert merged == (
        "Package: libc6\nStatus: install ok installed\nVersion: 2.36\n\n"
        "Package: a\nStatus: install ok installed\nVersion: 2\n\n"
        "Package: libdemo\nStatus: install ok installed\nVersion: 1.0\n\n"
    )


@pytest.mark.parametrize(
    "path", ["usr/lib/pkgconfig/x.pc", "usr/share/aclocal/x.m4", "usr/share/doc/libx/copyright", "etc/x.conf"]
)
def test_keeps_what_a_build_reads(path):
    assert keep_in_layer(path)


@pytest.mark.parametrize(
    "path", ["usr/share/doc/libx/NEWS.gz", "usr/share/locale/de/x.mo", "var/cache/x", "run/x"]
)
def test_leaves_out_papers_and_what_changes(path):
    assert not keep_in_layer(path)
