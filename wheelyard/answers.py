"""What the service answers, as value objects: jobs, built wheels, toolchains, and the cache's files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wheelyard.digests import Digest
from wheelyard.errors import BuildFailed, Cancelled, WheelyardError, from_document

_ENDED = frozenset({"succeeded", "failed", "cancelled"})
_OWN_FIELDS = frozenset({"failed", "expected", "found", "do", "self"})


def read_error(document: Mapping[str, Any]) -> WheelyardError:
    """The error that an answer carries; a newer service's unknown fields do no harm.

    :param document: as `WheelyardError.to_document` writes it.
    """
    facts = document.get("facts")
    kept = {str(name): value for name, value in facts.items()} if isinstance(facts, dict) else {}
    texts = {name: str(document.get(name) or "") for name in ("kind", "failed", "expected", "found", "do")}
    return from_document(
        {
            **texts,
            "failed": texts["failed"] or "the service did not say what failed",
            "facts": {name: value for name, value in kept.items() if name not in _OWN_FIELDS},
        }
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueAnswer:
    """Where an active job stands in its queue; each field is None where nobody knows.

    :param place: 1 for the next one; 0 for one that does not wait for its turn.
    :param ahead: jobs that run or go before it.
    :param wait_seconds: until its turn; of a job that waits for others, until the slowest one's end.
    :param usual_seconds: what the like of it took.
    """

    place: int | None
    ahead: int | None
    wait_seconds: float | None
    usual_seconds: float | None

    @classmethod
    def from_document(cls, document: object) -> QueueAnswer | None:
        """Read an answer's `queue`; None where it has none."""
        if not isinstance(document, Mapping):
            return None
        return cls(**{name: _number(document.get(name)) for name in cls.__slots__})


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildAnswer:
    """A job that another one waits for."""

    id: str
    title: str
    state: str
    phase: str
    queue: QueueAnswer | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in _ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class JobAnswer:
    """A job as the service described it.

    :param state: queued, building, publishing, succeeded, failed or cancelled.
    :param client: who asked first.
    :param priority: interactive or batch.
    :param queue: where it stands; None once it ended.
    :param waiter: id by which the request that was answered leaves the job; empty where it does not wait.
    :param times: epoch seconds; 0 where it did not happen yet.
    :param document: the whole answer, for `--json`.
    """

    id: str
    kind: str
    state: str
    phase: str
    title: str
    toolchain: str
    channel: str
    children: tuple[ChildAnswer, ...]
    result: Mapping[str, Any] | None
    error: WheelyardError | None
    waiters: int
    cancel_requested: bool
    created_at: float
    started_at: float
    ended_at: float
    client: str = ""
    priority: str = ""
    queue: QueueAnswer | None = None
    waiter: str = ""
    document: Mapping[str, Any] = field(repr=False)

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in _ENDED

    @property
    def succeeded(self) -> bool:
        """Whether it ended well."""
        return self.state == "succeeded"

    @property
    def seconds(self) -> float:
        """From its first claim to its end; 0 while it has none."""
        return self.ended_at - self.started_at if self.started_at and self.ended_at else 0.0

    def failure(self) -> WheelyardError:
        """Why an ended job did not end well."""
        if self.error is not None:
            return self.error
        if self.state == "cancelled":
            return Cancelled(f"{self.title or self.id} was cancelled")
        return BuildFailed(f"{self.title or self.id} ended as {self.state}, and the service did not say why")

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> JobAnswer:
        """Read an answer of `/v1/jobs/…`, `/v1/builds` or `/v1/images`; fields that it lacks are empty."""
        times = document.get("times")
        moments: Mapping[str, Any] = times if isinstance(times, dict) else document

        def moment(name: str) -> float:
            value = moments.get(name, moments.get(name.removesuffix("_at")))
            return float(value or 0.0)

        error = document.get("error")
        return cls(
            id=document["id"],
            kind=document.get("kind", ""),
            state=document["state"],
            phase=document.get("phase") or "",
            title=document.get("title") or "",
            toolchain=document.get("toolchain") or "",
            channel=document.get("channel") or "",
            children=tuple(
                ChildAnswer(
                    id=child["id"],
                    title=child.get("title") or "",
                    state=child.get("state") or "",
                    phase=child.get("phase") or "",
                    queue=QueueAnswer.from_document(child.get("queue")),
                )
                for child in document.get("children") or ()
            ),
            result=document.get("result"),
            error=read_error(error) if isinstance(error, dict) else None,
            waiters=int(document.get("waiters") or 0),
            cancel_requested=bool(document.get("cancel_requested")),
            created_at=moment("created_at"),
            started_at=moment("started_at"),
            ended_at=moment("ended_at"),
            client=document.get("client") or "",
            priority=document.get("priority") or "",
            queue=QueueAnswer.from_document(document.get("queue")),
            waiter=document.get("waiter") or "",
            document=document,
        )


def _number(value: object) -> Any:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltWheel:
    """One wheel in the result of a build.

    :param size: in bytes.
    :param hit: it was in the cache before.
    :param seconds: that its build took; 0 for a hit.
    """

    project: str
    version: str
    filename: str
    digest: Digest
    size: int
    build_key: str
    hit: bool
    seconds: float

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> BuiltWheel:
        """Read one entry of a build's `wheels`."""
        return cls(
            project=document["project"],
            version=document["version"],
            filename=document["filename"],
            digest=Digest.parse(document["digest"]),
            size=int(document["size"]),
            build_key=document.get("build_key") or "",
            hit=bool(document.get("hit")),
            seconds=float(document.get("seconds") or 0.0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildResult:
    """The result of a build job.

    :param lock: digest of the lock, as the service wrote it.
    """

    lock: str
    wheels: tuple[BuiltWheel, ...]

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> BuildResult:
        """Read a build job's `result`."""
        return cls(
            lock=document.get("lock") or "",
            wheels=tuple(BuiltWheel.from_document(wheel) for wheel in document.get("wheels") or ()),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLayer:
    """One layer of an image.

    :param title: what it holds, for people.
    :param size: of its compressed bytes.
    :param unpacked: in bytes.
    """

    title: str
    digest: Digest
    size: int
    unpacked: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageAnswer:
    """The image in the result of an image job.

    :param layers: bottom first.
    :param size: compressed bytes of all layers.
    :param unpacked: the same, unpacked.
    :param absent: tools that no layer holds.
    :param present: tool to the paths where it was found; only those that were.
    """

    image_id: Digest
    manifest_digest: Digest
    layers: tuple[ImageLayer, ...]
    size: int
    unpacked: int
    absent: tuple[str, ...]
    present: Mapping[str, tuple[str, ...]]

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> ImageAnswer:
        """Read an image's record, or the report that is made of it."""
        absent = document.get("absent") or ()
        if isinstance(absent, Mapping):
            absent = [tool for tool, is_absent in absent.items() if is_absent]
        present = document.get("present") or document.get("tools_found") or {}
        return cls(
            image_id=Digest.parse(document["image_id"]),
            manifest_digest=Digest.parse(document["manifest_digest"]),
            layers=tuple(
                ImageLayer(
                    title=layer.get("title") or "",
                    digest=Digest.parse(layer["digest"]),
                    size=int(layer["size"]),
                    unpacked=int(layer.get("unpacked") or 0),
                )
                for layer in document["layers"]
            ),
            size=int(document.get("size") or 0),
            unpacked=int(document.get("unpacked") or 0),
            absent=tuple(absent),
            present={tool: tuple(paths) for tool, paths in present.items()},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedWheel:
    """One file that a channel shows.

    :param size: in bytes.
    :param build_key: empty for a file that was not built here.
    :param published_at: epoch seconds.
    :param yanked: the reason (PEP 592), perhaps empty; None where it is not yanked.
    """

    channel: str
    project: str
    version: str
    filename: str
    digest: Digest
    size: int
    requires_python: str
    build_key: str
    published_at: float
    yanked: str | None = None

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> CachedWheel:
        """Read one entry of `/v1/wheels`."""
        return cls(
            channel=document.get("channel") or "",
            project=document["project"],
            version=document["version"],
            filename=document["filename"],
            digest=Digest.parse(document["digest"]),
            size=int(document["size"]),
            requires_python=document.get("requires_python") or "",
            build_key=document.get("build_key") or "",
            published_at=float(document.get("published_at") or 0.0),
            yanked=document.get("yanked"),
        )
