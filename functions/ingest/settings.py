"""What ingest needs to know beside database and object store."""

from pydantic import Field

from shared.settings import Settings


class IngestSettings(Settings):
    """What happens to a source once it is safely copied."""

    incoming_keep: bool = Field(False, description="Leave objects under `incoming/` after they were taken over.")
