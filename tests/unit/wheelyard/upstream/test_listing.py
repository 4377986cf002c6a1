"""Listings: what a project's page says."""

import pytest
from packaging.version import Version

from wheelyard.digests import Digest
from wheelyard.upstream.listing import ListedFile, Listing, read_filename

ONE = Digest("1" * 64)


def file(name, *, python="", digest=ONE, yanked=None):
    kind, version = read_filename("demo", name)
    return ListedFile(
        filename=name,
        url="",
        digest=digest,
        kind=kind,
        version=version,
        requires_python=python,
        yanked=yanked,
    )


@pytest.mark.parametrize(
    ("name", "kind", "version"),
    [
        ("demo-1.0.tar.gz", "sdist", "1.0"),
        ("demo-1.0.zip", "sdist", "1.0"),
        ("Demo-1.0.tar.gz", "sdist", "1.0"),
        ("demo-1.0-py3-none-any.whl", "wheel", "1.0"),
        ("demo-1.0-1-cp311-cp311-manylinux_2_28_x86_64.whl", "wheel", "1.0"),
    ],
)
def test_tells_kind_and_version_from_a_name(name, kind, version):
    assert read_filename("demo", name) == (kind, Version(version))


@pytest.mark.parametrize(
    "name",
    [
        "other-1.0.tar.gz",
        "demo-1.0.exe",
        "demo-1.0.tar.bz2",
        "demo.whl",
        "demo-x-py3-none-any.whl",
        "",
        "demo-.tar.gz",
    ],
)
def test_passes_over_names_that_tell_nothing(name):
    assert read_filename("demo", name) == ("other", None)


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        ("", True),
        (">=3.8", True),
        (">=3.12", False),
        ("<3.11", False),
        (">=3.11.4", True),
        ("not a specifier", True),
    ],
)
def test_fits_a_python_where_some_patch_version_does(wanted, fits):
    assert file("demo-1.0.tar.gz", python=wanted).fits("3.11") is fits


def test_versions_without_a_source_are_hidden_with_all_their_wheels():
    listing = Listing(
        project="demo",
        files=(
            file("demo-2.0-py3-none-any.whl"),
            file("demo-1.0-py3-none-any.whl"),
            file("demo-1.0.tar.gz"),
            file("demo-0.9.tar.gz", digest=None),
        ),
    )
    assert listing.versions() == (Version("2.0"), Version("1.0"))
    assert listing.source_versions() == (Version("1.0"),)
    assert [entry.filename for entry in listing.with_sources().files] == [
        "demo-1.0-py3-none-any.whl",
        "demo-1.0.tar.gz",
    ]


def test_one_version_has_many_spellings():
    listing = Listing(project="demo", files=(file("demo-1.0.0-py3-none-any.whl"), file("demo-1.0.tar.gz")))
    assert listing.source_versions() == listing.versions() == (Version("1.0"),)
    assert len(listing.with_sources().files) == len(listing.of_version("1")) == 2
