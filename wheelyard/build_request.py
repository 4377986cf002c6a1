"""What a client asks to be built: the wheels of a set of requirements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wheelyard.limits import NOTHING_ASKED, AskedLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """Wheels of a set of requirements and all that they need.

    :param requirements: as `normalise_requirements` returns them.
    :param toolchain: its name.
    :param channel: where the wheels are published.
    :param constraints: versions of whatever the requirements turn out to need, as pip's constraints files.
    :param build_constraints: the same for what things are built with; a kept build environment that meets
        them holds.
    :param build_deps: `source` where the build requirements are built, too, to the root; `wheels` takes
        upstream's wheels of them.
    :param variants: which variant of its recipe a project is built in, by canonical name.
    :param hashes: of a lock: the digests that the sdist of each project may have, by canonical name.
    :param refresh: whether an earlier lock of the same request is passed over.
    :param limits: of each of its builds; no part of what makes two requests equal.
    """

    requirements: tuple[str, ...]
    toolchain: str
    channel: str = "default"
    constraints: tuple[str, ...] = ()
    build_constraints: tuple[str, ...] = ()
    build_deps: str = "wheels"
    variants: Mapping[str, str] = field(default_factory=dict)
    hashes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    refresh: bool = False
    limits: AskedLimits = NOTHING_ASKED

    def to_document(self) -> dict[str, Any]:
        """The request as JSON-serialisable fields."""
        return {
            "requirements": list(self.requirements),
            "toolchain": self.toolchain,
            "channel": self.channel,
            "constraints": list(self.constraints),
            "build_constraints": list(self.build_constraints),
            "build_deps": self.build_deps,
            "variants": dict(self.variants),
            "hashes": {project: list(digests) for project, digests in self.hashes.items()},
            "refresh": self.refresh,
            "limits": self.limits.to_document(),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> BuildRequest:
        """Inverse of `to_document`; other fields are passed over."""
        return cls(
            requirements=tuple(document["requirements"]),
            toolchain=document["toolchain"],
            channel=document["channel"],
            constraints=tuple(document.get("constraints", ())),
            build_constraints=tuple(document.get("build_constraints", ())),
            build_deps=document.get("build_deps", "wheels"),
            variants=document.get("variants", {}),
            hashes={project: tuple(digests) for project, digests in document.get("hashes", {}).items()},
            refresh=document["refresh"],
            limits=AskedLimits.model_validate(document.get("limits", {})),
        )
