"""The public keys of OIDC issuers: fetched by OpenID Connect Discovery, and kept for a while."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx2

from builder_service.issuer_address import is_loopback, is_safe_address
from wheelyard import __version__
from wheelyard.errors import InfrastructureError

_DISCOVERY = "/.well-known/openid-configuration"
_KEPT_SECONDS = 3600.0
_PAUSE_SECONDS = 30.0
_TIMEOUT_SECONDS = 5.0
_LONGEST_ANSWER = 1 << 20

Key = dict[str, Any]
"""A JSON Web Key (RFC 7517)."""


class IssuerUnavailable(InfrastructureError):
    """An OIDC issuer did not answer, or not with what OpenID Connect Discovery says."""

    kind = "issuer-unavailable"
    title = "The OIDC issuer does not answer"


@dataclass(slots=True)
class _Kept:
    keys: dict[str, Key]
    fetched_at: float
    again_at: float = float("-inf")


class IssuerKeys:
    """Keys by issuer and key id. Safe to share between threads: one fetches, the others wait for it.

    A key id that is not known is asked for once more, since issuers change their keys; but no more often
    than every half minute, so that nobody can let us ask an issuer all the time.

    :param ticks: monotonic seconds.
    """

    def __init__(self, ticks: Callable[[], float] = time.monotonic) -> None:
        self._ticks = ticks
        self._lock = threading.Lock()
        self._kept: dict[str, _Kept] = {}

    def find(self, issuer: str, key_id: str) -> Key | None:
        """The key of that id, or None where the issuer has none.

        :raises IssuerUnavailable: it had to be asked, and did not answer.
        """
        with self._lock:
            now = self._ticks()
            kept = self._kept.get(issuer)
            if kept is None or now - kept.fetched_at >= _KEPT_SECONDS:
                kept = self._kept[issuer] = _Kept(_fetch_keys(issuer), now)
            elif key_id not in kept.keys and now - kept.again_at >= _PAUSE_SECONDS:
                kept.again_at = now
                kept.keys = _fetch_keys(issuer)
                kept.fetched_at = now
            return kept.keys.get(key_id)


def _fetch_keys(issuer: str) -> dict[str, Key]:
    """The signing keys of an issuer, by their ids."""
    # The issuer's address may end in a slash, which is a part of its name (OpenID Connect Discovery, 4.1).
    described = _document(issuer, issuer.rstrip("/") + _DISCOVERY)
    if described.get("issuer") != issuer:
        raise _strange(issuer, f"it calls itself {str(described.get('issuer'))[:200]!r}")
    address = described.get("jwks_uri")
    if not isinstance(address, str) or not _may_ask(issuer, address):
        raise _strange(issuer, f"its jwks_uri is {str(address)[:200]!r}")
    keys = _document(issuer, address).get("keys")
    if not isinstance(keys, list):
        raise _strange(issuer, "its key set has no keys")
    return {
        key["kid"]: key
        for key in keys
        if isinstance(key, dict) and isinstance(key.get("kid"), str) and key.get("use", "sig") == "sig"
    }


def _may_ask(issuer: str, address: str) -> bool:
    # An issuer elsewhere may not send us to what listens on this machine only.
    return is_safe_address(address) and (is_loopback(issuer) or not is_loopback(address))


def _document(issuer: str, address: str) -> dict[str, Any]:
    body = bytearray()
    deadline = time.monotonic() + 2 * _TIMEOUT_SECONDS
    headers = {"accept": "application/json", "user-agent": f"wheelyard/{__version__}"}
    try:
        with (
            httpx2.Client(timeout=_TIMEOUT_SECONDS, trust_env=not is_loopback(address)) as http,
            http.stream("GET", address, headers=headers, follow_redirects=False) as answer,
        ):
            if answer.status_code != 200:
                raise _strange(issuer, f"{address} answered {answer.status_code}")
            for piece in answer.iter_bytes():
                body += piece
                if len(body) > _LONGEST_ANSWER or time.monotonic() > deadline:
                    raise _strange(issuer, f"{address} answers too much, or too slowly")
        document = json.loads(bytes(body))
    except httpx2.HTTPError as error:
        raise _strange(issuer, f"{address}: {str(error) or type(error).__name__}") from error
    except ValueError as error:
        raise _strange(issuer, f"{address} answered with no JSON") from error
    if not isinstance(document, dict):
        raise _strange(issuer, f"{address} answered with no JSON object")
    return document


def _strange(issuer: str, found: str) -> IssuerUnavailable:
    return IssuerUnavailable(
        f"the keys of the issuer {issuer} could not be had",
        expected="OpenID Connect Discovery 1.0 and a key set (RFC 7517), over https",
        found=found,
        do="try again; where it stays so, see that the service's host reaches the issuer",
    )
