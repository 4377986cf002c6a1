"""Programs beside a stack find its store and its Redis in the data folder, and make nothing there."""

from __future__ import annotations

import pytest

from wheelyard.settings import Settings
from wheelyard.stack.own_settings import with_own_servers
from wheelyard.stack.stack_folder import StackFolder


@pytest.fixture
def folder(tmp_path):
    folder = StackFolder(tmp_path / "data")
    folder.prepare()
    return folder


def test_where_no_stack_ran_the_settings_stay_and_nothing_is_made(tmp_path):
    settings = Settings(data_dir=tmp_path / "none", store_url="", redis_url="")
    assert with_own_servers(settings) == settings
    assert not (tmp_path / "none").exists()


def test_the_stacks_servers_are_found_with_their_keys(folder):
    ports, secrets = folder.ports(), folder.secrets()
    found = with_own_servers(Settings(data_dir=folder.root, store_url="", redis_url="", s3_endpoint=""))
    assert (found.store_url, found.s3_endpoint) == ("s3://wheelyard", f"http://127.0.0.1:{ports.s3}")
    assert found.s3_secret_key.get_secret_value() == secrets.s3_secret_key
    assert found.redis_url.endswith(f"@127.0.0.1:{ports.redis}/0")


def test_what_the_settings_name_wins(folder):
    folder.ports(), folder.secrets()
    given = Settings(data_dir=folder.root, store_url="file:///srv/store", redis_url="redis://r:1/0")
    assert with_own_servers(given) == given
