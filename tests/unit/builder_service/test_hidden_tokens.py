"""What looks like a token is not shown."""

from __future__ import annotations

import base64

import pytest

from builder_service.hidden_tokens import HiddenTokens

OWN = 'the service\'s "own" one'


def tokens():
    # The same in every process that collects the tests.
    made = "wy_" + base64.urlsafe_b64encode(bytes(range(200, 232))).rstrip(b"=").decode()
    yield made
    yield base64.b64encode(f"__token__:{made}".encode()).decode()
    yield "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2lnbmF0dXJl"
    yield OWN


@pytest.mark.parametrize("token", list(tokens()))
def test_a_token_is_hidden_wherever_it_stands(token):
    hidden = HiddenTokens(OWN)
    for text in (token, f"/simple/{token}/", f"before {token}, after"):
        assert token not in hidden.hide(text)
    event = hidden(None, "info", {"path": f"/{token}", "status": 404, "facts": {token: [token, 1]}})
    assert token not in str(event)
    assert event["status"] == 404


def test_other_text_stays_as_it_is():
    text = "wy_short why_not numpy-2.4.6-cp311-cp311-manylinux.whl sha256:" + "a" * 64
    assert HiddenTokens("").hide(text) == text
    assert HiddenTokens("abc").hide("abcdef") == "abcdef"
