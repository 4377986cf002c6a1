"""Which files of a channel may go: replaced, unused, and nothing else needs them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wheelyard.digests import Digest
from wheelyard.index_file import FileKind, IndexFile
from wheelyard.keeping.file_rules import DAY, HeldFile, Rules, judge_channel, superseded

NOW = 1_000 * DAY


def wheel(
    version: str, build: str = "", tags: str = "cp311-cp311-linux_x86_64", days: float = 200
) -> IndexFile:
    name = f"demo-{version}{'-' + build if build else ''}-{tags}.whl"
    return IndexFile(
        channel="default", project="demo", version=version, filename=name, digest=Digest.of(name.encode()),
        size=100, metadata_digest=None, published_at=NOW - days * DAY,
    )  # fmt: skip


def sdist(version: str) -> IndexFile:
    return replace(wheel(version), kind=FileKind.SDIST, filename=f"demo-{version}.tar.gz")


def gone(
    files: list[IndexFile], rules: Rules, used: dict[str, float] | None = None, pinned=lambda _file: ""
) -> set[str]:
    uses = {name: NOW - days * DAY for name, days in (used or {}).items()}
    held = [HeldFile(file=file, used_at=uses.get(file.filename, 0.0)) for file in files]
    return {verdict.file.filename for verdict in judge_channel(held, rules, NOW, pinned) if verdict.goes}


ALL = Rules(older_than=0)


def test_the_newest_of_each_kind_stays():
    files = [
        wheel("1.0"), wheel("1.1"), wheel("1.0", tags="py3-none-any"), sdist("1.0"), sdist("0.9"),
    ]  # fmt: skip
    assert gone(files, ALL) == {wheel("1.0").filename, "demo-0.9.tar.gz"}


def test_a_rebuild_replaces_what_it_rebuilds():
    assert gone([wheel("1.0"), wheel("1.0", "1"), wheel("1.0", "10"), wheel("1.0", "2")], ALL) == {
        wheel("1.0").filename, wheel("1.0", "1").filename, wheel("1.0", "2").filename,
    }  # fmt: skip


def test_a_pre_release_replaces_no_final_release():
    assert gone([wheel("1.0"), wheel("1.1"), wheel("2.0rc1")], ALL) == {wheel("1.0").filename}
    assert gone([wheel("1.0rc1"), wheel("1.0rc2")], ALL) == {wheel("1.0rc1").filename}


def test_what_is_yanked_goes_and_replaces_nothing():
    bad = replace(wheel("2.0"), yanked="bad")
    assert gone([wheel("1.0"), bad], ALL) == {bad.filename}


def test_versions_are_compared_and_not_texts():
    assert superseded([wheel("1.9"), wheel("1.10")]) == {
        wheel("1.9").filename: f"replaced by {wheel('1.10').filename}"
    }


def test_without_a_rule_no_file_goes():
    assert gone([wheel("1.0"), wheel("2.0")], Rules()) == set()


def test_another_channels_files_stay():
    files = [wheel("1.0"), wheel("2.0")]
    assert gone(files, replace(ALL, channels=frozenset({"nightly"}))) == set()
    assert gone(files, replace(ALL, channels=frozenset({"default"}))) == {files[0].filename}


def test_what_was_published_or_used_lately_stays():
    old, new = wheel("1.0", days=50), wheel("2.0")
    assert gone([old, new], Rules(older_than=60 * DAY)) == set()
    assert gone([old, new], Rules(older_than=40 * DAY)) == {old.filename}
    assert gone([old, new], Rules(older_than=40 * DAY), {old.filename: 20}) == set()
    assert gone([old, new], Rules(unused_for=10 * DAY), {old.filename: 20}) == {old.filename}


def test_the_longest_unused_go_first_until_the_channel_fits():
    files = [wheel(f"1.{number}") for number in range(6)]
    used = {file.filename: 100 - number for number, file in enumerate(files)}
    assert gone(files, Rules(keep_size=450), used) == {files[0].filename, files[1].filename}
    assert gone(files, Rules(keep_size=600), used) == set()
    assert gone(files, Rules(keep_size=0), used) == {file.filename for file in files[:-1]}


def test_what_a_live_lock_or_an_image_needs_stays_and_says_so():
    old = wheel("1.0")
    held = [HeldFile(file=file, used_at=0.0) for file in (old, wheel("2.0"))]
    verdicts = list(judge_channel(held, ALL, NOW, lambda file: "an image needs it" if file == old else ""))
    assert {verdict.reason for verdict in verdicts if verdict.file == old} == {"an image needs it"}
    assert not any(verdict.goes for verdict in verdicts)


@pytest.mark.parametrize("version", ["not a version", ""])
def test_a_version_that_is_none_replaces_nothing_and_stays(version):
    strange = replace(wheel("1.0"), version=version, filename="demo-x-py3-none-any.whl")
    assert gone([strange, wheel("2.0")], ALL) == set()
