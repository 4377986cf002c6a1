import json

import pytest
from pydantic import SecretStr

from wheelyard.cli.service_address import find_service
from wheelyard.errors import InfrastructureError, InputError
from wheelyard.settings import Settings


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "run" / "client.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"url": "http://127.0.0.1:8765", "token": "written"}))
    return path


def settings(tmp_path, url="", token=""):
    return Settings(data_dir=tmp_path, url=url, token=SecretStr(token))


def test_a_given_address_wins(tmp_path, written):
    found = find_service(settings(tmp_path, "https://team.example/", "given"))
    assert (found.url, found.token) == ("https://team.example", "given")


def test_what_up_wrote_down_is_the_last_resort(tmp_path, written):
    found = find_service(settings(tmp_path))
    assert (found.url, found.token) == ("http://127.0.0.1:8765", "written")


def test_the_written_token_never_goes_to_another_address(tmp_path, written):
    assert find_service(settings(tmp_path, "https://team.example")).token == ""


def test_the_written_token_goes_with_its_own_address(tmp_path, written):
    assert find_service(settings(tmp_path, "http://127.0.0.1:8765")).token == "written"


def test_a_given_token_wins_over_the_written_one(tmp_path, written):
    assert find_service(settings(tmp_path, token="given")).token == "given"


def test_says_what_to_do_where_no_service_is_known(tmp_path):
    with pytest.raises(InfrastructureError) as raised:
        find_service(settings(tmp_path))
    assert "wheelyard up" in raised.value.do
    assert raised.value.exit_code == 3


@pytest.mark.parametrize("text", ["", "{}", "[]", "not json", '{"url": '])
def test_a_broken_file_is_named(tmp_path, written, text):
    written.write_text(text)
    with pytest.raises(InputError) as raised:
        find_service(settings(tmp_path))
    assert str(written) in raised.value.failed


def test_the_token_is_not_in_what_is_printed(tmp_path, written):
    assert "written" not in repr(find_service(settings(tmp_path))).replace(str(tmp_path), "")
