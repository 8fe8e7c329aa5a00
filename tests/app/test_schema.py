"""The schema that the migrations make is the one that the code declares, indexes included."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import QueuePool

from shared.database.engine import writing
from shared.database.tables import Table
from shared.errors import Unavailable


def test_the_migrations_lead_to_the_declared_tables(engine: Engine) -> None:
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Table.metadata) == []


def test_an_exhausted_pool_is_a_database_that_does_not_answer() -> None:
    engine = create_engine("sqlite://", poolclass=QueuePool, pool_size=1, max_overflow=0, pool_timeout=0)
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        with pytest.raises(Unavailable), writing(engine) as session:
            session.execute(text("SELECT 1"))
