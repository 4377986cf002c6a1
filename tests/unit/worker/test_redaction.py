"""Which values are secrets, and that none of their forms stays."""

import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from wheelyard.errors import BuildFailed
from wheelyard.settings import Settings
from worker.redaction import Redaction, is_secret_name, passwords_in, secrets_of

SECRETS = st.text(min_size=6, max_size=60).filter(lambda text: len(text.strip()) >= 6 and text.isprintable())


@given(secret=SECRETS, before=st.binary(max_size=9), after=st.binary(max_size=9))
def test_a_secret_inside_base64_does_not_stay_readable(secret, before, after):
    secret = secret.strip()
    body = secret.encode()
    shown = Redaction([secret]).hide(base64.b64encode(before + body + after).decode())
    assert "***" in shown
    for cut in range(4):
        try:
            decoded = base64.b64decode(shown.split("***")[0][cut:] + "====")
        except ValueError:
            continue
        assert len(body) < 4 or body not in decoded


@given(secret=SECRETS, around=st.text(max_size=20))
def test_a_secret_is_hidden_plain_and_in_an_address(secret, around):
    secret = secret.strip()
    redaction = Redaction([secret])
    assert redaction.hide(f"{around}{secret}") != f"{around}{secret}"
    assert quote(secret, safe="") not in redaction.hide(f"?q={quote(secret, safe='')}")


def test_a_short_value_eats_no_words():
    assert Redaction(["on", "5432", ""]).hide("listening on 5432") == "listening on 5432"


def test_the_longer_of_two_secrets_is_hidden_whole():
    assert Redaction(["secret-1", "secret-1-and-more"]).hide("x secret-1-and-more y") == "x *** y"


def test_a_key_of_many_lines_is_hidden_line_by_line():
    key = "-----BEGIN KEY-----\nMIIEvQIBADAN\nBgkqhkiG9w0B\n-----END KEY-----"
    redaction = Redaction([key])
    assert [redaction.hide(line) for line in ("MIIEvQIBADAN", "x BgkqhkiG9w0B")] == ["***", "x ***"]


def test_an_error_keeps_its_class_and_loses_its_secrets():
    error = BuildFailed("with hunter22", found="hunter22", names=["a hunter22"], line=3)
    hidden = Redaction(["hunter22"]).hide_error(error, log_line=7)
    assert type(hidden) is BuildFailed
    assert (hidden.failed, hidden.found) == ("with ***", "***")
    assert hidden.facts == {"names": ["a ***"], "line": 3, "log_line": 7}


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("TOKEN", True), ("API_TOKEN", True), ("aws_secret_access_key", True), ("DB_PASSWORD", True),
        ("PASSWORD_1", True), ("SSH_KEY_PATH", False), ("TOKEN_FILE", False), ("AUTHOR", False),
        ("KEYBOARD", False), ("CFLAGS", False), ("SECRET_NAME", False),
    ],
)  # fmt: skip
def test_variables_are_secret_by_their_name(name, secret):
    assert is_secret_name(name) is secret


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("https://user:pa%2Fss@index.example/simple", {"pa%2Fss", "pa/ss"}),
        ("https://a-token@index.example/simple", {"a-token"}),
        ("redis://:pw@127.0.0.1:6379/0", {"pw"}),
        ("https://index.example/simple", set()),
        ("http://[broken@", set()),
        ("plain text", set()),
    ],
)
def test_passwords_are_found_in_addresses(address, found):
    assert set(passwords_in(address)) == found


def test_what_the_worker_knows_is_secret():
    settings = Settings(
        token=SecretStr("the-token"), s3_secret_key=SecretStr("the-s3-key"), s3_access_key="AKIA",
        database_url="postgresql://me:the-db-password@db/x", redis_url="redis://:the-redis-pw@r/0",
    )  # fmt: skip
    environment = {
        "HF_TOKEN": "the-hf-token",
        "CFLAGS": "-O2",
        "USE_KEY": "true",
        "PIP_URL": "https://u:the-pip@x/",
    }
    found = set(secrets_of(settings, environment, ["https://me:the-index-pw@i/"]))
    assert found >= {
        "the-token", "the-s3-key", "the-db-password", "the-redis-pw", "the-hf-token", "the-index-pw",
        "the-pip",
    }  # fmt: skip
    assert not found & {"-O2", "true", "AKIA"}
