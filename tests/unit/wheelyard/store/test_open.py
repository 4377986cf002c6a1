"""The store that the settings name."""

from __future__ import annotations

import pytest

from wheelyard.errors import InputError
from wheelyard.settings import Settings
from wheelyard.store.folder import FolderStore
from wheelyard.store.open import open_store
from wheelyard.store.s3 import S3Store


def test_opens_a_folder(tmp_path):
    assert isinstance(open_store(Settings(store_url=f"file://{tmp_path}/s")), FolderStore)
    assert (tmp_path / "s").is_dir()


@pytest.mark.parametrize("url", ["s3://bucket", "s3://bucket/", "s3://bucket/a/b/"])
def test_opens_a_bucket(url):
    assert isinstance(open_store(Settings(store_url=url)), S3Store)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "bucket",
        "s3://",
        "s3:///prefix",
        "s3://B_ucket/x",
        "s3://b/a//b",
        "http://x/y",
        "file://host/x",
        "file:///",
    ],
)
def test_refuses_what_is_no_store(url):
    with pytest.raises(InputError, match="WHEELYARD_STORE_URL"):
        open_store(Settings(store_url=url))
