"""What the rest of the code knows of tracing: spans that do nothing until tracing has been started.

OpenTelemetry is loaded by `start_tracing` only, where an address is set: a cold start without traces pays nothing.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol

from shared.tracing.settings import TracingSettings

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
Attributes = Mapping[str, str | int | float | None]


@dataclass(frozen=True)
class Place:
    """Where a span belongs: as `span` below has it."""

    parent: str | None
    link: str | None
    apart: bool
    sends: bool
    serves: bool


class Span(Protocol):
    """A piece of work that is timed."""

    @property
    def traceparent(self) -> str | None:
        """Names the span to whoever goes on with the work (W3C Trace Context); None while there are no traces."""
        ...

    def note(self, attributes: Attributes) -> None:
        """Say more of it; None is left out."""
        ...

    def rename(self, name: str) -> None:
        """Give it another name."""
        ...

    def fail(self, reason: str) -> None:
        """Say that it did not come to a good end."""
        ...


class Tracer(Protocol):
    """Makes spans."""

    def span(self, name: str, place: Place, attributes: Attributes) -> AbstractContextManager[Span]:
        """As `span` below."""
        ...

    def current(self) -> str | None:
        """The span that this code runs in."""
        ...


class _NoSpan:
    traceparent = None

    def note(self, attributes: Attributes) -> None:
        """Nothing."""

    def rename(self, name: str) -> None:
        """Nothing."""

    def fail(self, reason: str) -> None:
        """Nothing."""


class _NoTracer:
    @contextmanager
    def span(self, name: str, place: Place, attributes: Attributes) -> Iterator[Span]:
        """A span that is none."""
        yield _NoSpan()

    def current(self) -> str | None:
        """None."""
        return None


_tracer: Tracer = _NoTracer()


def start_tracing(process: str) -> None:
    """Begin, under this name, where the settings say where to. Raises SystemExit where the packages are missing."""
    global _tracer
    if TracingSettings().otel_exporter_otlp_endpoint is None or is_tracing():
        return
    try:
        from shared.tracing.otlp import OtlpTracer
    except ModuleNotFoundError as error:
        missing = f"OTEL_EXPORTER_OTLP_ENDPOINT is set, but {error.name} is missing: install docuelevate[otel]"
        raise SystemExit(missing) from error
    _tracer = OtlpTracer(process)


def is_tracing() -> bool:
    """Whether there are traces."""
    return not isinstance(_tracer, _NoTracer)


def span(
    name: str,
    *,
    parent: str | None = None,
    link: str | None = None,
    apart: bool = False,
    sends: bool = False,
    serves: bool = False,
    attributes: Attributes | None = None,
) -> AbstractContextManager[Span]:
    """Time what is done in this context.

    It belongs to `parent`, a traceparent, else to the span around it, unless it is to begin a trace `apart`; a `link`
    refers to another trace. `sends` and `serves` tell what it is at the border of a process.
    """
    place = Place(parent, link, apart, sends, serves)
    return _tracer.span(name, place, attributes or {})


def current_traceparent() -> str | None:
    """Names the span that this code runs in; None without one."""
    return _tracer.current()


def trace_id(traceparent: str | None) -> str | None:
    """The trace that a traceparent belongs to; None for what is none."""
    match = _TRACEPARENT.fullmatch(traceparent or "")
    return match[1] if match else None
