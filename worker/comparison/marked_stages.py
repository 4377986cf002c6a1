"""A Dockerfile each of whose stages begins with a label, so that nothing built for another one fits on it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_STAGE = re.compile(r"\s*FROM\s+(--\S+\s+)*\S+(\s+AS\s+\S+)?\s*", re.IGNORECASE)


def mark_stages(dockerfile: str, labels: Mapping[str, str]) -> str:
    """The Dockerfile with the labels on every stage, whatever that is built from.

    :param labels: names and values without spaces and quotes.
    """
    words = " ".join(f"{name}={value}" for name, value in labels.items())
    return "".join(_marked(dockerfile, f"LABEL {words}\n"))


def _marked(dockerfile: str, instruction: str) -> Iterator[str]:
    goes_on = False
    for line in dockerfile.splitlines():
        yield f"{line}\n"
        if not goes_on and _STAGE.fullmatch(line):
            yield instruction
        goes_on = line.rstrip().endswith("\\")
