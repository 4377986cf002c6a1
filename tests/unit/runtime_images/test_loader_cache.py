"""The loader's cache: what ldconfig would write for the same files, and what it reads of ours."""

from __future__ import annotations

import itertools
import platform
import random
import shutil
import subprocess

import pytest

from runtime_images.file_tree import FileTree
from runtime_images.layer_contents import LayerContents, read_contents
from runtime_images.library_search import find_by_cache
from runtime_images.loader_cache import compare_names, find_libraries, make_cache, read_cache, write_cache

MACHINE = platform.machine()
TRIPLET = f"{MACHINE}-linux-gnu"
LIB = f"usr/lib/{TRIPLET}"
LDCONFIG = shutil.which("ldconfig", path="/sbin:/usr/sbin")

needs_ldconfig = pytest.mark.skipif(LDCONFIG is None, reason="ldconfig is part of glibc's own systems")


@pytest.fixture
def members(linker):
    """Libraries in all the ways in which packages have them."""
    return {
        "lib": "usr/lib",
        "etc/ld.so.conf": f"/usr/local/lib\n/usr/local/lib/{TRIPLET}\n/{LIB}\n/lib/{TRIPLET}\n".encode(),
        f"{LIB}/libz.so.1": "libz.so.1.2.13",
        f"{LIB}/libz.so.1.2.13": linker.library("libz.so.1"),
        f"{LIB}/libz.so": "libz.so.1",
        f"{LIB}/libcurl.so.4.8.0": linker.library("libcurl.so.4"),
        f"{LIB}/libcurl.so.4": "libcurl.so.4.8.0",
        f"{LIB}/libplain.so": linker.library(""),
        f"{LIB}/libbfd-2.40-system.so": linker.library("libbfd-2.40-system.so"),
        f"{LIB}/libdangling.so.1": "libnothing.so.1.0",
        f"{LIB}/libtext.so.1": b"GROUP ( libz.so.1 )",
        f"{LIB}/notalib.so.1": linker.library("notalib.so.1"),
        f"{LIB}/blas/libblas.so.3": linker.library("libblas.so.3"),
        f"{LIB}/libblas.so.3": f"/{LIB}/blas/libblas.so.3",
        "usr/local/lib/libav.so.59.1": linker.library("libav.so.59"),
        "usr/local/lib/libav.so.59": "libav.so.59.1",
        "usr/local/lib/libz.so.1": linker.library("libz.so.1"),
        "usr/lib/libold.so.2": linker.library("libold.so.2"),
    }


def read_tree(tars, members):
    contents = read_contents(tars.write(members))
    tree = FileTree()
    tree.add(contents, "image")
    return tree, contents.elves


def printed(*arguments: str) -> list[tuple[str, str]]:
    """Soname and path, as ldconfig prints a cache."""
    done = subprocess.run([LDCONFIG, *arguments], capture_output=True, text=True, check=True, timeout=60)
    lines = (line.strip() for line in done.stdout.splitlines() if "=>" in line)
    return [(line.split(" ")[0], line.rpartition("=> ")[2]) for line in lines]


@needs_ldconfig
def test_ldconfig_reads_our_cache_as_we_wrote_it(tars, members, tmp_path):
    tree, elves = read_tree(tars, members)
    (tmp_path / "cache").write_bytes(make_cache(tree, elves, MACHINE))
    assert sorted(printed("-p", "-C", str(tmp_path / "cache"))) == sorted(
        find_libraries(tree, elves, MACHINE)
    )


ELSEWHERE = {
    "one folder more": {"etc/ld.so.conf": b"/opt/cuda/lib64\n"},
    "what is included": {
        "etc/ld.so.conf": b"include /etc/ld.so.conf.d/*.conf # \ninclude ld.so.conf.d/*.no\n/usr/local/lib",
        "etc/ld.so.conf.d/b.conf": b"# own\n  /opt/cuda/lib64/  # with a slash\n\nhwcap 0 nosegneg\n",
        "etc/ld.so.conf.d/a.conf": b"include more/*.conf\ninclude b.conf\n/opt/first",
        "etc/ld.so.conf.d/c.txt": b"/opt/never",
    },
    "nothing": {"etc/ld.so.conf": b""},
}


@needs_ldconfig
@pytest.mark.parametrize("conf", [{}, *ELSEWHERE.values()], ids=["Debian's", *ELSEWHERE])
def test_it_holds_what_ldconfig_itself_finds_in_the_same_files(tars, members, linker, conf, tmp_path):
    members |= conf | {
        "opt/cuda/lib64/libcudart.so.13": linker.library("libcudart.so.13"),
        "opt/first/libz.so.1": linker.library("libz.so.1"),
        "opt/never/libnever.so.1": linker.library("libnever.so.1"),
    }
    root = tmp_path / "root"
    root.mkdir()
    tar = tars.write(members)
    subprocess.run(["tar", "--extract", "--file", str(tar), "--directory", str(root)], check=True, timeout=60)
    made = ["unshare", "--map-root-user", LDCONFIG, "-X", "-r", str(root)]
    subprocess.run(made, check=True, capture_output=True, timeout=60)
    theirs = read_cache((root / "etc/ld.so.cache").read_bytes())
    tree, elves = read_tree(tars, members)
    ours = read_cache(make_cache(tree, elves, MACHINE))
    assert {name: real(path) for name, path in reversed(ours)} == {
        name: real(path) for name, path in reversed(theirs)
    }
    assert len(ours) == len(theirs)


def real(path: str) -> str:
    """`/lib` is a link to `/usr/lib`, and ldconfig takes whichever its configuration names first."""
    return f"/usr{path}" if path.startswith("/lib/") else path


def test_of_two_libraries_of_one_name_the_nearer_folder_s_comes_first(tars, members):
    tree, elves = read_tree(tars, members)
    found = [path for name, path in read_cache(make_cache(tree, elves, MACHINE)) if name == "libz.so.1"]
    assert found == ["/usr/local/lib/libz.so.1", f"/{LIB}/libz.so.1"]


def test_contents_are_kept_with_the_configuration_and_read_from_before_there_was_one(tars, members):
    contents = tars.contents(members)
    assert contents.loader_conf == {"etc/ld.so.conf": members["etc/ld.so.conf"].decode()}
    document = contents.to_document()
    assert LayerContents.from_document(document) == contents
    del document["loader_conf"]
    assert LayerContents.from_document(document).loader_conf == {}
    assert "loader_conf" not in LayerContents().to_document()


def test_a_layer_on_top_changes_the_loader_s_configuration(tars, members, linker):
    tree, _ = read_tree(tars, members | {"opt/x/libx.so.1": linker.library("libx.so.1")})
    assert find_by_cache(tree, "libx.so.1", MACHINE) is None
    tree.lay(tars.contents({"etc/ld.so.conf": b"/opt/x\n"}), "on top")
    assert find_by_cache(tree, "libx.so.1", MACHINE) == "opt/x/libx.so.1"
    tree.lay(tars.contents({"etc/.wh.ld.so.conf": b""}), "without")
    assert find_by_cache(tree, "libx.so.1", MACHINE) is None


def test_entries_are_in_the_order_of_the_loader_s_search():
    names = [
        "libz.so.1",
        "libz.so.10",
        "libz.so.9",
        "libz.so",
        "liba.so.1",
        "libz3.so.4",
        "lib-x.so",
        "libzz.so",
    ]
    random.Random(1).shuffle(names)
    order = [name for name, _ in read_cache(write_cache([(name, f"/{name}") for name in names], MACHINE))]
    assert order.index("libz.so.10") < order.index("libz.so.9") < order.index("libz.so.1")
    assert order.index("libz3.so.4") < order.index("libzz.so"), "a digit goes after a letter, from behind"
    assert all(compare_names(a, b) > 0 for a, b in itertools.pairwise(order))


def test_a_file_of_another_format_has_no_entries():
    assert read_cache(b"ld.so-1.7.0" + bytes(100)) == []
