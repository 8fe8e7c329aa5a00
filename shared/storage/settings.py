"""Where the objects are kept: the variables, and the one place that chooses an implementation."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from shared.settings import Settings
from shared.storage.directory import DirectoryObjectStore
from shared.storage.port import ObjectStore


class ObjectStoreSettings(Settings):
    """The bucket. Without `OBJECT_STORE`, S3 is used as soon as `S3_ENDPOINT_URL` is set."""

    object_store: Literal["s3", "directory"] | None = Field(
        None, description="Where objects are kept: `s3` or `directory`. Default: `s3` if `S3_ENDPOINT_URL` is set."
    )
    data_dir: Path = Field(Path("data"), description="Directory of the objects, the database and the search index.")
    s3_endpoint_url: str | None = Field(
        None, description="Address of the S3 server, such as `https://s3.example.org`. Unset with OBJECT_STORE=s3: AWS."
    )
    s3_bucket: str = Field("docuelevate", description="The one bucket that DocuElevate reads and writes.")
    aws_access_key_id: str | None = Field(None, description="Access key. Unset: what the environment of the pod gives.")
    aws_secret_access_key: SecretStr | None = Field(None, description="Secret of the access key.")
    aws_region: str = Field("us-east-1", description="Region of the bucket; most servers of one's own take any.")

    @model_validator(mode="after")
    def _keys_come_in_pairs(self) -> Self:
        if (self.aws_access_key_id is None) != (self.aws_secret_access_key is None):
            raise ValueError("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set together")
        return self

    @property
    def kind(self) -> Literal["s3", "directory"]:
        """The implementation that is chosen."""
        return self.object_store or ("s3" if self.s3_endpoint_url else "directory")


def object_store(settings: ObjectStoreSettings) -> ObjectStore:
    """The store that the settings name. The S3 client is imported only when it is chosen."""
    if settings.kind == "directory":
        return DirectoryObjectStore(settings.data_dir, bucket=settings.s3_bucket)
    from shared.storage.s3 import S3ObjectStore, s3_client

    return S3ObjectStore(s3_client(settings), settings.s3_bucket)
