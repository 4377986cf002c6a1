"""Who asks: the client's name, his priority and webhook, and the `Idempotency-Key` of his request."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Header, Request

from builder_service.bodies import AskBody
from builder_service.services import Services
from wheelyard.digests import key_of
from wheelyard.errors import InputError
from wheelyard.identity import Identity
from wheelyard.jobs.idempotency import KeyedRequest
from wheelyard.jobs.states import Priority, new_id
from wheelyard.requests import Caller
from wheelyard.webhook_address import read_webhook_address

_PRIORITIES = {"interactive": Priority.INTERACTIVE, "batch": Priority.BATCH}
_LONGEST_CLIENT = 200
# A structured field's string (RFC 9651), as the draft wants it, or the bare word that most clients send.
_QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])+)"')

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$",
        description="A name that the client draws for this request, such as a UUID. Sent again with the same "
        "one, the same request has the same answer, and another request is refused with 422.",
    ),
]


def caller_of(
    body: AskBody, services: Services, request: Request, identity: Identity, keyed: KeyedRequest | None
) -> Caller:
    """Who asks, and what for him is not part of the work.

    :param keyed: where the request has a key: then it is one waiter, however often it is sent.
    :raises InputError: the webhook can't be taken; the message says why.
    """
    if body.webhook:
        _check_webhook(body.webhook, services)
    return Caller(
        client=client_of(body, request, identity),
        priority=_PRIORITIES[body.priority],
        waiter=new_id() if keyed is None else keyed.waiter,
        webhook=body.webhook,
        beside=None if keyed is None else services.keys.beside(keyed),
    )


def client_of(body: AskBody, request: Request, identity: Identity) -> str:
    """The name that fairness counts: the client's own word, else its token's name, else its address.

    The service's own token is no name: those who share it are told apart by their addresses.
    """
    named = " ".join("".join(one if one.isprintable() else " " for one in body.client).split())
    address = request.client.host if request.client else ""
    return (named or (identity.name if identity.token else address))[:_LONGEST_CLIENT]


def keyed_request(
    name: str | None, body: AskBody, services: Services, request: Request, identity: Identity
) -> KeyedRequest | None:
    """The request as its sender named it; None where he did not.

    A key is the sender's own: of the same token, and the same client.

    :param name: the header's value.
    :raises InputError: it is no key.
    """
    if name is None:
        return None
    key = name
    if name.startswith('"'):
        quoted = _QUOTED.fullmatch(name)
        if quoted is None:
            raise InputError(
                "the Idempotency-Key can't be read",
                expected='a string in quotes such as "8e03978e-40d5-43dd-bc93-6894a57f9324", or a bare word',
                found=name,
            )
        key = re.sub(r"\\(.)", r"\1", quoted[1])
    token = identity.token or key_of({"token": services.settings.token.get_secret_value()})
    return KeyedRequest.of(
        key,
        scope=(token, client_of(body, request, identity)),
        address=f"{request.method} {request.url.path}",
        body=body.model_dump(mode="json"),
    )


def _check_webhook(url: str, services: Services) -> None:
    if not services.settings.webhook_secret.get_secret_value():
        raise InputError(
            "this service sends no webhooks: it has no secret to sign them with",
            do="ask its administrator to set WHEELYARD_WEBHOOK_SECRET, or leave the webhook out",
        )
    read_webhook_address(url, services.settings.webhook_host_patterns)
