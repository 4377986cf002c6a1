"""Addresses of access tokens, for administrators: made, listed, revoked."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from builder_service.problems import responses
from builder_service.services import Opened
from builder_service.tokens import allowed
from wheelyard.access_token import AccessToken, Scope, read_lifetime
from wheelyard.errors import Conflict

router = APIRouter(prefix="/v1/tokens", tags=["tokens"], dependencies=[Depends(allowed(Scope.ADMIN))])
NO_STORE = {"Cache-Control": "no-store"}
TokenId = Annotated[str, Path(max_length=100, description="The token's public id, as the list shows it.")]


class TokenBody(BaseModel):
    """A token to be made."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"name": "CI of the app", "scopes": ["build"], "channels": [], "expires": "90d"}]
        },
    )
    name: str = Field(
        min_length=1, max_length=200, description="Whom it is for; it is named in what it does."
    )
    scopes: list[Scope] = Field(
        min_length=1,
        max_length=10,
        description="`build` and `publish` hold `read`; `admin` holds all of them.",
    )
    channels: list[str] = Field([], max_length=100, description="That it is for; empty means all.")
    expires: str = Field("90d", max_length=40, description="`90d`, `12h`, `30m` or `never`.")


class TokenDocument(BaseModel):
    """A token without its secret. Times are epoch seconds; 0 means never."""

    id: str = Field(description="Public; revokes it.")
    name: str
    scopes: list[Scope]
    channels: list[str] = Field(description="That it is for; empty means all.")
    subject: str = Field(description="Whose ID token it was exchanged for; empty where it was made by hand.")
    made_at: float
    expires_at: float
    used_at: float = Field(description="Of its last use, give or take a minute.")
    revoked_at: float


class TokenMade(TokenDocument):
    """A token that was just made."""

    secret: str = Field(description="The token itself. It is shown this once; only its SHA-256 is kept.")


class TokenList(BaseModel):
    """Tokens, oldest first."""

    tokens: list[TokenDocument]


@router.post(
    "",
    status_code=201,
    operation_id="create_token",
    summary="Make an access token",
    responses=responses(400, 401, 403, 409, 413, 422),
)
def create(body: TokenBody, services: Opened, response: Response) -> TokenMade:
    """The answer holds its secret, which nobody can be told again."""
    if not services.settings.token.get_secret_value():
        raise Conflict(
            "this service asks nobody for a token, so that one would give no right to anybody",
            do="start it with WHEELYARD_TOKEN set; then make tokens with that one",
        )
    made, secret = services.tokens.create(body.name, body.scopes, body.channels, read_lifetime(body.expires))
    response.headers.update(NO_STORE)
    return TokenMade(**_fields(made), secret=secret)


@router.get("", operation_id="list_tokens", summary="The access tokens", responses=responses(401, 403, 422))
def listing(
    services: Opened,
    ended: Annotated[bool, Query(description="Those that are revoked or expired, too.")] = False,
) -> TokenList:
    """Without their secrets, which the service does not have."""
    return TokenList(tokens=[TokenDocument(**_fields(token)) for token in services.tokens.list(ended=ended)])


@router.delete(
    "/{token_id}",
    operation_id="revoke_token",
    summary="Revoke an access token",
    responses=responses(401, 403, 404, 422),
)
def revoke(token_id: TokenId, services: Opened) -> TokenDocument:
    """It holds at once in the process that answers, and in every other one within five seconds."""
    return TokenDocument(**_fields(services.tokens.revoke(token_id)))


def _fields(token: AccessToken) -> dict[str, object]:
    return {name: getattr(token, name) for name in TokenDocument.model_fields}
