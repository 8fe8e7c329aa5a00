"""What `make e2e-cluster` is told by the environment."""

from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class E2eSettings(BaseSettings):
    """Read from variables that begin with E2E_. The cluster is the one that KUBECONFIG names."""

    model_config = SettingsConfigDict(env_prefix="E2E_", frozen=True, env_ignore_empty=True, extra="ignore")

    image_repository: str = Field("dev.local/docuelevate", description="What the names of all images begin with.")
    image_tag: str = Field("0.1.0", description="Their tag.")
    host: str | None = Field(
        None,
        description="Address of this machine as pods see it: then PostgreSQL, MinIO and a stand-in of Meilisearch are "
        "started on it, unless the variables below name others.",
    )
    database_url: str | None = Field(
        None, description="An empty PostgreSQL database, reachable from pods and from here."
    )
    s3_endpoint_url: str | None = Field(None, description="An S3 server, reachable from pods and from here.")
    s3_access_key_id: str | None = Field(None, description="A key of it that may make buckets.")
    s3_secret_access_key: str | None = Field(None, description="Its secret.")
    meilisearch_url: str | None = Field(None, description="A Meilisearch server. Neither this nor a host: no search.")
    meilisearch_api_key: str = Field("", description="A key of it.")
    gotenberg_url: str | None = Field(None, description="A Gotenberg server. Without it convert uses its LibreOffice.")
    web_url: str | None = Field(None, description="Where web is reached from here; default: by kubectl port-forward.")
    steps: str = Field("", description="Only these steps, separated by commas.")
    patience: float = Field(1.0, gt=0, description="All limits of time are longer by this factor.")

    @model_validator(mode="after")
    def _everything_is_somewhere(self) -> Self:
        if not self.host and not (self.database_url and self.s3_endpoint_url):
            raise ValueError("set E2E_HOST, or E2E_DATABASE_URL and E2E_S3_ENDPOINT_URL with its keys")
        return self

    def image(self, unit: str) -> str:
        """The image of one unit."""
        return f"{self.image_repository}-{unit}:{self.image_tag}"
