"""Webhooks: the message about a job's end, and its signature by the Standard Webhooks specification."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from wheelyard.digests import canonical_json
from wheelyard.errors import InputError
from wheelyard.job_place import place_of
from wheelyard.jobs.states import Job

_PREFIX = "whsec_"
_SHORTEST, _LONGEST = 24, 64
_WHEEL_FIELDS = ("project", "version", "filename", "digest", "size", "hit")
_IMAGE_FIELDS = ("image_id", "manifest_digest", "size")


def signing_key(secret: str) -> bytes:
    """The bytes that a secret stands for: `whsec_` and base64, as Standard Webhooks writes it.

    :raises InputError: it is not such a text, or has not between 24 and 64 bytes.
    """
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(_PREFIX) or not _SHORTEST <= len(key) <= _LONGEST:
        # The secret itself is not repeated: errors are logged.
        raise InputError(
            "the webhook secret can't be used",
            expected=f"{_PREFIX} and the base64 of {_SHORTEST} to {_LONGEST} random bytes",
            do="draw one: echo whsec_$(head -c 32 /dev/urandom | base64)",
        )
    return key


def signed_headers(key: bytes, message_id: str, at: int, body: bytes) -> dict[str, str]:
    """The headers of one try: the id is the same for all tries of a message, the time is the try's own.

    :param key: as `signing_key` gives it.
    :param at: epoch seconds.
    """
    signed = f"{message_id}.{at}.".encode() + body
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{signature}",
    }


def message_of(job: Job, public_url: str) -> bytes:
    """The body that tells of a job's end; a function of the job alone, so that every try sends the same.

    :param job: one that ended.
    :param public_url: of the service, without a slash at its end.
    """
    place = public_url + place_of(job)
    return canonical_json(
        {
            "type": f"{job.kind.value}.{job.state.value}",
            "timestamp": datetime.fromtimestamp(job.ended_at, UTC).isoformat(timespec="milliseconds"),
            "data": {
                "id": job.id,
                "kind": job.kind.value,
                "state": job.state.value,
                "title": job.title,
                "toolchain": job.toolchain,
                "channel": job.channel,
                "created_at": job.created_at,
                "started_at": job.started_at,
                "ended_at": job.ended_at,
                "attempts": job.attempts,
                "result": _result(job.result or {}),
                "error": _error(job.error),
                "links": {"self": place, "log": f"{place}/log"},
            },
        }
    )


def _result(result: Mapping[str, Any]) -> dict[str, Any]:
    """What was made, by name and digest; the address has the rest."""
    short: dict[str, Any] = {}
    if isinstance(result.get("wheels"), list):
        short["wheels"] = [_chosen(wheel, _WHEEL_FIELDS) for wheel in result["wheels"]]
    if isinstance(result.get("image"), dict):
        short["image"] = _chosen(result["image"], _IMAGE_FIELDS)
    return short


def _error(error: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Why it failed, in our own words; `found` quotes foreign output, which stays in the log."""
    return None if error is None else _chosen(error, ("kind", "failed", "expected", "do"))


def _chosen(document: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: document[name] for name in names if name in document}
