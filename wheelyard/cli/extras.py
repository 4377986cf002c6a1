"""Extras: what to say where a part of Wheelyard was not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from wheelyard.errors import InputError

_OURS = frozenset({"wheelyard", "worker", "builder_service", "runtime_images", "infra"})


@contextmanager
def server_extra() -> Iterator[None]:
    """Turn an import that fails for lack of an extra into an error that says which one to install.

    :raises InputError: a module of somebody else's is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        top = (error.name or "").split(".")[0]
        if top in _OURS and error.name != "wheelyard.stack":
            raise
        raise InputError(
            "this is a client only; the one-machine stack is not installed",
            found=f"no module {error.name}",
            do="pip install 'wheelyard[server]'",
        ) from error
