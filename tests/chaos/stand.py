"""The whole product on real servers: PostgreSQL, and S3 behind a proxy that can go wrong."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from shared.database.engine import open_database
from shared.publisher import HttpEventPublisher
from shared.search.port import SearchReader
from shared.storage.port import ObjectStore
from shared.storage.s3 import S3ObjectStore
from tests.chaos.load import Sent, check, sending, settle
from tests.servers.buckets import new_bucket
from tests.servers.ceph import S3Server
from tests.servers.docuelevate import Instance, running
from tests.servers.postgresql import PostgresServer
from tests.servers.s3_proxy import S3Proxy, s3_proxy
from web.sweep import Sweep, Swept


@dataclass(frozen=True)
class Stand:
    """The product, its proxy, and the way around it: `store` sees the S3 server as it is."""

    instance: Instance
    proxy: S3Proxy
    store: S3ObjectStore
    database_url: str
    environment: dict[str, str]

    def upload(self, files: dict[str, bytes]) -> Sent:
        """Send files, wait until they are done, check that nothing is lost, doubled or half."""
        with sending(files, self.instance.url, clients=4) as (sent, _):
            pass
        self.check(sent)
        return sent

    def check(self, sent: Sent) -> None:
        """As `check`, of what was sent just now."""
        names = set(sent.accepted)
        documents = [one for one in settle(self.instance, sent) if one["filename"] in names]
        sent.require_sentences()
        check(sent, documents, self.store, self.database_url)


@contextmanager
def standing(data: Path, postgres: PostgresServer, s3_server: S3Server, **more: str) -> Iterator[Stand]:
    """The product on a database and a bucket of its own."""
    database_url = postgres.create(uuid.uuid4().hex)
    with new_bucket(s3_server) as store, s3_proxy(s3_server.endpoint_url) as proxy:
        environment = {
            "S3_ENDPOINT_URL": proxy.url,
            "S3_BUCKET": store.bucket,
            "AWS_ACCESS_KEY_ID": s3_server.access_key_id,
            "AWS_SECRET_ACCESS_KEY": s3_server.secret_access_key,
            "DATABASE_URL": database_url,
            **more,
        }
        with running(data, **environment) as instance:
            yield Stand(instance, proxy, store, database_url, environment)


def sweep_in(
    ahead: timedelta, database_url: str, store: ObjectStore, broker_url: str, search: SearchReader | None = None
) -> Swept:
    """Sweep as if so much time had passed; with `search` it looks whether the index is still the same."""
    engine = open_database(database_url)
    generation = (lambda: search.generation) if search else None
    try:
        return Sweep(engine, store, HttpEventPublisher(broker_url), generation=generation).run(
            datetime.now(UTC) + ahead
        )
    finally:
        engine.dispose()
