"""A page of upstream's that was kept says the same when it is read again."""

from packaging.version import Version

from wheelyard.digests import Digest
from wheelyard.upstream.kept_listing import read_listing, write_listing
from wheelyard.upstream.listing import ListedFile, Listing

WHEEL = ListedFile(
    filename="demo-1.0-py3-none-any.whl", url="https://files.example.org/demo-1.0-py3-none-any.whl",
    digest=Digest.of(b"wheel"), kind="wheel", version=Version("1.0"), requires_python=">=3.8", yanked="",
    has_metadata=True, metadata=Digest.of(b"metadata"), size=5, uploaded="2025-11-24T16:00:00+00:00",
)  # fmt: skip
SDIST = ListedFile(
    filename="demo-1.0.tar.gz", url="https://user:secret@index.example.org/demo-1.0.tar.gz",
    digest=Digest.of(b"sdist"), kind="sdist", version=Version("1.0"),
)  # fmt: skip


def test_all_that_was_listed_comes_back():
    assert read_listing(write_listing(Listing(project="demo", files=(WHEEL,)))).files == (WHEEL,)


def test_the_same_files_are_the_same_bytes_in_whatever_order():
    one = write_listing(Listing(project="demo", files=(WHEEL, SDIST)))
    assert one == write_listing(Listing(project="demo", files=(SDIST, WHEEL)))


def test_the_index_account_is_not_kept():
    body = write_listing(Listing(project="demo", files=(SDIST,)))
    assert b"secret" not in body
    assert read_listing(body).files[0].url == "https://index.example.org/demo-1.0.tar.gz"


def test_a_file_without_a_hash_is_not_kept():
    hashless = ListedFile(
        filename="demo-2.0.tar.gz", url="u", digest=None, kind="sdist", version=Version("2.0")
    )
    assert read_listing(write_listing(Listing(project="demo", files=(hashless,)))).files == ()
