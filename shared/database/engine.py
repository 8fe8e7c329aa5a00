"""Connections and transactions for SQLite and PostgreSQL. No table is named here."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.orm import Session

from shared.errors import Unavailable

BUSY_TIMEOUT_SECONDS = 30
_FULL = ("disk is full", "No space left on device")
"""What SQLite and PostgreSQL say of it."""


def open_database(url: str, *, pool_size: int = 4) -> Engine:
    """An engine for `sqlite:///…` or `postgresql://…`. Connects lazily; survives a restart of the server."""
    if url.startswith("sqlite"):
        return _sqlite(url)
    return create_engine(
        url.replace("postgresql://", "postgresql+psycopg://", 1),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        pool_recycle=300,
        connect_args={"connect_timeout": 10, "options": "-c statement_timeout=60000 -c lock_timeout=30000"},
    )


def _sqlite(url: str) -> Engine:
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        # The driver's own implicit BEGIN is deferred; ours has to take the write lock at once, so it is switched off.
        connection.isolation_level = None
        # What is deleted is overwritten: else the text of a purged document stays in the file's free pages.
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        read_only = connection.get_execution_options().get("read_only", False)
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """One write transaction, committed at the end. Raises Unavailable where the database does not answer."""
    with translated(), Session(engine, expire_on_commit=False) as session, session.begin():
        yield session


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """One read transaction: a consistent view that takes no lock on SQLite."""
    with translated(), Session(engine.execution_options(read_only=True), expire_on_commit=False) as session:
        yield session


@contextmanager
def translated() -> Iterator[None]:
    """Raise Unavailable where the database does not answer; bugs stay what they are."""
    try:
        yield
    except OperationalError as error:
        is_full = any(words in str(error.orig) for words in _FULL)
        raise Unavailable(f"the {'disk of the database is full' if is_full else 'database does not answer'}") from error
    except PoolExhausted as error:
        raise Unavailable("all connections to the database are in use") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise Unavailable("the database connection was lost") from error
        raise
