"""Where the objects are kept: the variables, and the one place that chooses an implementation."""

import logging
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from shared.errors import DocuElevateError, ObjectNotFound, Throttled, Unavailable
from shared.settings import Settings, Size
from shared.storage.directory import DirectoryObjectStore
from shared.storage.port import ObjectStore

_log = logging.getLogger(__name__)


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

    s3_addressing_style: Literal["auto", "path", "virtual"] = Field(
        "auto",
        description="Where the bucket's name stands: in the `path`, or `virtual` in the host name. "
        "Default: as AWS wants it, and in the path of other servers.",
    )
    require_conditional_writes: bool = Field(
        False,
        description="Refuse to work on an S3 server that lets two writers create the same object; set where more than "
        "one replica runs.",
    )

    @property
    def addressing_style(self) -> Literal["auto", "path", "virtual"]:
        """Buckets as host names need wildcard names and certificates, which servers of one's own rarely have."""
        if self.s3_addressing_style == "auto" and self.s3_endpoint_url:
            return "path"
        return self.s3_addressing_style

    @model_validator(mode="after")
    def _keys_come_in_pairs(self) -> Self:
        if (self.aws_access_key_id is None) != (self.aws_secret_access_key is None):
            raise ValueError("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set together")
        return self

    @property
    def kind(self) -> Literal["s3", "directory"]:
        """The implementation that is chosen."""
        return self.object_store or ("s3" if self.s3_endpoint_url else "directory")


class ArrivalSettings(Settings):
    """What is taken in, whichever way it comes."""

    max_upload_size: Size = Field(
        1024**3,
        gt=0,
        description="Largest file that is taken, in bytes or as `500MB`, `1GiB`; counted while it is uploaded. Larger "
        "ones stay under `incoming/`.",
    )


class NotificationSettings(Settings):
    """How the object store proves that it is the one that tells of new objects."""

    s3_webhook_token: SecretStr | None = Field(
        None,
        description="Token that the object store sends with its notifications to `/hooks/s3`, as `Bearer` or as "
        "password. Unset: none are taken, and new objects are found by listing.",
    )
    s3_sns_topic_arns: str = Field(
        "",
        description="Topics of Amazon SNS, separated by commas, whose signed messages to `/hooks/s3` need no token.",
    )

    @field_validator("s3_webhook_token")
    @classmethod
    def _is_one_word(cls, token: SecretStr | None) -> SecretStr | None:
        # It travels in a header; MinIO takes what has several words for something else than a token.
        text = token.get_secret_value() if token else "token"
        if not (text.isascii() and text.isprintable()) or " " in text:
            raise ValueError("S3_WEBHOOK_TOKEN must be one word of plain characters")
        return token

    @property
    def sns_topics(self) -> frozenset[str]:
        """The topics whose messages are known by their signature."""
        return frozenset(arn for part in self.s3_sns_topic_arns.split(",") if (arn := part.strip()))


class UnsafeObjectStore(DocuElevateError):
    """The server promises less than is required of it."""


def object_store(settings: ObjectStoreSettings) -> ObjectStore:
    """The store that the settings name. The S3 client is imported only when it is chosen.

    Raises UnsafeObjectStore where REQUIRE_CONDITIONAL_WRITES is not met. A server that does not answer is tried again
    before the first write that depends on it.
    """
    if settings.kind == "directory":
        return DirectoryObjectStore(settings.data_dir, bucket=settings.s3_bucket)
    from shared.storage.s3 import S3ObjectStore, s3_client

    required = settings.require_conditional_writes
    store = S3ObjectStore(s3_client(settings), settings.s3_bucket, require_conditional_writes=required)
    if required and (weakness := _known_weakness(store)):
        raise UnsafeObjectStore(f"REQUIRE_CONDITIONAL_WRITES is set. {weakness}")
    return store


def _known_weakness(store: ObjectStore) -> str | None:
    try:
        return store.weakness()
    except (ObjectNotFound, Throttled, Unavailable) as error:
        _log.warning("it is not known yet what the object store promises: %s", error)
        return None
