"""What a registry's answer means: an error that says what it refused and what to do about it."""

from __future__ import annotations

import json
from typing import Any

import httpx2

from wheelyard.errors import Conflict, Forbidden, InfrastructureError, InputError, NotFound, Unauthorized

PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same request may pass."""


class RegistryUnavailable(InfrastructureError):
    """A registry could not be reached, broke off, or failed by itself."""

    kind = "registry-unavailable"
    title = "The registry does not answer"


def refusal(
    response: httpx2.Response, what: str, registry: str, *, login: str = "", complaint: str = ""
) -> InputError | InfrastructureError:
    """The error that an answer stands for.

    :param what: that was asked for: `push to team/app`.
    :param registry: `HOST` or `HOST:PORT`.
    :param login: name of the user that it was asked as; empty for nobody.
    :param complaint: why there is no login, where something was amiss.
    """
    status, said = response.status_code, words_of(response)
    found = f"status {status}{': ' if said else ''}{said}"
    again = f"`docker login {registry}` or `podman login {registry}`"
    if status == 401 and not login:
        found = f"{found}; no login is known{f' ({complaint})' if complaint else ''}"
        return Unauthorized(
            f"{registry} wants a login for a {what}", found=found, do=f"log in with {again}, and push again"
        )
    if status == 401:
        return Unauthorized(
            f"{registry} does not accept the login of {login} for a {what}",
            found=found,
            do=f"log in again with {again}",
        )
    if status == 403:
        return Forbidden(
            f"{registry} does not allow {login or 'a client without a login'} a {what}",
            found=found,
            do=f"ask for that right there, or log in as somebody else with {again}",
        )
    if status == 404:
        return NotFound(
            f"{registry} has no place for a {what}",
            found=found,
            do="look at the repository's name; some registries want it to be made first",
        )
    if status == 409:
        return Conflict(
            f"{registry} refuses a {what}", found=found, do="see whether the tag there may be moved"
        )
    if status in PASSING:
        return RegistryUnavailable(f"{registry} failed at a {what}", found=found, do="push again later")
    return InputError(
        f"{registry} refuses a {what}", found=found, do="see what the registry's own documents say of it"
    )


def words_of(response: httpx2.Response) -> str:
    """What a registry says in its error document (distribution-spec, section Error Codes), in one line."""
    try:
        document = json.loads(response.content)
        texts = [_words(entry) for entry in document["errors"]]
    except (httpx2.ResponseNotRead, ValueError, KeyError, TypeError, AttributeError):
        return ""
    return "; ".join(text for text in texts if text)[:500]


def _words(entry: Any) -> str:
    code, message = entry.get("code"), entry.get("message")
    return f"{code}: {message}" if code and message else str(code or message or "")


def unreachable(error: httpx2.HTTPError, registry: str, *, plain_http: bool) -> RegistryUnavailable:
    """The error of a registry that can't be reached at all.

    :param plain_http: whether it was spoken to without TLS.
    """
    found = str(error) or type(error).__name__
    do = "look at the registry's name, and see that it can be reached from here"
    if "SSL" in found or "TLS" in found:
        do = (
            "see that its certificate is one that this machine trusts; where it has none, --plain-http "
            "speaks to it without TLS"
        )
    elif isinstance(error, httpx2.RemoteProtocolError) and plain_http:
        do = "leave --plain-http out where the registry has TLS"
    return RegistryUnavailable(f"the registry {registry} does not answer", found=found, do=do)
