"""The one error tree: each error says what failed, what was expected and found, and what to do next."""

from __future__ import annotations

from typing import Any, ClassVar


class WheelyardError(Exception):
    """Root of every error that Wheelyard raises on purpose.

    :param failed: what failed, one plain sentence without a full stop at its end.
    :param expected: what would have been right; empty where that says nothing new.
    :param found: what was there instead.
    :param do: what the reader can do next.
    :param facts: JSON-serialisable facts that a program may want (names, digests, sizes in bytes).
    """

    kind: ClassVar[str] = "error"
    title: ClassVar[str] = "Something failed"
    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 3

    def __init__(
        self, failed: str, *, expected: str = "", found: str = "", do: str = "", **facts: Any
    ) -> None:
        super().__init__(failed)
        self.failed = failed
        self.expected = expected
        self.found = found
        self.do = do
        self.facts = facts

    def __str__(self) -> str:
        parts = [self.failed]
        if self.expected:
            parts.append(f"expected: {self.expected}")
        if self.found:
            parts.append(f"found: {self.found}")
        if self.do:
            parts.append(f"next: {self.do}")
        return "\n  ".join(parts)

    def to_document(self) -> dict[str, Any]:
        """The error as JSON-serialisable facts; `from_document` is its inverse."""
        return {
            "kind": self.kind,
            "failed": self.failed,
            "expected": self.expected,
            "found": self.found,
            "do": self.do,
            "facts": self.facts,
        }


class InputError(WheelyardError):
    """The request can't be carried out as it was written."""

    kind = "input"
    title = "The request is wrong"
    status = 422
    exit_code = 2


class NotFound(InputError):
    """Something that was asked for by name does not exist."""

    kind = "not-found"
    title = "Not found"
    status = 404


class Unauthorized(InputError):
    """The token is missing or is not one that this service knows."""

    kind = "unauthorized"
    title = "A token is needed"
    status = 401


class Forbidden(InputError):
    """The token is known, and does not give the right that the request needs."""

    kind = "forbidden"
    title = "The token does not allow it"
    status = 403


class Conflict(InputError):
    """The state of the thing does not allow the request."""

    kind = "conflict"
    title = "The state does not allow it"
    status = 409


class BuildFailed(WheelyardError):
    """A build ended because of what it builds: a compile, a test or a check failed."""

    kind = "build-failed"
    title = "The build failed"
    status = 422
    exit_code = 1


class ForeignOutputRefused(BuildFailed):
    """A wheel, sdist or image that foreign code made is not what it claims to be."""

    kind = "refused"
    title = "The output was refused"


class OutOfMemory(BuildFailed):
    """The memory limit of a build's container killed a part of it."""

    kind = "out-of-memory"
    title = "The build ran out of memory"


class InfrastructureError(WheelyardError):
    """Something that Wheelyard stands on (store, queue, database, engine, index) failed."""

    kind = "infrastructure"
    title = "The infrastructure failed"
    status = 503
    exit_code = 3


class StoreUnavailable(InfrastructureError):
    """The store did not answer, or answered with an error of its own."""

    kind = "store-unavailable"
    title = "The store does not answer"


class StoredOtherBytes(InfrastructureError):
    """A write-once place in the store holds other bytes already."""

    kind = "stored-other-bytes"
    title = "The store holds other bytes there"


class QueueUnavailable(InfrastructureError):
    """Redis did not answer."""

    kind = "queue-unavailable"
    title = "The queue does not answer"


class EngineFailed(InfrastructureError):
    """The container engine is missing, or refused to do what it was asked."""

    kind = "engine-failed"
    title = "The container engine failed"


class IndexUnavailable(InfrastructureError):
    """The upstream package index did not answer."""

    kind = "index-unavailable"
    title = "The upstream index does not answer"


class DiskFull(InfrastructureError):
    """A file could not be written for lack of space."""

    kind = "disk-full"
    title = "The disk is full"


class LeaseLost(InfrastructureError):
    """The job belongs to another worker by now; nothing more may be written for it."""

    kind = "lease-lost"
    title = "The lease was lost"


class TimedOut(WheelyardError):
    """A phase took longer than it may."""

    kind = "timed-out"
    title = "It took too long"
    status = 504
    exit_code = 4


class Cancelled(WheelyardError):
    """Somebody cancelled the job."""

    kind = "cancelled"
    title = "It was cancelled"
    status = 409
    exit_code = 4


def _tree(root: type[WheelyardError]) -> list[type[WheelyardError]]:
    return [root, *(leaf for child in root.__subclasses__() for leaf in _tree(child))]


def from_document(document: dict[str, Any]) -> WheelyardError:
    """The error that `WheelyardError.to_document` wrote down.

    :param document: that document; an unknown kind becomes the root class.
    """
    kinds = {cls.kind: cls for cls in _tree(WheelyardError)}
    cls = kinds.get(document.get("kind", ""), WheelyardError)
    return cls(
        document.get("failed", "unknown failure"),
        expected=document.get("expected", ""),
        found=document.get("found", ""),
        do=document.get("do", ""),
        **document.get("facts", {}),
    )
