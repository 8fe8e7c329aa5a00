"""What an operator sets for sweep."""

from pydantic import Field

from shared.settings import Settings


class SweepSettings(Settings):
    """How long things are kept."""

    event_retention_days: int = Field(
        0,
        ge=0,
        description="Days that archived events are kept; those of a document's current run always are. 0: for ever.",
    )
