"""What an access token lets its bearer do, and what is known of it beside its secret."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from wheelyard.errors import InputError

PREFIX = "wy_"
"""Begins every secret, so that scanners of repositories and logs know one when they see it."""

_LIFETIME = re.compile(r"([1-9][0-9]{0,5})(m|h|d)")
_UNITS = {"m": 60, "h": 3600, "d": 86400}


class Scope(StrEnum):
    """One right; `admin` holds all of them, and who may build or publish may read."""

    READ = "read"
    BUILD = "build"
    PUBLISH = "publish"
    ADMIN = "admin"


_HELD = {
    Scope.READ: frozenset({Scope.READ}),
    Scope.BUILD: frozenset({Scope.BUILD, Scope.READ}),
    Scope.PUBLISH: frozenset({Scope.PUBLISH, Scope.READ}),
    Scope.ADMIN: frozenset(Scope),
}


def held_scopes(given: Iterable[Scope]) -> frozenset[Scope]:
    """Every right that the given ones hold; building does not imply publishing, nor the other way round."""
    return frozenset(scope for one in given for scope in _HELD[one])


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """An access token without its secret. Times are epoch seconds; 0 means never.

    :param id: short and public; it names the token in lists and in `revoke`.
    :param channels: that it is for; empty means all.
    :param subject: whose identity it was exchanged for; empty where an administrator made it.
    """

    id: str
    name: str
    scopes: tuple[Scope, ...]
    channels: tuple[str, ...]
    subject: str
    made_at: float
    expires_at: float
    used_at: float
    revoked_at: float

    def is_good(self, now: float) -> bool:
        """Whether it is neither revoked nor expired at that time."""
        return not self.revoked_at and (not self.expires_at or now < self.expires_at)


def read_lifetime(text: str) -> float | None:
    """Seconds that `90d`, `12h` or `30m` stand for; None for `never`.

    :raises InputError: it is none of these.
    """
    if text == "never":
        return None
    match = _LIFETIME.fullmatch(text)
    if match is None:
        raise InputError(
            "the token's expiry can't be read",
            expected="a number of days, hours or minutes such as 90d, 12h or 30m, or never",
            found=repr(text[:40]),
        )
    return float(int(match[1]) * _UNITS[match[2]])
