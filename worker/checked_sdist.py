"""The check of each sdist that something is built from: once per digest, before any container sees it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from wheelyard.digests import Digest, canonical_json, key_of
from wheelyard.distributions.refusal import SizeLimits
from wheelyard.distributions.sdist_file import check_source_file
from wheelyard.errors import InfrastructureError, StoreUnavailable
from wheelyard.store.contract import Store
from wheelyard.store.landing import disk_errors

PLACE = "checks/sdists/"
_RULES = 1
"""Raised with stricter rules, so that what earlier ones let pass is looked at again."""
LIMITS = SizeLimits(packed=4 << 30, unpacked=32 << 30)


def checked_sdist(
    store: Store, filename: str, digest: Digest, *, project: str, version: str, scratch: Path | None = None
) -> None:
    """Let an sdist pass whose every member stays in its one folder, and which is what it says it is.

    What passed is noted in the store, and not looked at again. Nothing of it is run. Safe to repeat.

    :param store: has its bytes already.
    :param filename: its name on the index.
    :param project: canonical name of the project that it shall be.
    :param version: that it shall be.
    :param scratch: folder for it while it is read; `None` means that of the operating system.
    :raises ForeignOutputRefused: it leads out of its folder, is a bomb, or another project or version.
    :raises StoreUnavailable: the store has not got it.
    """
    # For whom it was checked is a part: one digest may be listed as the sdist of two projects.
    passed = {
        "rules": _RULES, "sdist": digest.hex, "filename": filename, "project": project, "version": version,
    }  # fmt: skip
    name = f"{PLACE}{key_of(passed)}.json"
    if store.get_document(name) is not None:
        return
    with (
        disk_errors(f"{filename} could not be written", InfrastructureError),
        tempfile.TemporaryDirectory(prefix="wheelyard-check-", dir=scratch) as folder,
    ):
        path = Path(folder) / "sdist"
        if not store.fetch_blob(digest, path):
            raise StoreUnavailable(f"{filename} is not in the store any more", expected=str(digest))
        check_source_file(path, filename, project, version, LIMITS)
    store.put_document(name, canonical_json(passed))
