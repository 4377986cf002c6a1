"""ID tokens (OpenID Connect Core 1.0, section 2): whether one is genuine, and what it claims."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jwt

from builder_service.issuer_keys import IssuerKeys, Key
from builder_service.oidc_rules import GitHubIssuer, GitLabIssuer, OidcRules
from wheelyard.errors import InputError

_ALGORITHMS = {"RS256": "RSA", "ES256": "EC"}
_REQUIRED = ("exp", "iat", "iss", "aud", "sub", "jti")
_LEEWAY_SECONDS = 30
_LONGEST = 16384


class IdTokenRefused(InputError):
    """The ID token is not one that this service takes."""

    kind = "id-token-refused"
    title = "The ID token was refused"
    status = 400


class IdTokens:
    """Proves ID tokens with their issuers' keys. Safe to share between threads.

    :param longest: seconds that a token may live from its issue to its expiry.
    """

    def __init__(self, rules: OidcRules, keys: IssuerKeys, longest: float) -> None:
        self._rules = rules
        self._keys = keys
        self._longest = longest

    def prove(self, token: str) -> tuple[GitHubIssuer | GitLabIssuer, Mapping[str, Any]]:
        """The issuer and the claims of a genuine token that was made for this service and holds now.

        :raises IdTokenRefused: it is none; the message says why.
        :raises IssuerUnavailable: the issuer's keys could not be had.
        """
        if len(token) > _LONGEST:
            raise IdTokenRefused("the ID token is too long", expected=f"at most {_LONGEST} characters")
        try:
            header = jwt.get_unverified_header(token)
            unproven = jwt.decode(token, options={"verify_signature": False})
        except jwt.InvalidTokenError as error:
            raise IdTokenRefused("the ID token can't be read", expected="a signed JWT (RFC 7519)") from error
        issuer = self._rules.issuer(str(unproven.get("iss", "")))
        if issuer is None:
            raise IdTokenRefused(
                "the ID token's issuer is not known here",
                expected=" or ".join(one.issuer for one in self._rules.issuers),
                found=repr(str(unproven.get("iss", ""))[:200]),
                do="ask an administrator to name it in WHEELYARD_OIDC_RULES",
            )
        algorithm = str(header.get("alg", ""))
        if algorithm not in _ALGORITHMS:
            raise IdTokenRefused(
                "the ID token is not signed in a way that is taken",
                expected=" or ".join(_ALGORITHMS),
                found=repr(algorithm[:40]),
            )
        key = self._key(issuer.issuer, str(header.get("kid", "")), algorithm)
        try:
            claims = jwt.decode(
                token,
                jwt.PyJWK(key, algorithm),
                algorithms=[algorithm],
                audience=issuer.audience,
                issuer=issuer.issuer,
                leeway=_LEEWAY_SECONDS,
                options={
                    "require": list(_REQUIRED),
                    "strict_aud": True,
                    "enforce_minimum_key_length": True,
                },
            )
        except jwt.PyJWTError as error:
            raise _refusal(error, issuer.audience) from error
        lives = float(claims["exp"]) - float(claims["iat"])
        if lives > self._longest:
            raise IdTokenRefused(
                "the ID token lives too long",
                expected=f"at most {self._longest:.0f} s from its issue to its expiry",
                found=f"{lives:.0f} s",
            )
        return issuer, claims

    def _key(self, issuer: str, key_id: str, algorithm: str) -> Key:
        key = self._keys.find(issuer, key_id) if key_id else None
        if key is None:
            raise IdTokenRefused(
                "the ID token names no key of its issuer", found=repr(key_id[:100]), do="ask for a fresh one"
            )
        if key.get("kty") != _ALGORITHMS[algorithm] or key.get("alg", algorithm) != algorithm:
            raise IdTokenRefused(
                "the ID token's key is not for the way in which it is signed",
                expected=str(key.get("alg") or key.get("kty"))[:40],
                found=algorithm,
            )
        return key


def _refusal(error: Exception, audience: str) -> IdTokenRefused:
    if isinstance(error, jwt.ExpiredSignatureError):
        return IdTokenRefused("the ID token is expired", do="ask its issuer for a fresh one")
    if isinstance(error, jwt.InvalidAudienceError):
        return IdTokenRefused(
            "the ID token was made for another audience",
            expected=f"the one audience {audience!r}",
            do="ask the issuer for a token with that audience",
        )
    if isinstance(error, jwt.MissingRequiredClaimError):
        return IdTokenRefused("the ID token lacks a claim", expected=", ".join(_REQUIRED))
    if isinstance(error, jwt.ImmatureSignatureError):
        return IdTokenRefused("the ID token holds only later", do="see that the clocks are right")
    if isinstance(error, jwt.InvalidSignatureError):
        return IdTokenRefused("the ID token's signature is wrong")
    return IdTokenRefused("the ID token can't be proven genuine", found=type(error).__name__)
