"""The index that pip is configured for."""

import pytest
from pypi_simple import PYPI_SIMPLE_ENDPOINT

from wheelyard.errors import InputError
from wheelyard.upstream import pip_index
from wheelyard.upstream.pip_index import configured_index, hide_credentials, parse_pip_configuration

PRINTED = """\
:env:.cert='/etc/ssl/one.pem'
:env:.index-url='https://env.example/simple'
global.cert='/etc/ssl/two.pem'
global.index-url='https://global.example/simple'
global.proxy='http://proxy.example:3128'
install.index-url='https://install.example/simple'
global.extra-index-url='file:///somewhere/simple\\nhttps://other.example'
freeze.timeout='10'
WARNING: something else
global.broken='
"""


def test_the_environment_wins_then_the_command_then_the_global_section():
    lines = PRINTED.splitlines()
    assert parse_pip_configuration(PRINTED)["index-url"] == "https://env.example/simple"
    assert parse_pip_configuration("\n".join(lines[2:]))["index-url"] == "https://install.example/simple"
    assert parse_pip_configuration("\n".join(lines[2:5]))["index-url"] == "https://global.example/simple"


def test_lines_that_are_no_values_are_passed_over():
    found = parse_pip_configuration(PRINTED)
    assert found["cert"] == "/etc/ssl/one.pem"
    assert "broken" not in found
    assert "timeout" not in found


def test_the_settings_win_over_pip(monkeypatch):
    monkeypatch.setattr(pip_index, "read_pip_configuration", lambda: parse_pip_configuration(PRINTED))
    found = configured_index("https://mine.example/simple")
    assert found.url == "https://mine.example/simple/"
    assert (found.ca_bundle, found.proxy) == ("/etc/ssl/one.pem", "http://proxy.example:3128")


def test_pips_configured_index_is_taken(monkeypatch):
    monkeypatch.setattr(pip_index, "read_pip_configuration", lambda: parse_pip_configuration(PRINTED))
    assert configured_index().url == "https://env.example/simple/"


def test_pips_default_is_taken_where_nothing_is_configured(monkeypatch):
    monkeypatch.setattr(pip_index, "read_pip_configuration", dict)
    assert configured_index().url == PYPI_SIMPLE_ENDPOINT.rstrip("/") + "/"


@pytest.mark.parametrize("url", ["file:///opt/simple", "ftp://example.org/simple", "simple"])
def test_refuses_an_index_that_is_not_one_of_http(monkeypatch, url):
    monkeypatch.setattr(pip_index, "read_pip_configuration", dict)
    with pytest.raises(InputError, match="the upstream index can't be used"):
        configured_index(url)


def test_a_password_in_the_address_is_not_shown():
    assert (
        hide_credentials("https://me:secret@example.org:8443/simple/") == "https://example.org:8443/simple/"
    )
    assert (
        pip_index.PipIndex(url="https://me:secret@example.org/simple/").shown == "https://example.org/simple/"
    )


def test_the_real_pip_is_asked():
    assert isinstance(pip_index.read_pip_configuration(), dict)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://index.example.org/files/a.whl", "https://me:secret@index.example.org/files/a.whl"),
        ("https://files.example.org/a.whl", "https://files.example.org/a.whl"),
        ("http://index.example.org/a.whl", "http://index.example.org/a.whl"),
        ("https://index.example.org:8443/a.whl", "https://index.example.org:8443/a.whl"),
        ("https://you@index.example.org/a.whl", "https://you@index.example.org/a.whl"),
    ],
)
def test_the_account_goes_to_the_indexs_own_server_only(url, expected):
    index = pip_index.PipIndex(url="https://me:secret@index.example.org/simple/")
    assert index.with_credentials(url) == expected
