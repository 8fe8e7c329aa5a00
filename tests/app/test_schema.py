"""The schema that the migrations make is the one that the code declares, indexes included."""

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import QueuePool

from shared.database.engine import open_database, reading, writing
from shared.database.readiness import require_current
from shared.database.schema import migrate
from shared.database.tables import Table
from shared.errors import Unavailable

ROOT = Path(__file__).parents[2]


def test_the_migrations_lead_to_the_declared_tables(engine: Engine) -> None:
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Table.metadata) == []


def test_alembic_typed_by_hand_does_what_migrate_does(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'docuelevate.db'}"
    command = [sys.executable, "-m", "alembic", "-c", str(ROOT / "alembic.ini"), "upgrade", "head"]
    subprocess.run(command, cwd=tmp_path, env={"PATH": "/usr/bin:/bin", "DATABASE_URL": url}, check=True)
    engine = open_database(url)
    require_current(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Table.metadata) == []


def test_an_exhausted_pool_is_a_database_that_does_not_answer() -> None:
    engine = create_engine("sqlite://", poolclass=QueuePool, pool_size=1, max_overflow=0, pool_timeout=0)
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        with pytest.raises(Unavailable), writing(engine) as session:
            session.execute(text("SELECT 1"))


def test_sweep_reads_no_document_that_is_neither_stalled_nor_behind(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'docuelevate.db'}")
    migrate(engine)
    with reading(engine) as session:
        for condition in ("indexed_version < version AND status != 'processing'", "status = 'processing'"):
            [plan] = session.execute(text(f"EXPLAIN QUERY PLAN SELECT * FROM documents WHERE {condition}")).all()
            assert "USING INDEX" in plan.detail
