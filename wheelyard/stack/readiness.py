"""Whether a part of the stack answers yet: S3, Redis, and the front door."""

from __future__ import annotations

import socket
from contextlib import suppress

import httpx2

from wheelyard.errors import InfrastructureError, QueueUnavailable, StoreUnavailable
from wheelyard.settings import Settings
from wheelyard.stack.servers import BUCKET, Ports
from wheelyard.store.contract import Promise
from wheelyard.store.open import open_store

_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - what is asked on loopback


def listens(port: int) -> bool:
    """Whether somebody listens on a port of loopback."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def s3_problem(settings: Settings, ports: Ports) -> str:
    """Why our own S3 server has no bucket yet, which is made where it is missing; empty once it has."""
    if not listens(ports.s3):
        return f"nobody listens on port {ports.s3}"
    from wheelyard.store.s3 import S3Store

    store = S3Store(
        BUCKET,
        endpoint=settings.s3_endpoint,
        region=settings.s3_region,
        access_key=settings.s3_access_key,
        secret_key=settings.s3_secret_key.get_secret_value(),
    )
    try:
        store.create_bucket()
    except StoreUnavailable as error:
        return str(error)
    return ""


def check_store(settings: Settings) -> tuple[Promise, ...]:
    """Learn whether the store keeps its promises, before anybody relies on them.

    :returns: those that it does not keep, and that can be done without.
    :raises StoreUnavailable: it does not answer, or can't be used.
    """
    return tuple(promise for promise in open_store(settings).check() if not promise.kept)


def check_redis(settings: Settings) -> None:
    """Ask Redis whether it is there and takes our password.

    :raises QueueUnavailable: it is not, or does not.
    """
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.exceptions import RedisError
    from redis.retry import Retry

    try:
        with Redis.from_url(
            settings.redis_url, socket_connect_timeout=5, socket_timeout=5, retry=Retry(NoBackoff(), 0)
        ) as client:
            client.ping()
    except (RedisError, ValueError, OSError) as error:
        raise QueueUnavailable(
            "Redis does not answer",
            expected="a Redis-protocol server at WHEELYARD_REDIS_URL",
            found=str(error),
            do="start it, or unset the variable to let `wheelyard up` start its own",
        ) from error


def redis_problem(settings: Settings) -> str:
    """Why our own Redis-protocol server does not answer; empty once it does."""
    try:
        check_redis(settings)
    except QueueUnavailable as error:
        return error.found
    return ""


def api_problem(settings: Settings) -> str:
    """Why the front door is not ready; empty once it is."""
    host = _WILDCARDS.get(settings.host, settings.host)
    authority = f"[{host}]" if ":" in host else host
    try:
        # Two seconds: the supervisor has other things to look after meanwhile.
        answer = httpx2.get(f"http://{authority}:{settings.port}/readyz", timeout=2, trust_env=False)
    except httpx2.HTTPError as error:
        return str(error) or type(error).__name__
    if answer.status_code == httpx2.codes.OK:
        return ""
    return f"/readyz says {answer.status_code}: {answer.text[:500]}"


def not_ready(what: str, seconds: float, found: str, log: str) -> InfrastructureError:
    """The error of a part that does not become ready."""
    return InfrastructureError(
        f"{what} is not ready after {seconds:.0f} s", found=found, do=f"its log, {log}, may say why"
    )
