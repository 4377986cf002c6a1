"""Foreign tars become layers only when each member is harmless, and equal content becomes equal bytes."""

from __future__ import annotations

import io
import tarfile

import pytest

from runtime_images.tar_layer import NewMember, TarRules, normalise_tar, write_layer_tar
from wheelyard.errors import ForeignOutputRefused, InputError

RULES = TarRules(origin="the layer of demo 1.0")


def normalised(path, rules=RULES, extra=()) -> bytes:
    out = io.BytesIO()
    normalise_tar(path, out, rules, extra)
    return out.getvalue()


def members(body: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        return {member.name: member for member in tar}


def test_order_times_owners_and_spelling_make_no_difference(tars):
    first = tars.write({"a": None, "a/x": b"1", "a/y": b"2", "b": b"3"})
    second = tars.write({"./b": b"3", "./a/y": b"2", "./a/x": b"1"})
    assert normalised(first) == normalised(second)


def test_members_are_sorted_by_folder_with_epoch_root_and_plain_modes(tars):
    body = normalised(
        tars.write({"b/run": b"#!", "b-c": b"", "b/l": "run"}, modes={"b/run": 0o700, "b-c": 0o600})
    )
    found = members(body)
    assert list(found) == ["b", "b/l", "b/run", "b-c"]
    assert {(m.uid, m.gid, m.mtime, m.uname, m.gname) for m in found.values()} == {(0, 0, 0, "", "")}
    assert (found["b"].mode, found["b/run"].mode, found["b-c"].mode) == (0o755, 0o755, 0o644)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("/etc/passwd", "absolute"),
        ("../etc/passwd", "`..`"),
        ("a/../../b", "`..`"),
        ("a/.wh.b", "delete"),
        (".wh..wh..opq", "delete"),
        ("a\nb", "control"),
        ("x" * 256, "too long"),
    ],
)
def test_refuses_a_name(tars, name, why):
    with pytest.raises(ForeignOutputRefused) as refusal:
        normalised(tars.write({name: b"x"}))
    assert why in refusal.value.found
    assert "the layer of demo 1.0" in refusal.value.failed


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.LNKTYPE])
def test_refuses_devices_pipes_and_hard_links(tars, kind):
    entry = tarfile.TarInfo("thing")
    entry.type, entry.linkname = kind, "other"
    with pytest.raises(ForeignOutputRefused) as refusal:
        normalised(tars.raw(entry))
    assert "neither a file" in refusal.value.found


@pytest.mark.parametrize("mode", [0o4755, 0o2755])
def test_refuses_setuid_and_setgid_files(tars, mode):
    with pytest.raises(ForeignOutputRefused) as refusal:
        normalised(tars.write({"su": b""}, modes={"su": mode}))
    assert "setuid" in refusal.value.found


def test_a_setgid_folder_loses_its_bit(tars):
    assert members(normalised(tars.write({"d": None}, modes={"d": 0o2775})))["d"].mode == 0o755


@pytest.mark.parametrize(
    "links",
    [
        {"l": "/etc/passwd"},
        {"l": "../x"},
        {"a/l": "../../x"},
        {"a/b/up": "..", "l": "a/b/up/../../x"},
        {"l": "l"},
        {"a": "b", "b": "a"},
        {"l": ""},
    ],
)
def test_refuses_links_that_leave_or_never_end(tars, links):
    with pytest.raises(ForeignOutputRefused):
        normalised(tars.write(links))


def test_links_that_stay_inside_pass(tars):
    found = members(normalised(tars.write({"a/l": "../b/file", "b/file": b"", "dangling": "not/there"})))
    assert found["a/l"].linkname == "../b/file"


def test_a_link_may_not_leave_the_place_of_its_tar(tars):
    rules = TarRules(origin="the application", place="app", failure=InputError)
    assert "app/inner" in members(normalised(tars.write({"inner": "x"}), rules))
    with pytest.raises(InputError):
        normalised(tars.write({"outer": "../usr/bin/python3"}), rules)


def test_refuses_a_path_below_a_link(tars):
    with pytest.raises(ForeignOutputRefused) as refusal:
        normalised(tars.write({"l": "d", "d": None, "l/x": b""}))
    assert "below a link" in refusal.value.found


def test_a_folder_that_is_added_and_comes_too_is_the_same_folder(tars):
    added = [NewMember(path="app/src", kind=tarfile.DIRTYPE)]
    rules = TarRules(origin="the application", place="app")
    both = normalised(tars.write({"src": None, "src/main.py": b""}), rules, added)
    assert both == normalised(tars.write({"src/main.py": b""}), rules)
    with pytest.raises(ForeignOutputRefused, match="must not"):
        normalised(tars.write({"src": b"a file"}), rules, added)


def test_refuses_a_path_that_comes_twice(tars):
    with pytest.raises(ForeignOutputRefused) as refusal:
        normalised(tars.write({"a": b"1", "./a": b"2"}))
    assert "twice" in refusal.value.found


def test_refuses_what_is_outside_the_folders_that_are_allowed(tars):
    rules = TarRules(origin="the layer", within=("usr/local",))
    assert "usr/local/x" in members(normalised(tars.write({"usr": None, "usr/local/x": b""}), rules))
    for path in ("usr/bin/python3", "usr/localx", "etc"):
        with pytest.raises(ForeignOutputRefused):
            normalised(tars.write({path: b""}), rules)


def test_refuses_a_tar_that_breaks_off(tars, tmp_path):
    whole = tars.write({"a": b"x" * 3000, "b": b"y" * 3000}).read_bytes()
    cut = tmp_path / "cut.tar"
    for length in (700, 4096, 4100, 6000):
        cut.write_bytes(whole[:length])
        with pytest.raises(ForeignOutputRefused):
            normalised(cut)


def test_refuses_a_tar_with_a_broken_header_in_the_middle(tars, tmp_path):
    whole = bytearray(tars.write({"a": b"x" * 512, "b": b"y" * 512}).read_bytes())
    whole[1024:1030] = b"broken"
    broken = tmp_path / "broken.tar"
    broken.write_bytes(whole)
    with pytest.raises(ForeignOutputRefused):
        normalised(broken)


def test_names_beyond_ascii_and_a_hundred_letters_pass(tars):
    long = "/".join(["ordner-ü"] * 30)
    assert long in members(normalised(tars.write({long: b"x"})))


def test_writes_every_folder_on_the_way_once():
    out = io.BytesIO()
    write_layer_tar(out, [NewMember(path=f"a/b/{name}", kind=tarfile.SYMTYPE, target="x") for name in "cd"])
    assert list(members(out.getvalue())) == ["a", "a/b", "a/b/c", "a/b/d"]
