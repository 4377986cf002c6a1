"""Native artifacts: checked, made even, laid into folders, found by tools."""

import io
import tarfile

import pytest

from wheelyard.digests import Digest
from wheelyard.errors import BuildFailed, ForeignOutputRefused, StoreUnavailable
from wheelyard.store.folder import FolderStore
from worker.native_check import check_archive
from worker.natives import lay_natives, mounts_of, native_variables


def archive(place, members, mtime=7):
    """A tar archive; a member is bytes, or a pair of a tar type and a link's target."""
    with tarfile.open(place, "w") as tar:
        for name, what in members.items():
            member = tarfile.TarInfo(name)
            member.mtime, member.uid = mtime, 1000
            if isinstance(what, bytes):
                member.size, member.mode = len(what), 0o4755
                tar.addfile(member, io.BytesIO(what))
            else:
                member.type, member.linkname = what
                tar.addfile(member)
    return place


GOOD = {
    "lib/libtally.so.1": b"elf",
    "lib/libtally.so": (tarfile.SYMTYPE, "libtally.so.1"),
    "share/doc/x": b"long",
}


def test_the_same_contents_are_the_same_bytes_without_what_is_left_out(tmp_path):
    made = []
    for number, members in enumerate((GOOD, dict(reversed(GOOD.items())))):
        raw = archive(tmp_path / f"raw-{number}", members, mtime=number)
        assert check_archive(raw, tmp_path / f"made-{number}", ["share/*"]) == 2
        made.append((tmp_path / f"made-{number}").read_bytes())
    assert made[0] == made[1]
    with tarfile.open(tmp_path / "made-0") as tar:
        assert tar.getnames() == ["lib/libtally.so", "lib/libtally.so.1"]
        assert {(member.uid, member.mode & 0o7000) for member in tar} == {(0, 0)}


@pytest.mark.parametrize(
    "bad",
    [
        {"../evil": b"x"},
        {"/etc/evil": b"x"},
        {"lib/evil.so": (tarfile.SYMTYPE, "/etc/passwd")},
        {"lib/evil.so": (tarfile.SYMTYPE, "../../../../etc/passwd")},
        {"lib/evil.so": (tarfile.LNKTYPE, "../../etc/passwd")},
        {"up": (tarfile.SYMTYPE, "lib/.."), "evil": (tarfile.SYMTYPE, "up/../../etc/passwd")},
    ],
)
def test_what_leads_out_of_it_is_refused(tmp_path, bad):
    raw = archive(tmp_path / "raw", {**GOOD, **bad})
    with pytest.raises(ForeignOutputRefused):
        check_archive(raw, tmp_path / "made", [])


def test_devices_are_left_out_and_what_is_empty_then_is_refused(tmp_path):
    raw = archive(tmp_path / "raw", {"dev/sda": (tarfile.BLKTYPE, ""), "lib": (tarfile.DIRTYPE, "")})
    with pytest.raises(BuildFailed, match="empty"):
        check_archive(raw, tmp_path / "made", [])


def test_a_file_with_holes_is_refused_before_it_fills_the_disk(tmp_path):
    claims = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(1 << 50)}
    with tarfile.open(tmp_path / "raw", "w", format=tarfile.PAX_FORMAT) as tar:
        member = tarfile.TarInfo("lib/huge")
        member.pax_headers, member.size = claims, 512
        tar.addfile(member, io.BytesIO(b"0\n".ljust(512, b"\0")))
    with pytest.raises(ForeignOutputRefused, match="holes"):
        check_archive(tmp_path / "raw", tmp_path / "made", [])


def test_the_python_of_debian_12_which_has_no_filters_of_tar_archives_will_do(tmp_path, monkeypatch):
    monkeypatch.delattr(tarfile, "data_filter")
    made = tmp_path / "made"
    assert check_archive(archive(tmp_path / "raw", GOOD), made, []) == 3
    store = FolderStore(tmp_path / "store")
    store.put_blob(made, Digest.of_file(made))
    lay_natives(store, {"tally": str(Digest.of_file(made))}, tmp_path / "natives")
    assert (tmp_path / "natives" / "tally" / "lib" / "libtally.so").read_bytes() == b"elf"


def test_what_is_no_archive_is_refused(tmp_path):
    (tmp_path / "raw").write_bytes(b"no archive at all")
    with pytest.raises(ForeignOutputRefused):
        check_archive(tmp_path / "raw", tmp_path / "made", [])


def test_a_build_finds_them_at_their_prefixes(tmp_path):
    store, folder = FolderStore(tmp_path / "store"), tmp_path / "in-natives"
    check_archive(archive(tmp_path / "raw", GOOD), tmp_path / "made", [])
    body = (tmp_path / "made").read_bytes()
    store.put_blob(body, Digest.of(body))
    for _ in range(2):
        lay_natives(store, {"tally": str(Digest.of(body))}, folder)
    assert (folder / "tally/lib/libtally.so").read_bytes() == b"elf"
    assert (folder / "tally/lib").stat().st_mode & 0o777 == 0o755
    assert dict(mounts_of(folder, ["tally"])) == {folder / "tally": "/opt/wheelyard/native/tally"}


def test_one_that_is_lost_says_what_to_do(tmp_path):
    with pytest.raises(StoreUnavailable) as error:
        lay_natives(FolderStore(tmp_path), {"tally": str(Digest.of(b"x"))}, tmp_path / "in")
    assert "ask for the build again" in error.value.do


def test_compilers_pkg_config_cmake_and_auditwheel_find_each_of_them():
    found = native_variables(["b", "a"])
    assert found["PKG_CONFIG_PATH"] == (
        "/opt/wheelyard/native/a/lib/pkgconfig:/opt/wheelyard/native/b/lib/pkgconfig"
    )
    assert found["LD_LIBRARY_PATH"].startswith("/opt/wheelyard/native/a/lib:")
    assert found["CMAKE_PREFIX_PATH"].endswith("/native/b")
    assert native_variables([]) == {}
