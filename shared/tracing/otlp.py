"""Spans by OpenTelemetry, sent by OTLP over HTTP. A collector that is away costs spans, never work.

Ended spans wait in a bounded queue, which a thread of the SDK empties every second and at the end of the process.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanKind, Status, StatusCode, get_current_span
from opentelemetry.trace import Span as SdkSpan
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.release import VERSION
from shared.tracing.spans import Attributes, Place, Span

SEND_EVERY_MILLISECONDS = 1000
SEND_TIMEOUT_SECONDS = 5.0
"""The SDK waits as long as this at the end of a process too."""

COMPLAIN_EVERY_SECONDS = 60.0

_W3C = TraceContextTextMapPropagator()


class _Seldom(logging.Filter):
    """Lets a line pass now and then: the SDK complains of a collector that is away at every attempt."""

    _next_at = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is time."""
        if time.monotonic() < self._next_at:
            return False
        self._next_at = time.monotonic() + COMPLAIN_EVERY_SECONDS
        return True


class OtlpTracer:
    """Makes real spans, all of one process."""

    def __init__(self, process: str) -> None:
        resource = Resource.create({SERVICE_NAME: f"docuelevate-{process}", SERVICE_VERSION: VERSION})
        # Ends with the process: what is still queued is then sent.
        provider = TracerProvider(resource=resource, shutdown_on_exit=True)
        exporter = OTLPSpanExporter(timeout=SEND_TIMEOUT_SECONDS)
        logging.getLogger(type(exporter).__module__).addFilter(_Seldom())
        processor = BatchSpanProcessor(exporter, schedule_delay_millis=SEND_EVERY_MILLISECONDS)
        provider.add_span_processor(processor)
        self._tracer = provider.get_tracer("docuelevate", VERSION)

    @contextmanager
    def span(self, name: str, place: Place, attributes: Attributes) -> Iterator[Span]:
        """A span that is current in this context. Of an error that leaves it only the kind is told."""
        context = Context() if place.apart else _context(place.parent)
        kind = SpanKind.PRODUCER if place.sends else SpanKind.SERVER if place.serves else SpanKind.INTERNAL
        with self._tracer.start_as_current_span(
            name, context, kind, links=_links(place.link), record_exception=False, set_status_on_exception=False
        ) as found:
            made = OtlpSpan(found)
            made.note(attributes)
            yield made

    def current(self) -> str | None:
        """The span of this context."""
        return _traceparent(get_current_span())


class OtlpSpan:
    """One span."""

    def __init__(self, span: SdkSpan) -> None:
        self._span = span

    @property
    def traceparent(self) -> str | None:
        """As it is sent on."""
        return _traceparent(self._span)

    def note(self, attributes: Attributes) -> None:
        """Set what is not None."""
        self._span.set_attributes({name: value for name, value in attributes.items() if value is not None})

    def rename(self, name: str) -> None:
        """Once more is known."""
        self._span.update_name(name)

    def fail(self, reason: str) -> None:
        """Mark as an error."""
        self._span.set_status(Status(StatusCode.ERROR, reason))


def _context(parent: str | None) -> Context | None:
    """The parent's; None, the one around, without a parent or where that is not one."""
    return _W3C.extract({"traceparent": parent}) if parent else None


def _links(traceparent: str | None) -> list[Link]:
    context = get_current_span(_W3C.extract({"traceparent": traceparent}, Context())) if traceparent else None
    return [Link(context.get_span_context())] if context and context.get_span_context().is_valid else []


def _traceparent(span: SdkSpan) -> str | None:
    context = span.get_span_context()
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
