"""What `wheelyard verify` takes and says."""

import pytest

from tests.distributions import wheel_members, zipped
from wheelyard.cli.verification_text import difference_lines, write_verification
from wheelyard.cli.verify_command import _pin
from wheelyard.digests import Digest
from wheelyard.errors import InputError
from wheelyard.verification import Verification
from wheelyard.wheel_difference import compare_wheels

NAME = "demo-1.0-py3-none-any.whl"


def difference(tmp_path, *bodies):
    paths = []
    for folder, body in zip("ab", bodies, strict=True):
        path = tmp_path / folder / NAME
        path.parent.mkdir()
        path.write_bytes(zipped(wheel_members(members={"demo/made.py": body}).items()))
        paths.append(path)
    return compare_wheels(*paths)


def verification(found):
    return Verification(
        build_key="k" * 64, project="demo", version="1.0", toolchain="t", digest=Digest.of(b"x"), job="j",
        circumstances={"root": "/elsewhere", "hostname": "another", "later": 864_000}, difference=found,
        verified_at=1.0,
    )  # fmt: skip


def test_a_difference_is_told_by_member_place_bytes_and_lines(tmp_path):
    found = difference(tmp_path, b"where = 'here'\n", b"where = 'there'\n")
    lines = list(difference_lines(found))
    assert lines[0] == "not equal: 2 members differ"
    at = lines.index("  demo/made.py: other bytes")
    assert lines[at + 1] == "    15 bytes, rebuilt 16"
    assert lines[at + 2].startswith("    from byte 9 on: 68657265")
    assert lines[at + 3 :] == ["    @@ -1 +1 @@", "    -where = 'here'", "    +where = 'there'"]


def test_equal_wheels_are_said_to_be_so_and_how_they_were_made(tmp_path, capsys):
    found = difference(tmp_path, b"a", b"a")
    write_verification(verification(found).to_document(), 3.0, "http://here")
    said = capsys.readouterr().out
    assert "equal, byte by byte" in said
    assert "below /elsewhere on another, 10 days later, in 3.0 s" in said
    assert said.count(found.digests[0]) == 2
    assert "/v1/blobs/" not in said


def test_the_addresses_of_two_wheels_that_differ_are_told(tmp_path, capsys):
    found = difference(tmp_path, b"a", b"b")
    write_verification(verification(found).to_document(), 3.0, "http://here")
    said = capsys.readouterr().out
    assert all(f"http://here/v1/blobs/{digest}" in said for digest in found.digests)


@pytest.mark.parametrize("requirement", ["numpy==2.4.6", "numpy == 2.4.6", "NumPy===2.4.6"])
def test_one_version_names_a_wheel(requirement):
    assert _pin(requirement)["version"] == "2.4.6"


@pytest.mark.parametrize(
    "requirement",
    ["numpy", "numpy>=2", "numpy==2.*", "numpy==2,!=3", "numpy @ https://example.invalid/n.whl", "==2", ""],
)
def test_what_leaves_a_choice_names_none(requirement):
    with pytest.raises(InputError, match="names no wheel"):
        _pin(requirement)
