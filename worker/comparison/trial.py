"""The application, run in an image: what it says of its work, for comparison with the other images."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wheelyard.errors import BuildFailed, EngineFailed
from worker.comparison.engine_images import EngineImages


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """The last line that an application writes.

    :param result: what must be the same in every image.
    :param tolerance: how far numbers in its lists may be apart.
    :param versions: what it ran on.
    """

    result: Mapping[str, Any]
    tolerance: float
    versions: Mapping[str, str]


def run_application(images: EngineImages, name: str, image: str, shared: Path, target: str) -> Statement:
    """Run an image's own entry point without network, read-only and as an ordinary user.

    :param name: of the image, for messages.
    :param shared: folder that all images see; the first one finds it empty and may write.
    :param target: where they see it.
    :raises BuildFailed: it ended badly, or its last line is no statement.
    """
    writable = not any(shared.iterdir())
    try:
        said = images.run(image, {shared: target}, writable=writable)
    except EngineFailed as error:
        raise BuildFailed(
            f"the application does not run in the image {name}",
            found=error.found,
            do="mend its Dockerfile or spec; --keep leaves the images to look into",
        ) from error
    return read_statement(name, said)


def read_statement(name: str, said: str) -> Statement:
    """Read what an application said.

    :raises BuildFailed: the last line is not one JSON document with a `result`.
    """
    last = (said.strip().splitlines() or [""])[-1]
    try:
        document = json.loads(last)
        result = document["result"]
        return Statement(
            result=dict(result) if isinstance(result, Mapping) else {"result": result},
            tolerance=float(document.get("tolerance", 0)),
            versions={str(key): str(value) for key, value in document.get("versions", {}).items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BuildFailed(
            f"the application in the image {name} does not say what it did",
            expected='a last line such as {"result": {…}, "tolerance": 0, "versions": {…}}',
            found=last[:300],
            do="let it write one, so that images can be compared",
        ) from error
