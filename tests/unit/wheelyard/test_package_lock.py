"""The lock of a recipe's packages: the first answer holds."""

from wheelyard.digests import Digest
from wheelyard.package_lock import (
    PackageLock,
    image_name,
    keep_lock,
    load_lock,
    package_digests,
    parse_package,
)
from wheelyard.store.folder import FolderStore

IMAGE, DEB = str(Digest.of(b"image")), Digest.of(b"deb")


def lock(version: str) -> PackageLock:
    return PackageLock(
        toolchain=IMAGE,
        suite="bookworm",
        names=("libyaml-dev",),
        packages={"libyaml-dev": f"{version} {DEB}"},
    )


def test_the_first_answer_holds_whoever_comes_later(tmp_path):
    store = FolderStore(tmp_path)
    assert load_lock(store, IMAGE, ["libyaml-dev"]) is None
    assert keep_lock(store, lock("0.2.5-1")) == lock("0.2.5-1")
    assert keep_lock(store, lock("0.2.6-1")) == lock("0.2.5-1")
    assert load_lock(store, IMAGE, ["libyaml-dev", "libyaml-dev"]) == lock("0.2.5-1")


def test_other_names_and_another_image_have_answers_of_their_own(tmp_path):
    store = FolderStore(tmp_path)
    keep_lock(store, lock("0.2.5-1"))
    assert load_lock(store, IMAGE, ["libyaml-dev", "nasm"]) is None
    assert load_lock(store, str(Digest.of(b"other")), ["libyaml-dev"]) is None


def test_a_package_is_its_version_and_the_digest_of_its_file():
    assert parse_package(f"7:5.1.9-0+deb12u1 {DEB}") == ("7:5.1.9-0+deb12u1", DEB)
    assert package_digests({"a": f"1 {DEB}"}) == (str(DEB),)


def test_an_image_is_found_by_the_packages_and_what_lies_below():
    names = {
        image_name(image, {"a": f"{version} {DEB}"})
        for image in (IMAGE, str(Digest.of(b"other")))
        for version in ("1", "2")
    }
    assert len(names) == 4
