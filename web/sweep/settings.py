"""What an operator sets for sweep."""

from pydantic import Field

from shared.settings import Settings


class SweepBrokerSettings(Settings):
    """Where a sweep that was started by hand sends events."""

    broker_url: str | None = Field(None, description="Where events are sent: the broker's ingress address.")


class SweepSettings(Settings):
    """How long sweep waits, and how long things are kept."""

    sweep_patience_seconds: float = Field(
        300.0,
        gt=0,
        description="How long a document may stand still before sweep sends it on, and the first of the pauses that "
        "grow from there. What merely waits for its turn in a long queue is sent twice then, which costs no work.",
    )

    event_retention_days: int = Field(
        0,
        ge=0,
        description="Days that archived events are kept; those of a document's current run always are. 0: for ever.",
    )
