"""The sets that images are made of: a few small projects, and each change of one of them."""

from __future__ import annotations

from collections.abc import Sequence

PROJECTS = ("frozenlist==1.8.0", "markupsafe==3.0.3", "msgpack==1.1.2", "pyyaml==6.0.3", "wrapt==2.5.2")
CHANGES = ("markupsafe==3.0.2", "msgpack==1.1.1", "pyyaml==6.0.2")
"""One a repetition: a set that nobody asked for before has to be locked, too."""


def changed_set(projects: Sequence[str], change: str) -> list[str]:
    """The set with one requirement in another version."""
    name = change.partition("==")[0]
    return [change if project.partition("==")[0] == name else project for project in projects]
