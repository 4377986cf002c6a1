"""The compiler cache of one project under one toolchain: restored before a compile, saved after a success."""

from __future__ import annotations

from pathlib import Path

import structlog

from wheelyard.catalogue import Catalogue
from wheelyard.digests import Digest
from wheelyard.errors import WheelyardError
from wheelyard.store.contract import Store

logger = structlog.get_logger("worker.compiler_cache")
MAX_BYTES = 2 << 30
"""Size of a cache at the most; ccache itself is told the same limit."""


def restore(project: str, toolchain: str, *, catalogue: Catalogue, store: Store, target: Path) -> bool:
    """Lay the newest cache's tar at `target`; False where there is none. Its loss is never an error."""
    try:
        digest = catalogue.compiler_cache(project, toolchain)
        if digest is None or not store.fetch_blob(digest, target):
            return False
        catalogue.use_compiler_cache(project, toolchain, digest)
        return True
    except WheelyardError as error:
        logger.warning("the compiler cache could not be restored", project=project, error=error.failed)
        target.unlink(missing_ok=True)
        return False


def save(project: str, toolchain: str, *, catalogue: Catalogue, store: Store, source: Path) -> None:
    """Keep a cache's tar as the newest. A failure to keep it is noted and costs only time later."""
    try:
        digest = Digest.of_file(source)
        store.put_blob(source, digest)
        catalogue.set_compiler_cache(project, toolchain, digest, source.stat().st_size)
    except WheelyardError as error:
        logger.warning("the compiler cache could not be saved", project=project, error=error.failed)
