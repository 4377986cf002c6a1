"""The check of sdists before a container sees them: what is hostile is refused, what is only old is not."""

from __future__ import annotations

import io
import tarfile
import zipfile

import pytest

from tests.distributions import metadata_of, sdist, sdist_members, tarred, zipped
from wheelyard.digests import Digest
from wheelyard.errors import ForeignOutputRefused, StoreUnavailable
from wheelyard.store.folder import FolderStore
from worker.checked_sdist import checked_sdist


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path / "store")


@pytest.fixture
def check(store, tmp_path):
    """Checks bytes as the sdist of demo 1.0."""

    def check_bytes(content, filename="demo-1.0.tar.gz", project="demo", version="1.0"):
        digest = Digest.of(content)
        store.put_blob(content, digest)
        checked_sdist(store, filename, digest, project=project, version=version, scratch=tmp_path)

    return check_bytes


def member(name, kind=tarfile.REGTYPE, link=""):
    one = tarfile.TarInfo(name)
    one.type, one.linkname = kind, link
    return one


def with_member(*args, content=b""):
    return tarred([*sdist_members(), (member(*args), content)])


HOSTILE = {
    "parent": (with_member("demo-1.0/../../evil.py"), "leaves the folder"),
    "absolute": (with_member("/etc/evil"), "leaves the folder"),
    "link out": (with_member("demo-1.0/link", tarfile.SYMTYPE, "../../etc/passwd"), "link leaves"),
    "absolute link": (with_member("demo-1.0/link", tarfile.SYMTYPE, "/etc/passwd"), "link leaves"),
    "hard link out": (with_member("demo-1.0/link", tarfile.LNKTYPE, "/etc/passwd"), "link leaves"),
    "hard link beside": (with_member("demo-1.0/link", tarfile.LNKTYPE, "other/x"), "link leaves"),
    "character device": (with_member("demo-1.0/null", tarfile.CHRTYPE), "no plain file"),
    "block device": (with_member("demo-1.0/disk", tarfile.BLKTYPE), "no plain file"),
    "fifo": (with_member("demo-1.0/pipe", tarfile.FIFOTYPE), "no plain file"),
    "two folders": (with_member("other/a.py"), "outside of its folder"),
    "no folder": (tarred([(member("setup.py"), b"")]), "outside of its folder"),
    "twice": (with_member("demo-1.0/demo.py", content=b"evil\n"), "twice"),
    "through a link": (
        tarred([*sdist_members(), (member("demo-1.0/d", tarfile.SYMTYPE, "."), b""),
                (member("demo-1.0/d/x"), b"")]), "a file and a folder",
    ),
    "no metadata": (tarred([one for one in sdist_members() if "PKG-INFO" not in one[0].name]), "missing"),
    "another project": (sdist(metadata=metadata_of("other", "1.0")), "names another"),
    "another version": (sdist(metadata=metadata_of("demo", "2.0")), "names another"),
    "a link as metadata": (
        tarred([*(one for one in sdist_members() if "PKG-INFO" not in one[0].name),
                (member("demo-1.0/PKG-INFO", tarfile.SYMTYPE, "demo.py"), b"")]), "PKG-INFO is missing",
    ),
    "bomb": (with_member("demo-1.0/zeros", content=b"\0" * (70 << 20)), "compression bomb"),
    "no archive": (b"not a gzip", "can't be read"),
    "cut off": (sdist()[:-20], "can't be read"),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_refuses_an_sdist_that_is(name, check):
    content, words = HOSTILE[name]
    with pytest.raises(ForeignOutputRefused, match=words) as raised:
        check(content)
    assert "demo-1.0.tar.gz was refused" in str(raised.value)


def test_refuses_a_zip_that_leaves_its_folder(check):
    for name, words in (("demo-1.0/../../x", "leaves"), ("other/x", "outside"), ("x", "outside")):
        packed = zipped([("demo-1.0/PKG-INFO", metadata_of("demo", "1.0")), (name, b"")])
        with pytest.raises(ForeignOutputRefused, match=words):
            check(packed, "demo-1.0.zip")


def test_takes_what_is_only_old(check):
    old = io.BytesIO()
    with tarfile.open(fileobj=old, mode="w:gz", format=tarfile.GNU_FORMAT) as pack:
        for name, content in (
            ("PyDemo-01.0/setup.py", b"x = 1\n"),
            ("PyDemo-01.0/PKG-INFO", b"Metadata-Version: 1.0\nName: Py.Demo\nVersion: 1\nSummary: UNKNOWN\n"),
            ("PyDemo-01.0/" + "long/" * 40 + "name.py", b""),
        ):
            one = member(name)
            one.size = len(content)
            pack.addfile(one, io.BytesIO(content))
        pack.addfile(member("PyDemo-01.0/link", tarfile.SYMTYPE, "long/../setup.py"))
        pack.addfile(member("PyDemo-01.0/hard", tarfile.LNKTYPE, "PyDemo-01.0/setup.py"))
    check(old.getvalue(), "Py.Demo-1.0.tar.gz", "py-demo", "1.0")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("PyDemo-1.0/", b"")
        archive.writestr("PyDemo-1.0/PKG-INFO", metadata_of("PyDemo", "1.0"))
    check(packed.getvalue(), "PyDemo-1.0.zip", "pydemo", "1.0")


def test_looks_once_at_each_sdist(check, store, tmp_path):
    good = sdist()
    check(good)
    store.delete_blob(Digest.of(good))
    checked_sdist(store, "demo-1.0.tar.gz", Digest.of(good), project="demo", version="1.0", scratch=tmp_path)
    with pytest.raises(StoreUnavailable):
        checked_sdist(
            store, "demo-2.0.tar.gz", Digest.of(good), project="demo", version="2.0", scratch=tmp_path
        )


def test_what_passed_as_one_project_does_not_pass_as_another(check):
    check(sdist())
    with pytest.raises(ForeignOutputRefused, match="names another"):
        check(sdist(), "other-1.0.tar.gz", "other")
