"""How long the build of a wheel is likely to take, before anything is known but its sdist."""

from __future__ import annotations

from wheelyard.digests import Digest
from wheelyard.jobs.states import Kind
from worker.context import Services

_FEW_SECONDS = 5.0
_SDIST_BYTES_PER_SECOND = 65_000
"""For what was never built: numpy's sdist has 21 MB and took 300 s, OpenCV's 95 MB and 1,500 s."""


def likely_seconds(services: Services, project: str, toolchain: str, sdist: Digest) -> float:
    """As long as it took before, else as its sdist is large.

    :param project: canonical name.
    :param toolchain: name of it.
    :param sdist: of the bytes that are in the store; one that is not there counts as small.
    """
    usual = services.ledger.usual_seconds(Kind.WHEEL, project, toolchain)
    if usual is not None:
        return usual
    return _FEW_SECONDS + (services.store.blob_size(sdist) or 0) / _SDIST_BYTES_PER_SECOND
