"""A wheel that claims the stable ABI is looked at by abi3audit; what breaks the claim is named."""

import importlib.util
from pathlib import Path

import pytest

from tests.distributions import wheel_members, zipped
from wheelyard.errors import ForeignOutputRefused
from worker.stable_abi import check_stable_abi

ABI = "demo-1.0-cp39-abi3-manylinux_2_36_x86_64.whl"


def written(folder: Path, name: str, library: bytes | None = None) -> Path:
    path = folder / name
    members = {} if library is None else {"demo/_demo.abi3.so": library}
    path.write_bytes(zipped(wheel_members(members=members).items()))
    return path


def own_extension() -> bytes:
    """An extension of this interpreter's own, which is of no stable ABI."""
    for module in ("_decimal", "_ctypes", "_elementtree", "_ssl", "_sqlite3"):
        spec = importlib.util.find_spec(module)
        if spec is not None and spec.origin and spec.origin.endswith(".so"):
            return Path(spec.origin).read_bytes()
    pytest.skip("this Python has its extensions built in")


def test_a_symbol_that_is_no_part_of_the_claimed_abi_is_named(tmp_path):
    with pytest.raises(ForeignOutputRefused) as caught:
        check_stable_abi(written(tmp_path, ABI, own_extension()), tmp_path)
    assert "breaks the stable ABI" in caught.value.failed
    assert "_demo.abi3.so: " in caught.value.found
    assert "is no part of it" in caught.value.found


def test_one_that_claims_one_python_is_not_asked(tmp_path):
    check_stable_abi(written(tmp_path, ABI.replace("cp39-abi3", "cp311-cp311"), own_extension()), tmp_path)


def test_one_without_an_extension_breaks_nothing(tmp_path):
    check_stable_abi(written(tmp_path, ABI), tmp_path)


@pytest.mark.parametrize("library", [b"\x7fELF", b"\x7fELF" + b"\xff" * 500, b"no library"])
def test_what_can_not_be_read_keeps_to_nothing(tmp_path, library):
    with pytest.raises(ForeignOutputRefused, match="can't be checked"):
        check_stable_abi(written(tmp_path, ABI, library), tmp_path)
