"""The plan: the graph of the wheels that a request needs, each of them a hit, a build or blocked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Role(StrEnum):
    """What a node is there for."""

    RUNTIME = "runtime"
    """It was asked for, or something that was asked for needs it to run."""
    BUILD = "build"
    """Something is built with it."""
    BOOTSTRAP = "bootstrap"
    """It is built with a seed, so that the members of a cycle can then be built with wheels of ours."""
    SEED = "seed"
    """An upstream wheel that breaks a cycle; it is taken and not built."""
    NATIVE = "native"
    """A native artifact of a recipe, such as FFmpeg's libraries."""


class Standing(StrEnum):
    """How far a node is."""

    HIT = "hit"
    """It was there before."""
    WAITING = "waiting"
    """It is to be built, and not begun: what it needs is not there, or no worker is free."""
    BUILDING = "building"
    BUILT = "built"
    FAILED = "failed"
    BLOCKED = "blocked"
    """It can't be built: something that it needs failed or is not to be had; its reason says what."""

    @property
    def is_there(self) -> bool:
        """Whether others may build on it."""
        return self in (Standing.HIT, Standing.BUILT)

    @property
    def is_over(self) -> bool:
        """Whether it will not change any more."""
        return self not in (Standing.WAITING, Standing.BUILDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanNode:
    """One wheel of a plan.

    :param id: `numpy==2.4.6`, with `[video]` for a variant and ` (bootstrap)` or ` (seed)` for such roles;
        unique in the plan.
    :param build_needs: ids of the nodes that must be there before it is compiled.
    :param run_needs: ids of the nodes whose wheels its check installs beside it, and of the natives whose
        programs it runs.
    :param is_checked: whether its wheel is installed and imported when it is made; not where something that
        it needs at run time can't be there by then.
    :param inputs: document of its `BuildInputs`; without the wheels of `build_needs` until those are there.
        Empty where it could not be made.
    :param key: its build key; empty until the inputs are whole.
    :param job: id of its job; empty for a hit, and before it is submitted.
    :param reason: why it failed or is blocked, for people.
    :param seconds: estimate of its own build; 0 for a hit.
    :param path_seconds: estimate from its start to the end of the longest chain of nodes that need it.
    :param digest: of its wheel, once that is there.
    :param filename: of its wheel, once that is there.
    """

    id: str
    project: str
    version: str
    role: Role = Role.RUNTIME
    standing: Standing = Standing.WAITING
    build_needs: tuple[str, ...] = ()
    run_needs: tuple[str, ...] = ()
    is_checked: bool = True
    inputs: dict[str, Any] = field(default_factory=dict)
    key: str = ""
    job: str = ""
    reason: str = ""
    seconds: float = 0.0
    path_seconds: float = 0.0
    digest: str = ""
    filename: str = ""

    def to_document(self) -> dict[str, Any]:
        """JSON-serialisable fields; `from_document` is the inverse."""
        return {**asdict(self), "build_needs": list(self.build_needs), "run_needs": list(self.run_needs)}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> PlanNode:
        """Inverse of `to_document`."""
        return cls(
            **{
                **document,
                "role": Role(document["role"]),
                "standing": Standing(document["standing"]),
                "build_needs": tuple(document["build_needs"]),
                "run_needs": tuple(document["run_needs"]),
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The nodes that one request needs, under one toolchain.

    :param toolchain: its name.
    :param image: digest of its compile image.
    :param build_deps: `wheels` or `source`, as the request says.
    :param lock: digest of the lock, a document in the store.
    :param nodes: each behind those that it needs.
    """

    toolchain: str
    image: str
    build_deps: str
    lock: str
    nodes: tuple[PlanNode, ...]

    def __iter__(self) -> Iterator[PlanNode]:
        return iter(self.nodes)

    def node(self, node_id: str) -> PlanNode:
        """The node of that id; KeyError where there is none."""
        for node in self.nodes:
            if node.id == node_id:
                return node
        raise KeyError(node_id)

    def to_document(self) -> dict[str, Any]:
        """JSON-serialisable fields; `from_document` is the inverse."""
        return {
            "toolchain": self.toolchain,
            "image": self.image,
            "build_deps": self.build_deps,
            "lock": self.lock,
            "nodes": [node.to_document() for node in self.nodes],
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Plan:
        """Inverse of `to_document`."""
        return cls(**{**document, "nodes": tuple(PlanNode.from_document(node) for node in document["nodes"])})
