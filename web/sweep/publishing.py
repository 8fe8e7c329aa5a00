"""A publisher for where no broker is named: parts of a sweep that need none still do their work."""

from shared.errors import Unavailable
from shared.events import Event


class NoBroker:
    """Takes no event."""

    def publish(self, event: Event) -> None:
        """Refuse."""
        raise Unavailable("no broker is configured (BROKER_URL)")
