"""Fresh buckets on the S3 server of the tests."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

from botocore.exceptions import ClientError

from shared.storage.s3 import S3ObjectStore, s3_client
from shared.storage.settings import ObjectStoreSettings
from tests.servers.ceph import S3Server

_REMOVALS = 3


def settings_for(server: S3Server, bucket: str) -> ObjectStoreSettings:
    """What the environment of a process would say."""
    return ObjectStoreSettings(
        object_store="s3",
        s3_endpoint_url=server.endpoint_url,
        s3_bucket=bucket,
        aws_access_key_id=server.access_key_id,
        aws_secret_access_key=server.secret_access_key,
    )


@contextmanager
def new_bucket(server: S3Server, *, versioned: bool = False) -> Iterator[S3ObjectStore]:
    """A store on an empty bucket, removed afterwards."""
    bucket = f"test-{secrets.token_hex(8)}"
    client = _client(server)
    client.create_bucket(Bucket=bucket)
    if versioned:
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    try:
        yield S3ObjectStore(client, bucket)
    finally:
        _remove(client, bucket)


@cache
def _client(server: S3Server) -> Any:
    # To make one takes longer than most tests: it reads megabytes of descriptions.
    return s3_client(settings_for(server, ""))


def _remove(client: Any, bucket: str) -> None:
    S3ObjectStore(client, bucket).remove_leftovers(0)
    for _ in range(_REMOVALS):
        for key, version in [*_everything(client, bucket)]:
            client.delete_object(Bucket=bucket, Key=key, **version)
        with suppress(client.exceptions.ClientError):
            client.delete_bucket(Bucket=bucket)
            return
    # Some servers keep the folder of an upload that was broken off, or a file that several wrote at once. It goes with
    # their directory.


def _everything(client: Any, bucket: str) -> Iterator[tuple[str, dict[str, str]]]:
    try:
        for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for entry in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                yield entry["Key"], {"VersionId": entry["VersionId"]}
    except ClientError as error:
        # Servers without versions.
        if error.response["Error"]["Code"] != "NotImplemented":
            raise
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            yield from ((entry["Key"], {}) for entry in page.get("Contents", ()))
