"""The records of wheels as the work of jobs asks for them: a hit, a miss, or one that must be there."""

from __future__ import annotations

from wheelyard.errors import InfrastructureError
from wheelyard.wheel_record import WheelRecord, find_record
from worker.context import Services


def whole_record(services: Services, key: str) -> WheelRecord | None:
    """The record of a build key whose wheel is there, and stays for what is to be made with it; or None."""
    record = find_record(services.store, key)
    if record is None:
        return None
    sizes = [services.store.renew_blob(digest) for digest in (record.digest, record.metadata_digest)]
    return None if None in sizes else record


def needed_record(services: Services, key: str, *, of: str, do: str) -> WheelRecord:
    """The record of a build key that was there before, and whose wheel is there.

    :param of: what it is the record of, for the error.
    :param do: what the error tells to do.
    :raises InfrastructureError: it is there no more.
    """
    record = whole_record(services, key)
    if record is None:
        raise InfrastructureError(f"the wheel of {of} is not in the store any more", do=do)
    return record
