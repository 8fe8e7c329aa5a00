"""A migration dies at any of its statements, or is started twice at once (F47): the schema is the old or the new one.

Each is a process of its own, on SQLite and on PostgreSQL.
"""

import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Engine, create_engine, event, inspect, text

from shared.database import schema
from shared.database.engine import open_database
from tests.chaos.conftest import Tried, is_full

ROOT = Path(__file__).parents[2]
FIRST = "0001"
LETTER = """
    INSERT INTO dead_letters (id, trigger, event_source, event_id, event_type, message, key, state, arrivals,
    first_at, last_at)
    VALUES ('kept', 'ocr', '/s', 'e', 't', 'kept', 'k', 'open', 1, '2025-01-01 00:00:00', '2025-01-01 00:00:00')
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Makes addresses of empty databases."""

    def make() -> str:
        if request.param == "sqlite":
            return f"sqlite:///{tmp_path / uuid.uuid4().hex}.db"
        return str(request.getfixturevalue("postgres").create(uuid.uuid4().hex))

    return make


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The short form begins at the release before only."""
    if "begin" in metafunc.fixturenames:
        names = {older: "from the release before", str: "from nothing"}
        metafunc.parametrize("begin", names if is_full(metafunc.config) else [older], ids=names.get)


def older(url: str) -> str:
    """A database as the first release has left it, with something in it."""
    engine = open_database(url)
    with engine.connect() as connection, connection.begin():
        config = schema._config()
        config.attributes["connection"] = connection
        command.upgrade(config, FIRST)
        connection.execute(text(LETTER))
    engine.dispose()
    return url


def migrating(url: str, kill_at: int = 0) -> "subprocess.Popen[bytes]":
    """A process that migrates, and kills itself before the statement of that number; 0: never."""
    environment = os.environ | {"KILL_AT": str(kill_at)}
    return subprocess.Popen([sys.executable, "-m", "tests.chaos.migrating", url], env=environment, cwd=ROOT)


def described(url: str) -> dict[str, Any]:
    """Every table with its columns and indexes, the revision, and the row of before."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
    try:
        with engine.connect() as connection:
            inspector = inspect(connection)
            tables = {
                name: (
                    sorted((column["name"], str(column["type"])) for column in inspector.get_columns(name)),
                    sorted(str(index["name"]) for index in inspector.get_indexes(name)),
                )
                for name in inspector.get_table_names()
            }
            kept = connection.execute(text("SELECT id, message FROM dead_letters")).all() if tables else []
            revision = connection.execute(text("SELECT version_num FROM alembic_version")).all() if tables else []
            return {"tables": tables, "kept": [*map(tuple, kept)], "revision": [*map(tuple, revision)]}
    finally:
        engine.dispose()


def statements(url: str) -> int:
    """How many statements a migration of this database has."""
    engine, count = open_database(url), 0

    @event.listens_for(engine, "before_cursor_execute")
    def counted(*_: Any) -> None:
        nonlocal count
        count += 1

    schema.migrate(engine)
    engine.dispose()
    return count


@pytest.mark.timeout(1800)
def test_a_migration_that_is_killed_leaves_the_old_schema_or_the_new(
    fresh: Any, begin: Any, full: bool, tried: Tried
) -> None:
    """F47: SIGKILL before statement 1, 2, 3 …; the next start of any process repairs it; what was there stays."""
    model = begin(fresh())
    before = described(model)
    count = statements(model)
    after = described(model)
    assert count > 10
    for number in range(1, count + 1, 1 if full else max(count // 2, 1)):
        url = begin(fresh())
        assert migrating(url, number).wait(60) == -9
        assert described(url)["tables"] in (before["tables"], {}), f"statement {number}"
        migrate(open_database(url))
        assert described(url) == after, f"statement {number}"
        tried("migration killed before a statement")


def test_migrations_that_are_started_at_once_end_well_all_of_them(fresh: Any, begin: Any, full: bool) -> None:
    """F47: as many pods do that start together; one migrates, the others wait and find it done."""
    model = begin(fresh())
    migrate(open_database(model))
    for _ in range(5 if full else 1):
        url = begin(fresh())
        processes = [migrating(url) for _ in range(4)]
        assert [process.wait(120) for process in processes] == [0] * 4
        assert described(url) == described(model)


@pytest.mark.full_form
def test_one_that_waits_for_a_migration_that_dies_migrates_itself(fresh: Any) -> None:
    """F47: the lock goes with the process that held it."""
    url, model = older(fresh()), older(fresh())
    migrate(open_database(model))
    dying, waiting = migrating(url, 8), migrating(url)
    # The one that is to die finds little to do where it comes second.
    assert (dying.wait(60), waiting.wait(60)) in ((-9, 0), (0, 0))
    assert described(url) == described(model)


def migrate(engine: Engine) -> None:
    schema.migrate(engine)
    engine.dispose()
