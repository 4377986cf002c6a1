"""The exchange of a CI job's ID token for an access token of a quarter of an hour (RFC 8693)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from builder_service.access_tokens import NO_STORE
from builder_service.id_tokens import IdTokens
from builder_service.issuer_keys import IssuerKeys
from builder_service.oidc_rules import OidcRules, read_oidc_rules
from builder_service.problems import responses
from builder_service.services import Opened
from wheelyard.access_token import AccessToken, Scope
from wheelyard.errors import Conflict, Forbidden, InputError, NotFound
from wheelyard.tokens import EXCHANGE_SECONDS, Tokens

router = APIRouter(prefix="/v1/oidc", tags=["tokens"])
_LIFETIME_SECONDS = 900.0
_GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a name, no secret
_FORM = "application/x-www-form-urlencoded"


class ExchangeBody(BaseModel):
    """A request for an exchange, in the names of RFC 8693, section 2.1; other parameters are passed over."""

    model_config = ConfigDict(extra="ignore")
    grant_type: Literal["urn:ietf:params:oauth:grant-type:token-exchange"]
    subject_token: str = Field(min_length=1, description="The ID token.")
    subject_token_type: Literal[
        "urn:ietf:params:oauth:token-type:id_token", "urn:ietf:params:oauth:token-type:jwt"
    ]
    scope: Annotated[str, StringConstraints(max_length=200)] = Field(
        "", description="Scopes with blanks between them; empty means all that the rule gives."
    )


class ExchangeAnswer(BaseModel):
    """The access token, in the names of RFC 8693, section 2.2.1."""

    access_token: str
    issued_token_type: str
    token_type: Literal["Bearer"]
    expires_in: int = Field(description="Seconds.")
    scope: str = Field(description="Scopes with blanks between them.")


class Exchange:
    """ID tokens for access tokens, by the rules of the settings. Safe to share between threads."""

    def __init__(self, rules: OidcRules, tokens: Tokens, keys: IssuerKeys | None = None) -> None:
        self._rules = rules
        self._tokens = tokens
        self._proofs = IdTokens(rules, keys or IssuerKeys(), EXCHANGE_SECONDS)

    def exchange(self, id_token: str, wanted: frozenset[Scope]) -> tuple[AccessToken, str]:
        """The access token for an ID token, and its secret.

        :param wanted: scopes; none means all that the rule gives.
        :raises NotFound: no issuer is named in the settings.
        :raises IdTokenRefused: it is not genuine.
        :raises Forbidden: no rule is for it, or none gives that.
        :raises Conflict: it was exchanged before.
        """
        if not self._rules.issuers:
            raise NotFound(
                "this service takes no ID tokens",
                do="ask its administrator to name their issuers in WHEELYARD_OIDC_RULES",
            )
        issuer, claims = self._proofs.prove(id_token)
        faults: dict[str, list[str]] = {}
        for number, rule in enumerate(issuer.rules, 1):
            name = rule.name or f"rule {number}"
            faults[name] = rule.faults(claims)
            if not faults[name] and not rule.gives(wanted):
                faults[name] = ["scope"]
            if faults[name]:
                continue
            return self._tokens.create(
                _printable(rule.subject(claims)),
                wanted or rule.scopes,
                rule.channels,
                _LIFETIME_SECONDS,
                subject=_printable(f"{issuer.issuer} {claims['sub']}"),
                exchanged=f"{issuer.issuer} {claims['jti']}",
            )
        raise Forbidden(
            f"no rule is for {_printable(issuer.rules[0].subject(claims))}",
            expected="a rule of that issuer that the ID token fits",
            found="; ".join(f"{name}: other {', '.join(names)}" for name, names in faults.items())[:1000],
            do="ask an administrator to mend WHEELYARD_OIDC_RULES",
        )


def open_exchange(setting: str, tokens: Tokens) -> Exchange:
    """The exchange by the rules that a setting names.

    :raises InputError: they can't be read.
    """
    return Exchange(read_oidc_rules(setting), tokens)


@router.post(
    "/token",
    operation_id="exchange_token",
    summary="Exchange a CI job's ID token for an access token (RFC 8693)",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                name: {"schema": ExchangeBody.model_json_schema()} for name in (_FORM, "application/json")
            },
        }
    },
    responses=responses(400, 403, 404, 409, 413, 422),
)
async def exchange(request: Request, services: Opened, response: Response) -> ExchangeAnswer:
    """The access token lives for 15 minutes; an ID token is exchanged once only."""
    body = await _read_body(request)
    wanted = _read_scopes(body.scope)
    if not services.settings.token.get_secret_value():
        raise Conflict("this service asks nobody for a token", do="start it with WHEELYARD_TOKEN set")
    doer: Exchange = request.app.state.exchange
    token, secret = await to_thread.run_sync(doer.exchange, body.subject_token, wanted)
    response.headers.update(NO_STORE)
    return ExchangeAnswer(
        access_token=secret,
        issued_token_type=_ACCESS_TOKEN,
        token_type="Bearer",  # noqa: S106 - the name of its kind
        expires_in=int(_LIFETIME_SECONDS),
        scope=" ".join(token.scopes),
    )


async def _read_body(request: Request) -> ExchangeBody:
    body = await request.body()
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind == _FORM:
            return ExchangeBody.model_validate(dict(parse_qsl(body.decode(), keep_blank_values=True)))
        return ExchangeBody.model_validate_json(body)
    except UnicodeDecodeError as error:
        raise InputError("the request is no text in UTF-8", expected=f"{_FORM} or JSON") from error
    except ValidationError as error:
        faults: list[Mapping[str, Any]] = [
            {**fault, "loc": ("body", *fault["loc"])} for fault in error.errors()
        ]
        raise RequestValidationError(faults) from None


def _read_scopes(text: str) -> frozenset[Scope]:
    try:
        return frozenset(Scope(word) for word in text.split())
    except ValueError as error:
        raise InputError(
            "the request names a scope that there is not", expected=f"some of {', '.join(Scope)}"
        ) from error


def _printable(text: str) -> str:
    return "".join(one if one.isprintable() else "?" for one in text)[:200] or "?"
