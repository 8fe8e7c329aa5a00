"""What an operator sets for sweep."""

from pydantic import Field

from shared.settings import Settings


class SweepBrokerSettings(Settings):
    """Where a sweep that was started by hand sends events."""

    broker_url: str | None = Field(None, description="Where events are sent: the broker's ingress address.")


class SweepSettings(Settings):
    """How long things are kept."""

    event_retention_days: int = Field(
        0,
        ge=0,
        description="Days that archived events are kept; those of a document's current run always are. 0: for ever.",
    )
