"""Brings the schema up to the code. Safe when several processes start at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine, inspect, text

from shared.database.engine import translated
from shared.database.tables import Table
from shared.errors import DocuElevateError

_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x646F6375656C
"""The advisory lock that migrations hold on PostgreSQL; any number of our own."""


class SchemaMismatch(DocuElevateError):
    """After migrating, the database still lacks tables or columns that the code needs."""


def migrate(engine: Engine) -> str:
    """Apply every outstanding revision in one transaction and return the revision reached.

    Raises SchemaMismatch when the result is not what the code needs (the exit of a migration tool proves nothing), and
    Unavailable where the database does not answer.
    """
    with translated(), engine.connect() as connection, one_at_a_time(connection):
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        _assert_complete(connection)
        return _revision(connection) or ""


def create_revision(engine: Engine, message: str) -> None:
    """Write a new revision from the difference between the tables and the database (for developers)."""
    with engine.connect() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.revision(config, message=message, autogenerate=True)


@contextmanager
def one_at_a_time(connection: Connection) -> Iterator[None]:
    """A transaction that no other migration of this database runs beside."""
    # The transaction is opened before Alembic is configured: Alembic then joins it instead of rolling its own back.
    with connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        yield


def _assert_complete(connection: Connection) -> None:
    inspector = inspect(connection)
    for table in Table.metadata.tables.values():
        if not inspector.has_table(table.name):
            raise SchemaMismatch(f"the table {table.name} is missing after the migration")
        found = {column["name"] for column in inspector.get_columns(table.name)}
        if absent := {column.name for column in table.columns} - found:
            raise SchemaMismatch(f"{table.name} lacks {', '.join(sorted(absent))} after the migration")


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    return config
