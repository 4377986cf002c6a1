"""Where a wheel is built that is only compared: nothing that a builder does not decide is as it was."""

from dataclasses import asdict

from worker.circumstances import ELSEWHERE, USUAL
from worker.inside.elsewhere import COMPILER


def test_every_circumstance_differs():
    usual, other = asdict(USUAL), asdict(ELSEWHERE)
    assert [name for name in usual if usual[name] == other[name]] == []
    assert USUAL.are_usual
    assert not ELSEWHERE.are_usual


def test_the_compiler_cache_makes_paths_relative_in_both():
    """It is empty elsewhere, and yet in the way of each compile: what it does to a path is done in both."""
    assert USUAL.environment == {"TZ": "UTC", "CCACHE_BASEDIR": "/build/src"}
    assert ELSEWHERE.environment == {"TZ": "XYZ-13:30", "CCACHE_BASEDIR": f"{ELSEWHERE.root}/src"}


def test_compilers_are_known_by_their_names():
    known = "gcc g++ cc c++ gcc-12 x86_64-linux-gnu-gcc-12 gfortran c99 clang++ rustc aarch64-linux-gnu-g++"
    other = "gcc-ar gcov gccgo cargo ccache cmake x86_64-linux-gnu-ar cc1 python3 c++filt gcc-nm-12"
    assert [name for name in known.split() if not COMPILER.fullmatch(name)] == []
    assert [name for name in other.split() if COMPILER.fullmatch(name)] == []
