"""Empty databases of this release, copied from one that is migrated once: to migrate each took most tests longest."""

import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from sqlalchemy import Engine

from shared.database.engine import open_database
from shared.database.schema import migrate
from tests.servers.postgresql import PostgresServer

_TEMPLATE = "migrated"


def new_sqlite(path: Path) -> Engine:
    """A database in this file."""
    path.write_bytes(_migrated_file())
    return open_database(f"sqlite:///{path}")


@contextmanager
def new_postgres(server: PostgresServer) -> Iterator[Engine]:
    """A database of its own on this server, for the length of the block: six hundred of them are gigabytes."""
    name = uuid.uuid4().hex
    engine = open_database(server.create(name, template=_migrated_database(server)))
    try:
        yield engine
    finally:
        engine.dispose()
        server.drop(name)


@cache
def _migrated_file() -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "migrated.db"
        engine = open_database(f"sqlite:///{path}")
        migrate(engine)
        # The last connection to close brings everything into the one file.
        engine.dispose()
        return path.read_bytes()


@cache
def _migrated_database(server: PostgresServer) -> str:
    engine = open_database(server.create(_TEMPLATE))
    migrate(engine)
    engine.dispose()
    return _TEMPLATE
