"""Telling of jobs' ends: each webhook that is due is sent, and its answer decides what becomes of it."""

from __future__ import annotations

import asyncio
import ipaddress
import random
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx2
import structlog

from wheelyard import __version__
from wheelyard.errors import InputError
from wheelyard.jobs.deliveries import Deliveries, Delivery
from wheelyard.jobs.idempotency import IdempotencyKeys
from wheelyard.settings import Settings
from wheelyard.webhook_address import WebhookAddress, check_public, read_webhook_address
from wheelyard.webhooks import message_of, signed_headers, signing_key
from worker.context import Services
from worker.rounds import Round

_TRY_SECONDS = 10.0
# Longer than a try can take: while one sender is at it, no other takes the same message.
_LEASE_SECONDS = 60.0
_AT_ONCE = 20
_GROWTH = 3.0
_JITTER = 0.2
_PURGE_SECONDS = 60.0

logger = structlog.get_logger("webhooks")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a try came to.

    :param found: in a few words.
    :param taken: the receiver has it.
    :param gone: the receiver wants no more of it.
    """

    found: str
    taken: bool = False
    gone: bool = False


def pause_after(attempts: int, first: float, chance: float) -> float:
    """Seconds until the next try: each pause is three times the one before, give or take a fifth.

    :param attempts: tries so far, at least 1.
    :param first: the first pause.
    :param chance: between 0 and 1; without it all messages of one outage would come back at once.
    """
    spread: float = 1 + _JITTER * (2 * chance - 1)
    return first * float(_GROWTH ** (attempts - 1)) * spread


class WebhookSender:
    """Sends what is due. Several may run at the same time: a lease gives each message to one of them.

    :param job_of: a job by its id.
    :param resolve: addresses of a host; the one that was checked is the one that is called.
    """

    def __init__(
        self,
        services: Services,
        deliveries: Deliveries,
        *,
        resolve: Callable[[str, int], list[str]] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._ledger = services.ledger
        self._settings = services.settings
        self._deliveries = deliveries
        self._resolve = resolve or resolved
        self._clock = clock

    def send_due(self) -> int:
        """One round: takes some messages that are due, sends them at the same time; returns how many.

        Without a secret nothing is sent: what is due waits for one.
        """
        secret = self._settings.webhook_secret.get_secret_value()
        if not secret:
            return 0
        taken = self._deliveries.take(_AT_ONCE, _LEASE_SECONDS)
        if taken:
            asyncio.run(self._send_all(taken, signing_key(secret)))
        return len(taken)

    async def _send_all(self, taken: list[Delivery], key: bytes) -> None:
        async with httpx2.AsyncClient(
            timeout=httpx2.Timeout(_TRY_SECONDS),
            follow_redirects=False,
            # A proxy would look the host up by itself, and call what we did not check.
            trust_env=False,
            headers={"user-agent": f"wheelyard/{__version__}"},
        ) as http:
            await asyncio.gather(*(self._send(http, delivery, key) for delivery in taken))

    async def _send(self, http: httpx2.AsyncClient, delivery: Delivery, key: bytes) -> None:
        try:
            # The whole try has one limit: a receiver that sends a byte now and then must not hold us.
            async with asyncio.timeout(_TRY_SECONDS):
                answer = await self._try(http, delivery, key)
        except TimeoutError:
            answer = Answer(found=f"no answer within {_TRY_SECONDS:.0f} s")
        except InputError as error:
            # What may be sent to can be another thing tomorrow: a host's addresses, or a setting.
            answer = Answer(found=f"{error.failed}; found: {error.found}")
        except httpx2.HTTPError as error:
            answer = Answer(found=f"{type(error).__name__}: {error}")
        again = None
        if not answer.taken and not answer.gone and delivery.attempts < self._settings.webhook_attempts:
            again = pause_after(
                delivery.attempts,
                self._settings.webhook_pause_seconds,
                random.random(),  # noqa: S311 - spreads load; nobody gains by guessing it
            )
        self._deliveries.settle(delivery, answer.found, delivered=answer.taken, again_in=again)
        logger.info(
            "a webhook was sent", id=delivery.id, job=delivery.job, attempt=delivery.attempts,
            found=answer.found, again_in=again,
        )  # fmt: skip

    async def _try(self, http: httpx2.AsyncClient, delivery: Delivery, key: bytes) -> Answer:
        address = read_webhook_address(delivery.url, self._settings.webhook_host_patterns)
        ip = await asyncio.to_thread(self._checked_ip, address)
        job = self._ledger.get(delivery.job)
        body = message_of(job, self._settings.effective_public_url)
        headers = signed_headers(key, delivery.id, int(self._clock()), body)
        async with http.stream(
            "POST",
            address.pinned(ip),
            content=body,
            headers={**headers, "host": address.authority},
            # The certificate must be the host's, whatever the address that is called.
            extensions={"sni_hostname": address.host},
        ) as response:
            # The status is all that counts; the body is left unread, for it may be anything.
            status = response.status_code
        if response.is_success:
            return Answer(found=f"{status}", taken=True)
        if status == 410:
            return Answer(found="410, gone: it wants no more of it", gone=True)
        if response.is_redirect:
            return Answer(found=f"{status}, a redirect, which is not followed")
        return Answer(found=f"{status}")

    def _checked_ip(self, address: WebhookAddress) -> str:
        try:
            found = self._resolve(address.host, address.port)
        except (OSError, UnicodeError) as error:
            raise httpx2.ConnectError(f"{address.host} can't be looked up: {error}") from error
        if not address.listed:
            # All of them: a name with a public and a private address is a trick.
            check_public(address.host, found)
        return found[0]


def resolved(host: str, port: int) -> list[str]:
    """The IP addresses of a host, IPv4 first.

    :raises OSError: it has none.
    :raises UnicodeError: a part of its name is longer than it may be.
    """
    found = {info[4][0] for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    return sorted((str(one) for one in found), key=lambda one: (_version(one), one))


def _version(text: str) -> int:
    return ipaddress.ip_address(text.partition("%")[0]).version


def telling(services: Services) -> tuple[Round, Round]:
    """The rounds that send webhooks, and that forget old idempotency keys."""
    settings: Settings = services.settings
    sender = WebhookSender(services, Deliveries(services.ledger.database))
    keys = IdempotencyKeys(services.ledger.database)
    return (
        Round(name="webhooks", once=sender.send_due, pause=settings.relay_seconds),
        Round(name="keys", once=lambda: keys.purge(settings.idempotency_seconds), pause=_PURGE_SECONDS),
    )
