"""Traces: spans from a request to a container's phases, and the W3C `traceparent` that joins them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from enum import StrEnum
from typing import Protocol

Fact = str | int | float | bool
NO_FACTS: Mapping[str, Fact] = {}
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


class Role(StrEnum):
    """What a process does in a span that is the first one of it."""

    SERVER = "server"
    """It answers a request."""
    CONSUMER = "consumer"
    """It works on a job that another process queued."""


class Span(Protocol):
    """A piece of work with a beginning and an end. No method raises, whatever becomes of the collector."""

    @property
    def traceparent(self) -> str:
        """What names this span to another process (W3C Trace Context); empty where nothing is traced."""

    def rename(self, name: str) -> None:
        """Give it another name, once more is known; names have few values, what has many is a fact."""

    def note(self, facts: Mapping[str, Fact]) -> None:
        """Add facts, or replace those of the same name."""

    def fail(self, kind: str, text: str = "") -> None:
        """Mark it as failed.

        :param kind: a word of few values.
        :param text: one sentence, which must not hold what foreign code wrote.
        """

    def link(self, traceparent: str) -> None:
        """Say that another trace has to do with this span, too."""

    def child(self, name: str, facts: Mapping[str, Fact] = NO_FACTS) -> AbstractContextManager[Span]:
        """A span below this one, current until its end; an error that leaves it marks it as failed."""


class Tracer(Protocol):
    """Where spans come from, one for each process. Safe to use from any number of threads."""

    def span(
        self, name: str, role: Role, parent: str = "", facts: Mapping[str, Fact] = NO_FACTS
    ) -> AbstractContextManager[Span]:
        """The first span of this process in a trace; current until its end.

        :param parent: the other process's traceparent, as `read_traceparent` gives it; empty begins a trace.
        """

    def flush(self) -> None:
        """Begin to send what has ended; does not wait."""

    def close(self, seconds: float = 3.0) -> None:
        """Send what is left, for that long at the most; what then remains is dropped. Repeatable."""


class NoSpan:
    """Takes everything and keeps nothing, but for the traceparent that came in: it goes out as it is."""

    def __init__(self, traceparent: str = "") -> None:
        self.traceparent = traceparent

    def rename(self, name: str) -> None:
        """See `Span.rename`."""

    def note(self, facts: Mapping[str, Fact]) -> None:
        """See `Span.note`."""

    def fail(self, kind: str, text: str = "") -> None:
        """See `Span.fail`."""

    def link(self, traceparent: str) -> None:
        """See `Span.link`."""

    @contextmanager
    def child(self, name: str, facts: Mapping[str, Fact] = NO_FACTS) -> Iterator[Span]:  # noqa: ARG002 - the Protocol's
        """See `Span.child`."""
        yield self


class NoTracer:
    """Tracing that is off."""

    @contextmanager
    def span(
        self,
        name: str,  # noqa: ARG002 - the Protocol's
        role: Role,  # noqa: ARG002 - the Protocol's
        parent: str = "",
        facts: Mapping[str, Fact] = NO_FACTS,  # noqa: ARG002 - the Protocol's
    ) -> Iterator[Span]:
        """See `Tracer.span`."""
        with current(NoSpan(parent)) as span:
            yield span

    def flush(self) -> None:
        """See `Tracer.flush`."""

    def close(self, seconds: float = 3.0) -> None:
        """See `Tracer.close`."""


NO_SPAN: Span = NoSpan()
NO_TRACER: Tracer = NoTracer()
_current: ContextVar[Span] = ContextVar("wheelyard_span", default=NO_SPAN)


def current_span() -> Span:
    """The span that this thread or task works in; one that keeps nothing where there is none."""
    return _current.get()


@contextmanager
def current(span: Span) -> Iterator[Span]:
    """Let a span be the current one for a while."""
    token = _current.set(span)
    try:
        yield span
    finally:
        _current.reset(token)


def below(name: str, facts: Mapping[str, Fact] = NO_FACTS) -> AbstractContextManager[Span]:
    """A span below the current one; costs next to nothing where nothing is traced."""
    return current_span().child(name, facts)


def read_traceparent(header: str) -> str:
    """A `traceparent` header as version 00 of W3C Trace Context; empty where it is none.

    One of a later version is read by its first four fields, as the specification asks for.
    """
    found = _TRACEPARENT.fullmatch(header.strip())
    if found is None:
        return ""
    version, trace, span, flags, rest = found.groups()
    if version == "ff" or (version == "00" and rest) or not int(trace, 16) or not int(span, 16):
        return ""
    return f"00-{trace}-{span}-{int(flags, 16) & 1:02x}"


def open_tracer(endpoint: str, service: str, instance: str = "") -> Tracer:
    """The process's tracer; where the address is empty it keeps nothing, and no vendor is imported.

    :param endpoint: OTLP over HTTP, such as `http://127.0.0.1:4318`.
    :param service: name of the program.
    :param instance: which of several such processes.
    :raises InputError: the address is none, or the extra `otel` is not installed.
    """
    if not endpoint:
        return NO_TRACER
    from wheelyard.otlp_tracer import OtlpTracer, traces_address

    return OtlpTracer(traces_address(endpoint), service, instance)
