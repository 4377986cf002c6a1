"""Normalised archives: equal contents are equal bytes."""

import io
import tarfile

import pytest

from wheelyard.errors import ForeignOutputRefused
from worker.layer_tar import Entry, normalise_tar, pack_folder


def member(name, content=b"", **fields):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def archive(tmp_path, *members, name="in.tar"):
    place = tmp_path / name
    with tarfile.open(place, "w", format=tarfile.PAX_FORMAT) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return place


def normalised(source, **options):
    target = io.BytesIO()
    normalise_tar(source, target, **{"mtime": 7, **options})
    return target.getvalue()


def members_of(packed):
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        return {info.name: info for info in tar}


def read(packed, name):
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        return tar.extractfile(name).read()


def test_order_owner_and_time_of_the_source_do_not_matter(tmp_path):
    one = archive(
        tmp_path,
        member("./b", b"2", mtime=1, uid=5, uname="x"),
        member("./a", b"1", mtime=2),
        name="one.tar",
    )
    two = archive(tmp_path, member("a", b"1", mtime=3, gid=9), member("b", b"2", mtime=4), name="two.tar")
    assert normalised(one) == normalised(two)
    found = members_of(normalised(one))
    assert list(found) == ["a", "b"]
    assert {(info.mtime, info.uid, info.gid, info.uname) for info in found.values()} == {(7, 0, 0, "")}


def test_drops_set_uid_attributes_and_devices(tmp_path):
    source = archive(
        tmp_path,
        member("su", b"x", mode=0o4755, pax_headers={"SCHILY.xattr.security.capability": "x"}),
        member("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
        member("pipe", type=tarfile.FIFOTYPE),
        member("tmp", type=tarfile.DIRTYPE, mode=0o1777),
    )
    found = members_of(normalised(source))
    assert set(found) == {"su", "tmp"}
    assert found["su"].mode == 0o755
    assert found["su"].pax_headers == {}
    assert found["tmp"].mode == 0o1777


def test_a_hard_link_that_sorts_first_gets_the_bytes(tmp_path):
    source = archive(
        tmp_path,
        member("./z", b"content"),
        member("./a", type=tarfile.LNKTYPE, linkname="./z"),
        member("./m", type=tarfile.LNKTYPE, linkname="./z"),
    )
    packed = normalised(source)
    found = members_of(packed)
    assert found["a"].isreg()
    assert (found["m"].linkname, found["z"].linkname) == ("a", "a")
    assert [read(packed, name) for name in ("a", "m", "z")] == [b"content"] * 3


def test_a_hard_link_keeps_its_bytes_where_its_target_is_left_out(tmp_path):
    source = archive(
        tmp_path, member("gone", b"content"), member("kept", type=tarfile.LNKTYPE, linkname="gone")
    )
    packed = normalised(source, keep=lambda path: path != "gone")
    assert list(members_of(packed)) == ["kept"]
    assert read(packed, "kept") == b"content"


def test_entries_of_ours_win_and_are_sorted_in(tmp_path):
    source = archive(tmp_path, member("b", b"theirs"), member("c", b"c"))
    extra = [
        Entry(path="b", content=b"ours", mode=0o600),
        Entry(path="app", mode=0o755, owner=1000),
        Entry(path="link", link="b"),
    ]
    packed = normalised(source, extra=extra)
    found = members_of(packed)
    assert list(found) == ["app", "b", "c", "link"]
    assert read(packed, "b") == b"ours"
    assert (found["app"].uid, found["app"].isdir()) == (1000, True)
    assert found["link"].linkname == "b"


def test_puts_names_below_a_folder(tmp_path):
    source = archive(tmp_path, member("./x/y", b"1"))
    assert list(members_of(normalised(source, below="opt/tools"))) == ["opt/tools/x/y"]


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/passwd"])
def test_refuses_a_name_that_leads_out(tmp_path, name):
    with pytest.raises(ForeignOutputRefused):
        normalised(archive(tmp_path, member(name, b"x")))


def test_packs_a_folder_with_links_as_links(tmp_path):
    folder = tmp_path / "root"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "file").write_text("1")
    (folder / "link").symlink_to("sub")
    pack_folder(folder, tmp_path / "out.tar")
    with tarfile.open(tmp_path / "out.tar") as tar:
        assert sorted(tar.getnames()) == ["link", "sub", "sub/file"]
        assert tar.getmember("link").issym()
