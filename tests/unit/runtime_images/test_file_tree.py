"""Layers on each other: links, whiteouts, clashes."""

from __future__ import annotations

import pytest

from runtime_images.file_tree import FileTree
from wheelyard.errors import InputError


def tree_of(tars, members) -> FileTree:
    tree = FileTree()
    tree.add(tars.contents(members), "base")
    return tree


def test_follows_links_of_folders_and_files(tars):
    tree = tree_of(
        tars,
        {
            "lib": "usr/lib",
            "usr/lib/a.so.1": "a.so.1.2",
            "usr/lib/a.so.1.2": b"x",
            "usr/lib/b.so": "/etc/alternatives/b.so",
            "etc/alternatives/b.so": "../../usr/lib/a.so.1",
        },
    )
    assert tree.resolve("/lib/a.so.1") == "usr/lib/a.so.1.2"
    assert tree.trail("lib/b.so") == [
        "lib",
        "usr/lib/b.so",
        "etc/alternatives/b.so",
        "usr/lib/a.so.1",
        "usr/lib/a.so.1.2",
    ]


def test_what_leads_nowhere_or_round_and_round_is_nothing(tars):
    tree = tree_of(tars, {"a": "b", "b": "a", "c": "missing"})
    assert tree.resolve("a") is None
    assert tree.resolve("c") is None
    assert tree.resolve("d") is None


def test_two_owners_of_one_path_are_named(tars):
    tree = FileTree()
    tree.add(tars.contents({"usr/cv2/__init__.py": b"1"}), "opencv-python 4")
    with pytest.raises(InputError) as clash:
        tree.add(tars.contents({"usr/cv2/__init__.py": b"2"}), "opencv-python-headless 4")
    assert "opencv-python 4 and opencv-python-headless 4" in str(clash.value)
    assert clash.value.facts["path"] == "usr/cv2/__init__.py"


def test_a_folder_over_a_link_is_a_clash(tars):
    tree = tree_of(tars, {"usr/local/man": "share/man"})
    with pytest.raises(InputError):
        tree.add(tars.contents({"usr/local/man": None, "usr/local/man/x": b""}), "demo")


def test_a_file_over_a_folder_of_the_base_is_a_clash(tars):
    tree = FileTree()
    tree.lay(tars.contents({"usr/share/demo": None, "usr/share/demo/x": b""}), "debian")
    with pytest.raises(InputError, match="a layer below and demo both bring /usr/share/demo,"):
        tree.add(tars.contents({"usr/share/demo": b"file"}), "demo")


def test_the_very_same_file_twice_is_no_clash(tars):
    tree = FileTree()
    tree.add(tars.contents({"site/google": None, "site/google/__init__.py": b"same"}), "first")
    tree.add(tars.contents({"site/google": None, "site/google/__init__.py": b"same"}), "second")
    assert tree.owner("site/google/__init__.py") == "first"


def test_the_same_bytes_with_another_mode_are_a_clash(tars):
    tree = tree_of(tars, {"x": b"1"})
    with pytest.raises(InputError):
        tree.add(tars.contents({"x": b"1"}, modes={"x": 0o755}), "other")


def test_an_upper_layer_wins_and_its_whiteouts_delete(tars):
    tree = FileTree()
    tree.lay(tars.contents({"a/x": b"1", "a/y": b"2", "b/z": b"3"}))
    tree.lay(tars.contents({"a/.wh.x": b"", "b/.wh..wh..opq": b"", "b/new": b"4"}))
    assert sorted(path for path, _ in tree.items()) == ["a/y", "b/new"]


@pytest.mark.parametrize("over", ["usr/lib64", b"a file"])
def test_a_link_or_file_over_a_folder_hides_what_lay_below_it(tars, over):
    tree = FileTree()
    tree.lay(tars.contents({"lib64": None, "lib64/a": b"1", "opt/deep/down/b": b"2", "opt2/c": b"3"}))
    tree.lay(tars.contents({"lib64": over, "opt": over}))
    assert sorted(path for path, _ in tree.items()) == ["lib64", "opt", "opt2/c"]


def test_a_whiteout_spares_what_its_own_layer_holds_in_whatever_order(tars):
    tree = FileTree()
    tree.lay(tars.contents({"a/x": b"1", "b/old": b"2", "b/c/d": b"3"}))
    tree.lay(tars.contents({"a/x": b"4", "a/.wh.x": b"", "b/c/new": b"5", ".wh.b": b""}))
    assert sorted(path for path, _ in tree.items()) == ["a/x", "b/c/new"]


def test_many_whiteouts_go_through_the_entries_once(tars):
    class Counting(dict):
        passes = 0

        def __iter__(self):
            self.passes += 1
            return super().__iter__()

    tree = FileTree()
    tree._entries = entries = Counting()
    tree.lay(tars.contents({f"a/{number}/x": b"" for number in range(50)}))
    tree.lay(tars.contents({f"a/.wh.{number}": b"" for number in range(50)}))
    assert dict(entries.items()) == {}
    assert entries.passes == 1
