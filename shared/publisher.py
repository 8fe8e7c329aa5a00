"""Sends events to the broker. Knows HTTP and CloudEvents, not who sends what when."""

from collections.abc import Sequence
from typing import Protocol

import httpx
from pydantic import Field

from shared.errors import Throttled, Unavailable
from shared.events import Event, short_type
from shared.settings import Settings
from shared.tracing.spans import span

TIMEOUT = httpx.Timeout(30.0, connect=5.0)
"""An in-memory broker without its async annotation answers only after every subscriber has; ours is annotated."""


class BrokerSettings(Settings):
    """Where the broker is, for functions that cannot do without it."""

    broker_url: str = Field(description="Where events are sent: the broker's ingress address.")


class EventPublisher(Protocol):
    """Whoever takes events for delivery."""

    def publish(self, event: Event) -> None:
        """Return once the event is accepted. Raises Unavailable or Throttled; it may have arrived all the same."""


class HttpEventPublisher:
    """A Knative broker's ingress, or anything else that takes CloudEvents by POST."""

    def __init__(self, broker_url: str) -> None:
        self._url = broker_url
        self._client = httpx.Client(timeout=TIMEOUT)

    def publish(self, event: Event) -> None:
        """POST one event in structured mode."""
        name = f"publish {short_type(event.type)}"
        with span(name, parent=event.traceparent, sends=True, attributes=event.about) as current:
            try:
                self._post(event, current.traceparent)
            except (Throttled, Unavailable) as error:
                current.fail(str(error))
                raise

    def _post(self, event: Event, traceparent: str | None) -> None:
        headers, body = event.model_copy(update={"traceparent": traceparent or event.traceparent}).to_http()
        if traceparent:
            # For the broker's own spans; the event itself carries it to who works on it.
            headers["traceparent"] = traceparent
        try:
            response = self._client.post(self._url, content=body, headers=headers)
        except httpx.TransportError as error:
            raise Unavailable("the broker does not answer") from error
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise Throttled("the broker asks for fewer events")
        if not response.is_success:
            raise Unavailable(f"the broker answered {response.status_code}")


def publish_all(publisher: EventPublisher, events: Sequence[Event]) -> None:
    """Publish in order; the first failure ends it (what came before is out, which a repeat makes a duplicate)."""
    for event in events:
        publisher.publish(event)
