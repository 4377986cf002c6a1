"""The archive's lists: which package brings a shared library."""

import gzip

import pytest

from worker.debian.contents import DebianContents

LINES = """\
usr/lib/x86_64-linux-gnu/libGL.so.1                     libs/libgl1
usr/lib/x86_64-linux-gnu/primus/libGL.so.1              contrib/libs/primus-libs
usr/lib/x86_64-linux-gnu/libGL.so.1.7.0                 libs/libgl1
usr/share/doc/libGL.so.1                                doc/not-a-library
lib/x86_64-linux-gnu/libz.so.1                          libs/zlib1g
usr/lib/x86_64-linux-gnu/with space/libodd.so.2         libs/libodd2,libs/libodd2-alt
"""


@pytest.fixture
def contents(tmp_path) -> DebianContents:
    with gzip.open(tmp_path / "bookworm-Contents-amd64.gz", "wt") as stream:
        stream.write(LINES)
    return DebianContents("http://mirror.invalid/debian", "bookworm", tmp_path)


def test_the_package_with_the_library_nearest_to_the_loader_s_folders_is_first(contents):
    found = contents.library_packages({"libGL.so.1", "libz.so.1"})
    assert found == {"libGL.so.1": ("libgl1", "primus-libs"), "libz.so.1": ("zlib1g",)}


def test_a_path_with_spaces_and_two_packages_is_read_whole(contents):
    assert contents.library_packages({"libodd.so.2"}) == {"libodd.so.2": ("libodd2", "libodd2-alt")}


def test_a_library_that_no_package_has_is_left_out(contents):
    assert contents.library_packages({"libnowhere.so.9"}) == {}
