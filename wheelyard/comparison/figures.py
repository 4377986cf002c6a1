"""What was measured of each image of a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFigures:
    """One image of the application.

    :param name: `single-stage`, for instance.
    :param unpacked: bytes of all its layers' tar streams.
    :param compressed: the same streams after gzip.
    :param debian_packages: that the image's own records name.
    :param python_packages: distributions with metadata.
    :param setuid: paths of files with a setuid or setgid bit.
    :param executables: files that may be run, shared libraries not counted.
    :param build_tools: tool to the first path where it lies; only those that are there.
    :param cold_seconds: from the command to the image in the engine, nothing cached there.
    :param changed_seconds: the same after one requirement changed, with what the first build left.
    :param second_bytes: that a node which has the first image pulls for the second one.
    :param remark: what has to be said of how it was made.
    :param result: the application's own statement.
    :param versions: what the application ran on.
    """

    name: str
    unpacked: int
    compressed: int
    layers: int
    debian_packages: int
    python_packages: int
    setuid: tuple[str, ...] = ()
    executables: int
    build_tools: Mapping[str, str] = field(default_factory=dict)
    cold_seconds: float
    changed_seconds: float | None = None
    second_bytes: int | None = None
    remark: str = ""
    result: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All images of one application, measured in one run on one machine.

    :param app: name of the application's folder.
    :param change: the requirement that changed; empty where none did.
    :param engine: the container engine and its version.
    :param cores: of the machine.
    :param base: what the Dockerfiles began from.
    :param wheels: where pip got its wheels: `index` or `service`.
    :param made_on: day, as ISO 8601 writes it.
    :param same: whether all images gave the same result.
    :param images: in the order in which they were made.
    """

    app: str
    change: str
    engine: str
    cores: int
    base: str
    wheels: str
    made_on: str
    same: bool
    images: tuple[ImageFigures, ...]

    def to_document(self) -> dict[str, Any]:
        """The comparison as JSON-serialisable fields."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Comparison:
        """Inverse of `to_document`; fields that this version does not know are passed over."""
        images = tuple(
            ImageFigures(**{**_known(ImageFigures, one), "setuid": tuple(one["setuid"])})
            for one in document["images"]
        )
        return cls(**{**_known(cls, document), "images": images})


def _known(kind: type[Any], document: Mapping[str, Any]) -> dict[str, Any]:
    return {one.name: document[one.name] for one in fields(kind) if one.name in document}


def differences(first: Mapping[str, Any], second: Mapping[str, Any], tolerance: float) -> tuple[str, ...]:
    """Where two statements of the application differ, as paths; numbers may be apart by a tolerance.

    :param tolerance: of the numbers in lists: single numbers are counts, and must be equal.
    """
    return tuple(_differences("", first, second, tolerance, inside=False))


def _differences(path: str, first: Any, second: Any, tolerance: float, *, inside: bool) -> list[str]:
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        found = [f"{path}.{name}".strip(".") for name in sorted(first.keys() ^ second.keys())]
        for name in sorted(first.keys() & second.keys()):
            where = f"{path}.{name}".strip(".")
            found += _differences(where, first[name], second[name], tolerance, inside=inside)
        return found
    if isinstance(first, list) and isinstance(second, list):
        if len(first) != len(second):
            return [path]
        pairs = enumerate(zip(first, second, strict=True))
        return [
            place
            for number, pair in pairs
            for place in _differences(f"{path}[{number}]", *pair, tolerance, inside=True)
        ]
    if inside and _is_number(first) and _is_number(second):
        return [] if abs(first - second) <= tolerance else [path]
    return [] if first == second else [path]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
