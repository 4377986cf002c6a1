"""What belongs into a runtime base."""

import pytest

from runtime_images.merged_usr import merged_path
from worker.debian.runtime_base import keep_in_base


@pytest.mark.parametrize(
    "path",
    [
        "usr/lib/x86_64-linux-gnu/libc.so.6",
        "usr/lib/x86_64-linux-gnu/gconv/UTF-16.so",
        "usr/lib64/ld-linux-x86-64.so.2",
        "usr/lib/python3.11/os.py",
        "usr/lib/python3.11/unittest/case.py",
        "usr/lib/python3.11/lib-dynload/_ssl.cpython-311-x86_64-linux-gnu.so",
        "usr/lib/python3.11/_sysconfigdata__x86_64-linux-gnu.py",
        "usr/bin/python3.11",
        "usr/sbin/ldconfig",
        "usr/share/doc/libc6/copyright",
        "usr/share/doc/libstdc++6",
        "usr/share/zoneinfo/Europe/Berlin",
        "usr/share/common-licenses/GPL-3",
        "etc/services",
        "etc/os-release",
    ],
)
def test_keeps_what_a_program_needs_and_the_licences(path):
    assert keep_in_base(path)


@pytest.mark.parametrize(
    "path",
    [
        "usr/bin/dpkg",
        "usr/bin/pdb3.11",
        "usr/bin/sh",
        "usr/sbin/update-ca-certificates",
        "usr/share/doc/libc6/changelog.Debian.gz",
        "usr/share/man/man1/python.1.gz",
        "usr/share/zoneinfo/right/Europe/Berlin",
        "usr/lib/python3.11/test/test_os.py",
        "usr/lib/python3.11/ctypes/test/test_x.py",
        "usr/lib/python3.11/ensurepip/__init__.py",
        "usr/lib/python3.11/tkinter/__init__.py",
        "usr/lib/python3.11/lib2to3/pgen2/parse.py",
        "usr/lib/python3.11/idlelib/idle.py",
        "usr/lib/python3.11/config-3.11-x86_64-linux-gnu/Makefile",
        "usr/lib/python3.11/EXTERNALLY-MANAGED",
        "usr/lib/python3.11/lib-dynload/_testcapi.cpython-311-x86_64-linux-gnu.so",
        "usr/lib/python3.11/lib-dynload/nis.cpython-311-x86_64-linux-gnu.so",
        "usr/lib/x86_64-linux-gnu/gconv/EUC-JP.so",
        "etc/update-motd.d/10-uname",
        "var/lib/systemd/x",
    ],
)
def test_leaves_out_what_builds_administers_or_explains(path):
    assert not keep_in_base(path)


def test_packages_of_split_usr_lie_in_the_merged_one():
    assert merged_path("lib/x86_64-linux-gnu/libz.so.1") == "usr/lib/x86_64-linux-gnu/libz.so.1"
    assert merged_path("lib64/ld-linux-x86-64.so.2") == "usr/lib64/ld-linux-x86-64.so.2"
    assert merged_path("library/x") == "library/x"
    assert merged_path("usr/lib/x") == "usr/lib/x"
