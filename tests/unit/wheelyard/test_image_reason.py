"""Why something is in an image, and what a slimmer variant would save."""

from __future__ import annotations

import pytest

from tests.unit.wheelyard.test_image_policy import receipt
from wheelyard.errors import NotFound
from wheelyard.image_reason import explain
from wheelyard.image_receipt import ElfFile, Part, PartKind, Reach
from wheelyard.listed_files import ListedFile
from wheelyard.lone_files import advise

OPENCV, NUMPY, MESA, LLVM, ZLIB = (
    Part(kind=kind, name=name, version="1", requires=requires, unpacked=1)
    for kind, name, requires in (
        (PartKind.WHEEL, "opencv-python", ("numpy",)),
        (PartKind.WHEEL, "numpy", ()),
        (PartKind.PACKAGE, "libgl1", ()),
        (PartKind.PACKAGE, "libllvm", ()),
        (PartKind.PACKAGE, "zlib1g", ()),
    )
)


def elf(path, part, needs=(), reach=Reach.NEEDED, by=""):
    name = path.rpartition("/")[2]
    soname = "" if reach is Reach.IMPORTED else name
    return ElfFile(path=path, owner=part.title, size=100, soname=soname, needs=needs, reach=reach, by=by)


ELVES = (
    elf("/cv2.so", OPENCV, (("libGL.so.1", "/libGL.so.1"), ("libz.so.1", "/libz.so.1")), Reach.IMPORTED),
    elf("/np.so", NUMPY, (("libz.so.1", "/libz.so.1"),), Reach.IMPORTED),
    elf("/libGL.so.1", MESA, (("libLLVM.so.14", "/libLLVM.so.14"),)),
    elf("/libLLVM.so.14", LLVM),
    elf("/libz.so.1", ZLIB),
    elf("/libmesa_dri.so", MESA, (), Reach.MENTIONED, by="/libGL.so.1"),
)
RECEIPT = receipt(parts=(OPENCV, NUMPY, MESA, LLVM, ZLIB), elves=ELVES)
FILES = [
    ListedFile(path="/notes.txt", owner="numpy 1", mode=0o644, size=3, digest="a"),
    ListedFile(path="/libz.so", owner="zlib1g 1", mode=0o777, size=0, digest="-> libz.so.1"),
    ListedFile(path="/libz.so.1", owner="zlib1g 1", mode=0o644, size=100, digest="b"),
]


def test_the_chain_goes_from_the_wheel_over_each_soname():
    (reason,) = explain(RECEIPT, FILES, "libLLVM")
    (chain,) = reason.chains
    assert [(step.path, step.soname, step.how) for step in chain] == [
        ("/cv2.so", "", ""),
        ("/libGL.so.1", "libGL.so.1", "needs"),
        ("/libLLVM.so.14", "libLLVM.so.14", "needs"),
    ]
    assert chain[0].owner == "opencv-python 1"


def test_each_wheel_that_leads_there_has_its_shortest_chain():
    (reason,) = explain(RECEIPT, FILES, "libz.so.1")
    assert [chain[0].owner for chain in reason.chains] == ["numpy 1", "opencv-python 1"]


def test_a_link_leads_to_its_file_and_a_mention_is_told_from_a_need():
    (reason,) = explain(RECEIPT, FILES, "/libz.so")
    assert reason.title == "/libz.so.1"
    (reason,) = explain(RECEIPT, FILES, "libmesa_dri")
    assert (reason.reach, reason.chains[0][-1].how) == ("mentioned", "mentions")


def test_a_project_is_there_for_who_requires_it_and_a_file_for_its_project():
    (reason,) = explain(RECEIPT, FILES, "NumPy")
    assert reason.required_by == (("opencv-python 1", "numpy 1"),)
    (reason,) = explain(RECEIPT, FILES, "/notes.txt")
    assert (reason.kind, reason.owner) == ("file", "numpy 1")


@pytest.mark.parametrize("asked", ["", "nothing", "/nowhere"])
def test_what_is_not_there_is_not_found(asked):
    with pytest.raises(NotFound):
        explain(RECEIPT, FILES, asked)


def test_a_slimmer_variant_saves_what_only_the_other_one_loads():
    (advice,) = advise(RECEIPT, {"opencv-python-headless": ("opencv-python-headless 4.12", ("libz.so.1",))})
    assert advice.packages == ("libgl1 1", "libllvm 1")
    assert advice.size == 200
    assert advice.text.startswith(
        "use opencv-python-headless 4.12 instead of opencv-python 1: 2 packages and"
    )


def test_nothing_is_said_of_a_variant_whose_needs_are_not_known_or_the_same():
    assert advise(RECEIPT, {}) == ()
    assert advise(RECEIPT, {"opencv-python-headless": ("x 1", ("libGL.so.1", "libz.so.1"))}) == ()
