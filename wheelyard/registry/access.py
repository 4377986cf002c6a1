"""The answer to a registry's challenge: Basic, or a bearer token that its token server gives for a login."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import httpx2

from wheelyard.errors import InputError
from wheelyard.registry.address import PushTarget, is_loopback
from wheelyard.registry.logins import Login
from wheelyard.registry.refusals import refusal, unreachable

_PAIR = re.compile(r'([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')
_SHORTEST_SECONDS = 60.0
_EARLY_SECONDS = 10.0
_CLIENT = "wheelyard"


class Access:
    """What goes into `Authorization` for one repository. Safe to use from several threads.

    Follows RFC 6750, RFC 7617 and the registries' token specification (OAuth 2 for identity tokens).

    :param http: speaks to the token server; it follows no redirect with a login.
    :param login: None asks as nobody.
    :param sources: repositories of the same registry that blobs are mounted from.
    """

    def __init__(
        self, http: httpx2.Client, target: PushTarget, login: Login | None, sources: Sequence[str] = ()
    ) -> None:
        self._http = http
        self._target = target
        self._login = login
        # A login for pulling only is given the first scope without its push: the registry then says no.
        self._scopes = (
            f"repository:{target.repository}:pull,push",
            *(f"repository:{source}:pull" for source in sources),
        )
        self._lock = threading.Lock()
        self._value = ""
        self._until = 0.0
        self._challenge: tuple[str, Mapping[str, str]] | None = None

    @property
    def who(self) -> str:
        """Who the registry sees, for messages; empty for nobody."""
        if self._login is None:
            return ""
        return self._login.username or "an identity token"

    def header(self) -> str:
        """The header's value; empty until the registry has asked for one."""
        with self._lock:
            if self._challenge is not None and self._until and time.monotonic() > self._until:
                self._renew()
            return self._value

    def answer(self, response: httpx2.Response, sent: str) -> bool:
        """Take a 401 for what it asks; whether another try has something new to say.

        :param sent: the header's value that was refused.
        :raises InputError: the token server refuses the login, or it would have to be sent in the open.
        :raises RegistryUnavailable: the token server does not answer.
        """
        challenge = _challenge_of(response)
        if challenge is None:
            return False
        with self._lock:
            if self._value != sent:
                return True
            self._challenge = challenge
            self._renew()
            return bool(self._value) and self._value != sent

    def _renew(self) -> None:
        scheme, fields = self._challenge or ("", {})
        if scheme == "basic":
            self._value = self._login.basic if self._login is not None else ""
            return
        self._value, self._until = "", 0.0
        token, seconds = self._token(fields)
        if token:
            self._value = f"Bearer {token}"
            self._until = time.monotonic() + max(seconds, _SHORTEST_SECONDS) - _EARLY_SECONDS

    def _token(self, fields: Mapping[str, str]) -> tuple[str, float]:
        realm = _checked_realm(fields.get("realm", ""), self._target)
        service = fields.get("service", "")
        login = self._login
        try:
            if login is not None and login.identity_token:
                form = {
                    "grant_type": "refresh_token",
                    "refresh_token": login.identity_token,
                    "service": service,
                    "scope": " ".join(self._scopes),
                    "client_id": _CLIENT,
                }
                response = self._http.post(realm, data=form)
            else:
                query: list[tuple[str, str | int | float | bool | None]] = []
                if service:
                    query.append(("service", service))
                query += [("scope", scope) for scope in self._scopes]
                headers = {"authorization": login.basic} if login is not None else {}
                # The realm may have a query of its own, which `params` would replace.
                response = self._http.get(httpx2.URL(realm).copy_merge_params(query), headers=headers)
        except httpx2.HTTPError as error:
            raise unreachable(error, realm, plain_http=self._target.plain_http) from error
        if not response.is_success:
            raise refusal(
                response, f"push to {self._target.repository}", self._target.registry, login=self.who
            )
        try:
            document: Mapping[str, Any] = response.json()
            return (
                str(document.get("token") or document.get("access_token") or ""),
                float(document.get("expires_in") or 0),
            )
        except (ValueError, AttributeError, TypeError) as error:
            raise InputError(
                f"the token server of {self._target.registry} gives no token",
                expected="a JSON document with a token",
                found=f"status {response.status_code}",
                do="see whether a proxy is in the way",
            ) from error


def _challenge_of(response: httpx2.Response) -> tuple[str, Mapping[str, str]] | None:
    """Scheme and fields of the challenge that we can answer (RFC 9110, section 11.6.1)."""
    for header in response.headers.get_list("www-authenticate"):
        scheme, _, rest = header.strip().partition(" ")
        if scheme.lower() in {"bearer", "basic"}:
            fields = {pair[1].lower(): pair[2] or pair[3] or "" for pair in _PAIR.finditer(rest)}
            return scheme.lower(), fields
    return None


def _checked_realm(realm: str, target: PushTarget) -> str:
    try:
        address = httpx2.URL(realm)
    except (httpx2.InvalidURL, ValueError):
        address = httpx2.URL("")
    if address.scheme == "https" and address.host:
        return realm
    if address.scheme == "http" and (target.plain_http or is_loopback(address.host)):
        return realm
    raise InputError(
        f"{target.registry} sends logins to an address that is not safe",
        expected="a token server with https",
        found=realm[:200],
        do="give --plain-http where the way to it is your own",
    )
