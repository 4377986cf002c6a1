"""A collector of traces on loopback: takes OTLP over HTTP and gives what it got as plain spans."""

from __future__ import annotations

import gzip
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True, kw_only=True)
class GotSpan:
    """A span as it came; ids are lower-case hexadecimal, `parent` is empty for a root."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    facts: dict[str, Any]
    failed: bool
    message: str
    links: tuple[str, ...]
    begun: int
    ended: int


@dataclass
class Collector:
    """What was received so far. `mode` is `take`, `refuse` (503) or `hang`."""

    url: str = ""
    mode: str = "take"
    spans: list[GotSpan] = field(default_factory=list)
    asked: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def named(self, name: str) -> GotSpan:
        """The one span of that name."""
        (found,) = [span for span in self.spans if span.name == name]
        return found

    def wait_for(self, *names: str, seconds: float = 60) -> None:
        """Wait until each of the names came, as often as it is given: spans come in several batches."""
        limit = time.monotonic() + seconds
        while not Counter(names) <= Counter(span.name for span in self.spans):
            assert time.monotonic() < limit, f"only {sorted(span.name for span in self.spans)} came"
            time.sleep(0.02)


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a free port."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            collector.asked += 1
            if collector.mode == "hang":
                collector.over.wait(60)
            if collector.mode != "take":
                self.send_error(503)
                return
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            assert self.path == "/v1/traces"
            collector.spans += spans_of(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    collector.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield collector
    finally:
        collector.over.set()
        server.shutdown()
        server.server_close()


def spans_of(request: Any) -> list[GotSpan]:
    """Every span of an export."""
    found = []
    for resource in request.resource_spans:
        about = facts_of(resource.resource.attributes)
        for scope in resource.scope_spans:
            found += [
                GotSpan(
                    service=about["service.name"], name=span.name, trace=span.trace_id.hex(),
                    id=span.span_id.hex(), parent=span.parent_span_id.hex(), facts=facts_of(span.attributes),
                    failed=span.status.code == 2, message=span.status.message,
                    links=tuple(link.span_id.hex() for link in span.links),
                    begun=span.start_time_unix_nano, ended=span.end_time_unix_nano,
                )
                for span in scope.spans
            ]  # fmt: skip
    return found


def facts_of(attributes: Any) -> dict[str, Any]:
    """Attributes as a plain mapping."""
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}
