"""What stands beside the cluster: database, object store and search server, given or started here."""

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, text

from shared.database.engine import open_database
from shared.storage.s3 import S3ObjectStore, s3_client
from shared.storage.settings import ObjectStoreSettings
from tests.cluster.settings import E2eSettings
from tests.servers.meilisearch import WRITE_KEY, meilisearch
from tests.servers.postgresql import postgres_server
from tests.servers.s3_servers import ACCESS_KEY, SECRET_KEY, minio

WEBHOOK_TOKEN = secrets.token_hex(16)


@dataclass(frozen=True)
class Surroundings:
    """Addresses and keys, and clients of them."""

    database_url: str
    s3_endpoint_url: str
    access_key_id: str
    secret_access_key: str
    bucket: str
    meilisearch_url: str | None
    meilisearch_api_key: str
    notifies: bool
    """Whether the object store tells web of dropped files."""
    engine: Engine
    store: S3ObjectStore

    def count(self, query: str) -> int:
        """A number out of the database."""
        with self.engine.connect() as connection:
            return int(connection.execute(text(query)).scalar() or 0)

    def digests(self, prefix: str) -> dict[str, str]:
        """The etag of every object below a prefix."""
        return {info.key: info.etag for info in self.store.list(prefix)}


@contextmanager
def surroundings(settings: E2eSettings, hook_url: str) -> Iterator[Surroundings]:
    """Start what is not given. A MinIO of ours posts its notifications to `hook_url`."""
    with ExitStack() as stack:
        database_url, s3_url = settings.database_url, settings.s3_endpoint_url
        access, secret = settings.s3_access_key_id or "", settings.s3_secret_access_key or ""
        search_url, search_key = settings.meilisearch_url, settings.meilisearch_api_key
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="e2e-", ignore_cleanup_errors=True)))
        if settings.host and not database_url:
            postgres = directory / "postgresql"
            postgres.mkdir()
            database_url = stack.enter_context(postgres_server(postgres, settings.host)).create("docuelevate")
        if settings.host and not s3_url:
            (directory / "minio").mkdir()
            target = {
                "MINIO_NOTIFY_WEBHOOK_ENABLE_docuelevate": "on",
                "MINIO_NOTIFY_WEBHOOK_ENDPOINT_docuelevate": hook_url,
                "MINIO_NOTIFY_WEBHOOK_AUTH_TOKEN_docuelevate": f"Bearer {WEBHOOK_TOKEN}",
                "MINIO_NOTIFY_WEBHOOK_QUEUE_DIR_docuelevate": str(directory / "events"),
            }
            server = stack.enter_context(minio(directory / "minio", settings.host, **target))
            s3_url, access, secret = server.endpoint_url, ACCESS_KEY, SECRET_KEY
        if settings.host and not search_url:
            stand_in = stack.enter_context(meilisearch(settings.host))
            stand_in.polls_needed = 1
            search_url, search_key = stand_in.url, WRITE_KEY
        assert database_url and s3_url
        bucket = f"e2e-{secrets.token_hex(4)}"
        client = s3_client(
            ObjectStoreSettings(
                object_store="s3",
                s3_endpoint_url=s3_url,
                s3_bucket=bucket,
                aws_access_key_id=access,
                aws_secret_access_key=secret,
            )
        )
        stack.callback(client.close)
        client.create_bucket(Bucket=bucket)
        engine = open_database(database_url)
        stack.callback(engine.dispose)
        yield Surroundings(
            database_url,
            s3_url,
            access,
            secret,
            bucket,
            search_url,
            search_key,
            notifies=settings.s3_endpoint_url is None,
            engine=engine,
            store=S3ObjectStore(client, bucket),
        )
