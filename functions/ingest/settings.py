"""What ingest needs to know beside database and object store."""

from pydantic import Field

from shared.storage.settings import ArrivalSettings


class IngestSettings(ArrivalSettings):
    """What is taken in, and what happens to a source once it is safely copied."""

    incoming_keep: bool = Field(False, description="Leave objects under `incoming/` after they were taken over.")
    s3_key_owners: bool = Field(
        False,
        description="Whether a folder `owner=…` under `incoming/` says whose document a file becomes (only with "
        "AUTH_ENABLED). Whoever may write to the bucket can then write for everybody.",
    )
    auth_enabled: bool = Field(
        False, description="Whether people have to sign in. Off: everybody who reaches the server is its owner."
    )

    @property
    def key_owners(self) -> bool:
        """Whether an owner in a key counts: where nobody signs in, nobody would ever see such a document."""
        return self.s3_key_owners and self.auth_enabled
