"""What an sdist must be before it is shown."""

from __future__ import annotations

import gzip
import io
import tarfile
import tracemalloc
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.distributions import metadata_of, sdist, sdist_members, tarred, zipped
from wheelyard.distributions.refusal import SizeLimits
from wheelyard.distributions.sdist_file import check_sdist_file
from wheelyard.errors import ForeignOutputRefused

NAME = "demo-1.0.tar.gz"
LIMITS = SizeLimits.of(1 << 20)


def check(folder, content, name=NAME, limits=LIMITS):
    path = folder / name
    path.write_bytes(content)
    return check_sdist_file(path, limits)


def refused(folder, content, words, name=NAME, limits=LIMITS):
    with pytest.raises(ForeignOutputRefused) as caught:
        check(folder, content, name, limits)
    assert words in str(caught.value)
    assert f"the sdist {name}" in str(caught.value)


def member(name, kind=tarfile.REGTYPE, link="", mode=0o644):
    one = tarfile.TarInfo(name)
    one.type, one.linkname, one.mode = kind, link, mode
    return one


def with_member(*args, content=b"", **kwargs):
    return tarred([*sdist_members(), (member(*args, **kwargs), content)])


def test_takes_a_true_sdist_in_either_form(tmp_path):
    checked = check(tmp_path, sdist())
    assert (checked.project, checked.version, checked.metadata) == ("demo", "1.0", metadata_of("demo", "1.0"))
    packed = zipped([(f"demo-1.0/{name}", content) for name, content in (
        ("PKG-INFO", metadata_of("demo", "1.0")), ("demo.py", b"x = 1\n"), ("folder/", b""),
    )])  # fmt: skip
    assert check(tmp_path, packed, "demo-1.0.zip").project == "demo"


def test_takes_links_that_stay_inside_and_long_names(tmp_path):
    long = "demo-1.0/" + "folder/" * 30 + "é.py"
    for args in (("demo-1.0/a/link", tarfile.SYMTYPE, "../demo.py"),
                 ("demo-1.0/link", tarfile.LNKTYPE, "demo-1.0/demo.py"), (long,)):  # fmt: skip
        assert check(tmp_path, with_member(*args)).version == "1.0"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("demo-1.0/../../evil",), "leaves the folder"),
        (("/etc/evil",), "leaves the folder"),
        (("demo-1.0/a\\b",), "leaves the folder"),
        (("other/a.py",), "outside of its folder"),
        (("demo-1.0/demo.py",), "twice"),
        (("demo-1.0/demo.py/x",), "file and a folder"),
        (("demo-1.0/link", tarfile.SYMTYPE, "../../etc/passwd"), "link leaves the folder"),
        (("demo-1.0/link", tarfile.SYMTYPE, "/etc/passwd"), "link leaves the folder"),
        (("demo-1.0/link", tarfile.SYMTYPE, ".."), "link leaves the folder"),
        (("demo-1.0/link", tarfile.LNKTYPE, "/etc/passwd"), "link leaves the folder"),
        (("demo-1.0/link", tarfile.LNKTYPE, "demo.py"), "link leaves the folder"),
        (("demo-1.0/null", tarfile.CHRTYPE), "no plain file"),
        (("demo-1.0/disk", tarfile.BLKTYPE), "no plain file"),
        (("demo-1.0/pipe", tarfile.FIFOTYPE), "no plain file"),
        (("demo-1.0/what", b"Q"), "no plain file"),
    ],
)
def test_refuses_members_that_are_no_plain_ones(tmp_path, args, words):
    refused(tmp_path, with_member(*args), words)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Demo-1.0.tar.gz", "PEP 625"), ("demo-1.0.0.tar.gz", "outside"),
        ("demo-01.0.tar.gz", "PEP 625"), ("de.mo-1.0.tar.gz", "PEP 625"), ("demo.tar.gz", "PEP 625"),
        ("demo-1.0.tgz", "PEP 625"), ("demo-one.tar.gz", "PEP 625"), ("other-1.0.tar.gz", "outside"),
    ],
)  # fmt: skip
def test_refuses_names_that_are_not_normalised(tmp_path, name, words):
    refused(tmp_path, sdist(), words, name)


def test_refuses_metadata_that_is_missing_or_another_ones(tmp_path):
    refused(
        tmp_path, tarred([m for m in sdist_members() if "PKG-INFO" not in m[0].name]), "PKG-INFO is missing"
    )
    refused(tmp_path, sdist(metadata=metadata_of("demo", "2.0")), "PKG-INFO names another")
    refused(tmp_path, sdist(metadata=metadata_of("other", "1.0")), "PKG-INFO names another")
    refused(tmp_path, sdist(metadata=b"Name: demo\n"), "Name and Version once")
    refused(tmp_path, sdist(metadata=b"Name: demo\nName: demo\nVersion: 1.0\n"), "Name and Version once")
    refused(tmp_path, sdist(metadata=b"Name: de mo\nVersion: 1.0\n"), "PEP 508")
    refused(tmp_path, sdist(metadata=b"Name: demo\nVersion: one\n"), "PEP 440")


def test_refuses_bytes_that_other_readers_would_find(tmp_path):
    good = sdist()
    plain = gzip.decompress(good)
    refused(tmp_path, good + b"more", "bytes after its end")
    refused(tmp_path, good + good, "bytes after its end")
    refused(tmp_path, gzip.compress(plain + b"more"), "bytes after its end")
    refused(tmp_path, gzip.compress(plain.rstrip(b"\0") + b"\0" * 2000 + plain), "bytes after its end")
    # A header with a wrong checksum ends the archive for some readers only.
    last = plain.rfind(b"demo-1.0/demo.py")
    refused(tmp_path, gzip.compress(plain[:last] + b"X" + plain[last + 1 :]), "")


def test_refuses_what_can_not_be_read(tmp_path):
    for content in (b"", b"not a gzip", sdist()[:-4], sdist()[:60], gzip.compress(b"x" * 5000)):
        refused(tmp_path, content, "it can't be read")
    refused(tmp_path, gzip.compress(b""), "")
    refused(tmp_path, b"not a zip", "it can't be read", "demo-1.0.zip")


def test_refuses_bombs_within_bounded_memory(tmp_path):
    zeros = with_member("demo-1.0/zeros", content=b"\0" * (70 << 20))
    refused(tmp_path, zeros, "compression bomb", limits=SizeLimits(packed=1 << 20, unpacked=1 << 30))
    tracemalloc.start()
    refused(tmp_path, zeros, "too large unpacked")
    refused(tmp_path, sdist(), "too many members", limits=SizeLimits(packed=9999, unpacked=99999, members=2))
    refused(tmp_path, sdist(), "too large", limits=SizeLimits.of(100))
    assert tracemalloc.get_traced_memory()[1] < 12 << 20
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ([("other/PKG-INFO", b"x")], "outside of its folder"),
        ([("demo-1.0", b"x")], "outside of its folder"),
        ([("demo-1.0/../../x", b"x")], "leaves the folder"),
        ([("demo-1.0/x", b"x")], "PKG-INFO is missing"),
    ],
)
def test_refuses_zips_that_are_no_sdists(tmp_path, members, words):
    refused(tmp_path, zipped(members), words, "demo-1.0.zip")


GOOD = gzip.decompress(sdist())


@settings(max_examples=200)
@given(
    st.lists(
        st.tuples(st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=12)), min_size=1, max_size=3
    )
)
def test_a_changed_sdist_is_refused_or_the_same_to_tarfile(tmp_path_factory, changes):
    content = bytearray(GOOD)
    for at, piece in changes:
        content[at : at + len(piece)] = piece
    folder = tmp_path_factory.mktemp("sdist")
    try:
        checked = check(folder, gzip.compress(bytes(content), 1))
    except ForeignOutputRefused:
        return
    with tarfile.open(fileobj=io.BytesIO(bytes(content))) as pack:
        assert all(name == "demo-1.0" or name.startswith("demo-1.0/") for name in pack.getnames())
        assert pack.extractfile("demo-1.0/PKG-INFO").read() == checked.metadata
        pack.extractall(folder / "out", filter="data")


def test_a_zip_is_no_tar(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as pack:
        pack.writestr("demo-1.0/PKG-INFO", metadata_of("demo", "1.0"))
    refused(tmp_path, (tmp_path / "a.zip").read_bytes(), "it can't be read")
