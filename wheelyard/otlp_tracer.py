"""Spans that go to a collector by OTLP over HTTP; the one module that imports OpenTelemetry."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from urllib.parse import urlsplit

import structlog

from wheelyard import __version__
from wheelyard.errors import InputError, WheelyardError
from wheelyard.tracing import NO_FACTS, Fact, Role, Span, current

try:
    from opentelemetry import trace
    from opentelemetry.context import Context
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
except ModuleNotFoundError as error:
    raise InputError(
        "WHEELYARD_OTEL_ENDPOINT is set, but OpenTelemetry is not installed",
        found=str(error),
        do="pip install 'wheelyard[otel]', or unset it",
    ) from error

_PATH = "/v1/traces"
_EXPORT_SECONDS = 5.0
_QUEUED_SPANS = 8192
_BATCH_SPANS = 512
_BATCH_MILLIS = 1000
_KINDS = {Role.SERVER: trace.SpanKind.SERVER, Role.CONSUMER: trace.SpanKind.CONSUMER}
logger = structlog.get_logger("traces")


def traces_address(endpoint: str) -> str:
    """Where spans are posted: the endpoint itself, or the path that OTLP/HTTP gives them below it.

    :raises InputError: it is not an HTTP address.
    """
    parts = urlsplit(endpoint)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise InputError(
            "WHEELYARD_OTEL_ENDPOINT is not an address",
            expected="one such as http://127.0.0.1:4318",
            found=repr(endpoint),
            do="mend or unset it",
        )
    bare = endpoint.rstrip("/")
    return bare if parts.path.rstrip("/").endswith(_PATH) else bare + _PATH


class OtlpTracer:
    """See `wheelyard.tracing.Tracer`. Spans are sent from a thread of its own, in batches.

    A collector that is out, or hangs, delays nobody: beyond a queue of some thousand spans they are dropped.

    :param address: full address that spans are posted to.
    """

    def __init__(self, address: str, service: str, instance: str = "") -> None:
        # Its own words about a collector that is out would come for every batch; ours come once.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        about = {"service.name": service, "service.namespace": "wheelyard", "service.version": __version__}
        if instance:
            about["service.instance.id"] = instance
        self._provider = TracerProvider(resource=Resource.create(about), shutdown_on_exit=False)
        self._provider.add_span_processor(
            BatchSpanProcessor(
                _OutageSaying(OTLPSpanExporter(endpoint=address, timeout=_EXPORT_SECONDS), address),
                max_queue_size=_QUEUED_SPANS,
                schedule_delay_millis=_BATCH_MILLIS,
                max_export_batch_size=_BATCH_SPANS,
            )
        )
        self._tracer = self._provider.get_tracer("wheelyard", __version__)
        self._closing: threading.Thread | None = None

    @contextmanager
    def span(
        self, name: str, role: Role, parent: str = "", facts: Mapping[str, Fact] = NO_FACTS
    ) -> Iterator[Span]:
        """See `Tracer.span`."""
        context = Context()
        if parent:
            context = trace.set_span_in_context(trace.NonRecordingSpan(_context_of(parent)), context)
        with _running(self._tracer, name, context, _KINDS[role], facts) as span:
            yield span

    def flush(self) -> None:
        """See `Tracer.flush`."""
        threading.Thread(target=self._provider.force_flush, name="traces-flush", daemon=True).start()

    def close(self, seconds: float = 3.0) -> None:
        """See `Tracer.close`."""
        if self._closing is None:
            # The vendor's own time limits do not hold where the collector hangs; a thread can be left behind.
            self._closing = threading.Thread(target=self._provider.shutdown, name="traces-close", daemon=True)
            self._closing.start()
        self._closing.join(seconds)


class _OtlpSpan:
    """See `wheelyard.tracing.Span`."""

    def __init__(self, tracer: trace.Tracer, span: trace.Span) -> None:
        self._tracer = tracer
        self._span = span

    @property
    def traceparent(self) -> str:
        context = self._span.get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags & 1:02x}"

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def note(self, facts: Mapping[str, Fact]) -> None:
        self._span.set_attributes(facts)

    def fail(self, kind: str, text: str = "") -> None:
        self._span.set_attribute("error.type", kind)
        self._span.set_status(trace.StatusCode.ERROR, text or None)

    def link(self, traceparent: str) -> None:
        self._span.add_link(_context_of(traceparent))

    @contextmanager
    def child(self, name: str, facts: Mapping[str, Fact] = NO_FACTS) -> Iterator[Span]:
        above = trace.set_span_in_context(self._span, Context())
        with _running(self._tracer, name, above, trace.SpanKind.INTERNAL, facts) as span:
            yield span


@contextmanager
def _running(
    tracer: trace.Tracer, name: str, above: Context, kind: trace.SpanKind, facts: Mapping[str, Fact]
) -> Iterator[Span]:
    vendors = tracer.start_span(name, context=above, kind=kind, attributes=facts)
    span = _OtlpSpan(tracer, vendors)
    try:
        with current(span):
            yield span
    except WheelyardError as error:
        span.fail(error.kind, error.failed)
        raise
    except BaseException as error:
        # What foreign errors say may hold what nobody should read in a trace.
        span.fail(type(error).__name__)
        raise
    finally:
        vendors.end()


class _OutageSaying(SpanExporter):
    """Says once that the collector is out, and once that it is back."""

    def __init__(self, inner: SpanExporter, address: str) -> None:
        self._inner = inner
        self._address = address
        self._out = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch; one that can't be sent is dropped."""
        result = self._inner.export(spans)
        out = result is not SpanExportResult.SUCCESS
        if out and not self._out:
            logger.warning("traces are not taken; they are dropped until they are", address=self._address)
        elif self._out and not out:
            logger.info("traces are taken again", address=self._address)
        self._out = out
        return result

    def shutdown(self) -> None:
        """Give up what is being tried."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Nothing is kept here."""
        return self._inner.force_flush(timeout_millis)


def _context_of(traceparent: str) -> trace.SpanContext:
    _, trace_id, span_id, flags = traceparent.split("-")
    return trace.SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=trace.TraceFlags(int(flags, 16))
    )
