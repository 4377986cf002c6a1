"""What pip laid below the root gets where a base looks for it, and its RECORD is written anew."""

from __future__ import annotations

import pytest

from worker.inside.fill_wheel_layer import move_to_scheme, write_record

SITE = "usr/local/lib/python3.11/dist-packages"
OWN = "demo-1.0.dist-info/RECORD"
VENDORED = "demo/_vendor/site-packages/other-2.0.dist-info/RECORD"


def lay(root, *paths: str, site: str = SITE) -> None:
    for path in paths:
        place = root / site / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("")
    (root / site / OWN).write_text("".join(f"{path},,\n" for path in paths))


def files(root) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_a_wheel_that_vendors_others_has_one_record_of_its_own(tmp_path):
    lay(tmp_path, OWN, VENDORED, "demo/_vendor/far-1.dist-info/RECORD", "../../../share/x.dist-info/RECORD")
    move_to_scheme(tmp_path, "/opt/py/bin/python3", "/opt/py/lib/python3.11/site-packages")
    write_record(tmp_path)
    rows = (tmp_path / "opt/py/lib/python3.11/site-packages" / OWN).read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == [
        "../../../share/x.dist-info/RECORD",
        OWN,
        "demo/_vendor/far-1.dist-info/RECORD",
        VENDORED,
    ]
    assert all(row.split(",")[1].startswith("sha256=") for row in rows if not row.startswith(OWN))


def test_two_records_beside_each_other_are_refused(tmp_path):
    lay(tmp_path, OWN, "other-1.0.dist-info/RECORD")
    with pytest.raises(SystemExit, match="2 are there"):
        write_record(tmp_path)


@pytest.mark.parametrize(
    "site",
    [
        "usr/lib/python3.12/site-packages",
        "usr/local/py/lib/python3.12/site-packages",
        "usr/lib64/python3.12/site-packages",
        "opt/py/lib/python3.12/site-packages",
        "usr/local/lib/python3.12/site-packages",
    ],
)
def test_a_prefix_may_lie_above_or_below_the_one_that_pip_took(tmp_path, site):
    lay(tmp_path, OWN, "demo.py", "../../../bin/demo")
    move_to_scheme(tmp_path, "", f"/{site}")
    prefix = site.rsplit("/", 3)[0]
    assert files(tmp_path) == sorted([f"{prefix}/bin/demo", f"{site}/demo.py", f"{site}/{OWN}"])
    write_record(tmp_path)
    rows = (tmp_path / site / OWN).read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["../../../bin/demo", OWN, "demo.py"]
