"""Who needs whom in a lock: read from the notes that pip-tools leaves in it."""

from __future__ import annotations

import re

from packaging.utils import canonicalize_name

_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==")
_VIA = re.compile(r"^\s+#(?: via)?\s*(.*?)\s*$")


def needs_of(text: str) -> dict[str, frozenset[str]]:
    """What each project of a lock needs, by the `# via` notes that pip-tools writes under each pin.

    :param text: the lock's text.
    :returns: canonical names.
    """
    needs: dict[str, set[str]] = {}
    project = ""
    for line in text.splitlines():
        if found := _PIN.match(line):
            project = canonicalize_name(found[1])
            needs.setdefault(project, set())
        elif project and (via := _VIA.match(line)) and via[1] and not via[1].startswith(("-r", "-c")):
            needs.setdefault(canonicalize_name(via[1].split(" ")[0]), set()).add(project)
    return {name: frozenset(found) for name, found in needs.items()}
