"""The traceparent of W3C Trace Context, and tracing that is off."""

import subprocess
import sys

import pytest

from wheelyard.errors import InputError
from wheelyard.tracing import NO_TRACER, Role, below, current_span, open_tracer, read_traceparent

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    ("header", "read"),
    [
        (PARENT, PARENT),
        (f" {PARENT} ", PARENT),
        (f"00-{TRACE}-{SPAN}-00", f"00-{TRACE}-{SPAN}-00"),
        # Only the sampled flag is ours; a later version is read by its first four fields.
        (f"00-{TRACE}-{SPAN}-03", PARENT),
        (f"01-{TRACE}-{SPAN}-01-more", PARENT),
        (f"00-{TRACE}-{SPAN}-01-more", ""),
        (f"ff-{TRACE}-{SPAN}-01", ""),
        (f"00-{'0' * 32}-{SPAN}-01", ""),
        (f"00-{TRACE}-{'0' * 16}-01", ""),
        (f"00-{TRACE.upper()}-{SPAN}-01", ""),
        (f"00-{TRACE}-{SPAN}", ""),
        ("", ""),
        ("a" * 10_000, ""),
    ],
)
def test_a_traceparent_is_read_as_the_specification_says(header, read):
    assert read_traceparent(header) == read


def test_without_tracing_a_traceparent_goes_out_as_it_came_in():
    assert current_span().traceparent == ""
    with NO_TRACER.span("GET", Role.SERVER, PARENT):
        assert current_span().traceparent == PARENT
        with below("phase compile") as span:
            span.note({"a": 1})
            span.fail("some-kind")
            assert current_span().traceparent == PARENT
    assert current_span().traceparent == ""


def test_an_error_passes_through_a_span_that_keeps_nothing():
    with pytest.raises(ZeroDivisionError), NO_TRACER.span("GET", Role.SERVER), below("phase compile"):
        _ = 1 / 0
    assert current_span().traceparent == ""


def test_tracing_that_is_off_imports_no_vendor():
    # The Redis client looks for the SDK's metrics by itself; what traces is imported by nobody.
    program = (
        "import sys, worker.process, builder_service.app\n"
        "from wheelyard.tracing import NO_TRACER, open_tracer\n"
        "assert open_tracer('', 'x') is NO_TRACER\n"
        "ours = ('opentelemetry.sdk.trace', 'opentelemetry.exporter', 'wheelyard.otlp_tracer')\n"
        "print([name for name in sys.modules if name.startswith(ours)])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize("endpoint", ["collector:4318", "ftp://collector", "http://"])
def test_an_endpoint_that_is_no_address_is_refused_by_name(endpoint):
    with pytest.raises(InputError, match="WHEELYARD_OTEL_ENDPOINT"):
        open_tracer(endpoint, "x")


def test_spans_are_posted_below_the_endpoint_or_to_it():
    from wheelyard.otlp_tracer import traces_address

    assert traces_address("http://c:4318/") == "http://c:4318/v1/traces"
    assert traces_address("https://c/otlp/v1/traces") == "https://c/otlp/v1/traces"
