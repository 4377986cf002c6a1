"""Wheels that were built under one toolchain and fit another: noted at publication, found at a miss."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from wheelyard.build_key import BuildInputs
from wheelyard.distributions.sdist_file import check_sdist_file
from wheelyard.errors import ForeignOutputRefused, StoredOtherBytes
from wheelyard.fitting import (
    FittingWheel,
    declares_dependencies,
    fits,
    fits_others,
    fitting_folder,
    shared_key,
)
from wheelyard.store.contract import Store
from wheelyard.toolchains import Toolchain
from wheelyard.wheel_record import WheelRecord
from worker.checked_sdist import LIMITS
from worker.context import Services
from worker.wheel_records import whole_record


def fitting_record(services: Services, inputs: BuildInputs, toolchain: Toolchain) -> WheelRecord | None:
    """The wheel of the same sources and recipe that another toolchain built, where it fits this one; or None.

    Where this toolchain built such a wheel itself, another input of it changed since: it is built again.
    Of several the newest is taken. The decision 0021 says why that is sound.

    :param inputs: those that have no record of their own.
    :param toolchain: the one that they are of.
    """
    store = services.store
    names = store.list_documents(fitting_folder(shared_key(inputs)))
    bodies = (store.get_document(name) for name in names)
    notes = [FittingWheel.from_bytes(body) for body in bodies if body is not None]
    if any(note.toolchain == toolchain.name for note in notes):
        return None
    for note in sorted(notes, key=lambda note: (note.published_at, note.build_key), reverse=True):
        record = whole_record(services, note.build_key)
        if record is not None and fits(record, toolchain):
            return record
    return None


def note_fitting(store: Store, record: WheelRecord, sdist: Path) -> bool:
    """Note a published wheel that may fit other toolchains; returns whether it does. May be repeated.

    Its tags must say so, and its sources must say what every wheel of them needs: else the Python that
    builds it may decide that.

    :param sdist: a file with the sdist's own name.
    """
    if not fits_others(record.filename) or not _is_declared(sdist):
        return False
    note = FittingWheel.of_record(record)
    with suppress(StoredOtherBytes):
        # Another attempt of the same key came first.
        store.put_document(note.document_name, note.to_bytes())
    return True


def _is_declared(sdist: Path) -> bool:
    try:
        found = check_sdist_file(sdist, LIMITS)
    except ForeignOutputRefused:
        # Older archives than PEP 625 asks for; what they would say binds nobody.
        return False
    return declares_dependencies(found.metadata)
