"""Fresh buckets on the S3 server of the tests."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from shared.storage.s3 import S3ObjectStore, s3_client
from shared.storage.settings import ObjectStoreSettings
from tests.servers.ceph import S3Server


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
    client = s3_client(settings_for(server, bucket))
    client.create_bucket(Bucket=bucket)
    if versioned:
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    try:
        yield S3ObjectStore(client, bucket)
    finally:
        _remove(client, bucket)
        client.close()


def _remove(client: Any, bucket: str) -> None:
    for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for entry in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
            client.delete_object(Bucket=bucket, Key=entry["Key"], VersionId=entry["VersionId"])
    client.delete_bucket(Bucket=bucket)
