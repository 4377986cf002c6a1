"""The size of an image as people write it: bytes, `250 MB` in millions, `160MiB` in powers of two."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field

_SIZE = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,18})?)\s*([KMGT]?)(I?)B?", re.IGNORECASE)
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}
_LARGEST = 1 << 50


def parse_image_size(text: str) -> int:
    """Bytes out of a number and a unit; `MB` is a million bytes, `MiB` is 1048576.

    :raises ValueError: it is no size.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None or (found[3] and not found[2]):
        raise ValueError("a size is a number of bytes, or one with a unit such as 250 MB or 160MiB")
    unit: int = (1024 if found[3] else 1000) ** _POWERS[found[2].upper()]
    return round(float(found[1]) * unit)


def _size_of(value: object) -> object:
    return parse_image_size(value) if isinstance(value, str) else value


# What a document may hold, for its JSON schema: the number, or the text that stands for it.
_SizeInput = (
    Annotated[int, Field(ge=1, le=_LARGEST)]
    | Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)? ?([KMGTkmgt][Ii]?)?[Bb]?$")]
)
ImageSize = Annotated[
    int, BeforeValidator(_size_of, json_schema_input_type=_SizeInput), Field(ge=1, le=_LARGEST)
]
