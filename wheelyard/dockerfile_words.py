"""How a value is written in a Dockerfile, so that docker and buildah read the same of it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from wheelyard.errors import InputError

_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,=-]+")
_BREAKS = ("\n", "\r", "\0")
_WIDTH = 100


def word(value: str, what: str) -> str:
    """One word of `ENV`, `LABEL`, `WORKDIR` or a flag, quoted as far as it needs it.

    The two readers differ in what a backslash does inside quotes. Outside of them both take away the meaning
    of what follows it, so each one stands there. No word ends with one, which would join it to the next line.

    :param what: that it is, for the error: `the variable PATH`.
    :raises InputError: it holds a line break, which no quoting keeps in one line.
    """
    if any(letter in value for letter in _BREAKS):
        raise InputError(
            f"{what} can't be written in a Dockerfile",
            expected="a value without line break and NUL: a Dockerfile has no way to say one",
            found=repr(value[:200]),
            do="let the application read that value from a file, or take the image instead of the Dockerfile",
        )
    if _PLAIN.fullmatch(value):
        return value
    parts = [part.replace('"', '\\"').replace("$", "\\$") for part in value.split("\\")]
    return '"' + '"\\\\"'.join(parts) + '"'


def words(values: Sequence[str]) -> str:
    """A list of words as JSON, which no shell and no quoting touches; long ones stand on lines of their own.

    `ENTRYPOINT`, `CMD`, `HEALTHCHECK CMD`, `ADD` and `COPY` take it.
    """
    said = [json.dumps(value) for value in values]
    whole = f"[{', '.join(said)}]"
    if len(whole) <= _WIDTH:
        return whole
    return "[" + ", \\\n    ".join(said) + "]"
