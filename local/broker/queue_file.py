"""The broker's memory: one SQLite file in which every (event, trigger) that is still to be delivered is a row.

A change is on the disk when its call returns; changes that come together share one commit, so that safety costs one
sync per burst. Rows that are done are removed, and the file's pages are used again.
"""

import asyncio
import contextlib
import json
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from local.broker.message import Message

_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY,
    attributes TEXT NOT NULL,
    data BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY,
    event_id INTEGER NOT NULL REFERENCES events (id),
    trigger TEXT NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0,
    due REAL NOT NULL,      -- seconds since the epoch
    error TEXT              -- JSON; set: this is the dead letter, to be sent with these attributes
) STRICT;
CREATE INDEX IF NOT EXISTS deliveries_event ON deliveries (event_id);
"""
_LARGEST_BATCH = 500
_WAL_BYTES = 4 * 1024 * 1024

_T = TypeVar("_T")
_Change = Callable[[sqlite3.Connection], Any]


class QueueUnavailable(Exception):
    """The queue file takes nothing at the moment (disk full, file gone); nothing was changed."""


@dataclass(frozen=True)
class Pending:
    """One delivery that is still to be made. `due` in seconds since the epoch."""

    id: int
    trigger: str
    failures: int
    due: float
    is_dead_letter: bool


@dataclass(frozen=True)
class Stored:
    """The event of a delivery, and for a dead letter the attributes that say why."""

    message: Message
    error: Mapping[str, str]


@dataclass(frozen=True)
class Addition:
    """An event to be kept, and the triggers that want it."""

    message: Message
    triggers: tuple[str, ...]


class QueueFile:
    """The queue file of one broker. One process opens it at a time (the runner's lock sees to that)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._changes: queue.SimpleQueue[tuple[_Change, asyncio.Future[Any]] | None] = queue.SimpleQueue()
        self._reader = _connect(path)
        self._reader.executescript(_SCHEMA)
        self._thread = threading.Thread(target=self._write_loop, name="queue-file", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what was handed in, then close the file."""
        self._changes.put(None)
        self._thread.join()
        self._reader.close()

    def pending(self) -> list[Pending]:
        """Every delivery that is still to be made, oldest first."""
        rows = self._reader.execute("SELECT id, trigger, failures, due, error FROM deliveries ORDER BY id")
        return [Pending(id_, trigger, failures, due, error is not None) for id_, trigger, failures, due, error in rows]

    def read(self, delivery_id: int) -> Stored:
        """The event of a delivery. Raises KeyError where there is none."""
        row = self._reader.execute(
            "SELECT attributes, data, error FROM deliveries JOIN events ON events.id = event_id"
            " WHERE deliveries.id = ?",
            (delivery_id,),
        ).fetchone()
        if row is None:
            raise KeyError(delivery_id)
        return Stored(Message(json.loads(row[0]), row[1]), json.loads(row[2] or "{}"))

    async def add(self, addition: Addition, now: float) -> list[Pending]:
        """Keep an event for its triggers, due at once. Raises QueueUnavailable, as every change does."""
        return await self._commit(lambda connection: _insert(connection, addition, now))

    async def finish(self, delivery_id: int, reply: Addition | None, now: float) -> list[Pending]:
        """Forget a delivery and, in the same transaction, keep what was replied to it."""

        def change(connection: sqlite3.Connection) -> list[Pending]:
            added = _insert(connection, reply, now) if reply else []
            _remove(connection, delivery_id)
            return added

        return await self._commit(change)

    async def postpone(self, delivery_id: int, failures: int, due: float) -> None:
        """Note a failed attempt and when the next one is due."""
        await self._commit(
            _update("UPDATE deliveries SET failures = ?, due = ? WHERE id = ?", (failures, due, delivery_id))
        )

    async def bury(self, delivery_id: int, error: Mapping[str, str], now: float) -> None:
        """Turn a delivery into its dead letter, due at once."""
        await self._commit(
            _update(
                "UPDATE deliveries SET failures = 0, due = ?, error = ? WHERE id = ?",
                (now, json.dumps(dict(error)), delivery_id),
            )
        )

    async def _commit(self, change: Callable[[sqlite3.Connection], _T]) -> _T:
        future: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        self._changes.put((change, future))
        return await future

    def _write_loop(self) -> None:
        connection = _connect(self._path)
        with contextlib.closing(connection):
            while batch := _next_batch(self._changes):
                _settle(batch, _write(connection, [change for change, _ in batch]))


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    # Events that were delivered name files: they are overwritten, so that a purge need not look for them here.
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
    return connection


def _next_batch(
    changes: "queue.SimpleQueue[tuple[_Change, asyncio.Future[Any]] | None]",
) -> list[tuple[_Change, asyncio.Future[Any]]]:
    """Wait for a change, and take along those that came meanwhile. Empty when the file is to be closed."""
    batch: list[tuple[_Change, asyncio.Future[Any]]] = []
    item = changes.get()
    while item is not None:
        batch.append(item)
        if len(batch) >= _LARGEST_BATCH or changes.empty():
            return batch
        item = changes.get()
    if batch:
        changes.put(None)
    return batch


def _write(connection: sqlite3.Connection, changes: Iterable[_Change]) -> list[Any] | sqlite3.Error:
    """The results of all changes in one transaction, or the error that undid all of them."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        results = [change(connection) for change in changes]
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        return error
    return results


def _settle(batch: list[tuple[_Change, asyncio.Future[Any]]], outcome: list[Any] | sqlite3.Error) -> None:
    def resolve() -> None:
        for position, (_, future) in enumerate(batch):
            if future.done():
                continue
            if isinstance(outcome, sqlite3.Error):
                future.set_exception(QueueUnavailable(str(outcome)))
            else:
                future.set_result(outcome[position])

    # A loop that has ended has nobody left who waits.
    with contextlib.suppress(RuntimeError):
        batch[0][1].get_loop().call_soon_threadsafe(resolve)


def _update(statement: str, values: tuple[Any, ...]) -> Callable[[sqlite3.Connection], None]:
    def change(connection: sqlite3.Connection) -> None:
        connection.execute(statement, values)

    return change


def _insert(connection: sqlite3.Connection, addition: Addition, now: float) -> list[Pending]:
    if not addition.triggers:
        return []
    event_id = connection.execute(
        "INSERT INTO events (attributes, data) VALUES (?, ?)",
        (json.dumps(dict(addition.message.attributes)), addition.message.data),
    ).lastrowid
    added = []
    for trigger in addition.triggers:
        delivery_id = connection.execute(
            "INSERT INTO deliveries (event_id, trigger, due) VALUES (?, ?, ?)", (event_id, trigger, now)
        ).lastrowid
        assert delivery_id is not None
        added.append(Pending(delivery_id, trigger, 0, now, False))
    return added


def _remove(connection: sqlite3.Connection, delivery_id: int) -> None:
    row = connection.execute("DELETE FROM deliveries WHERE id = ? RETURNING event_id", (delivery_id,)).fetchone()
    if row is not None:
        connection.execute(
            "DELETE FROM events WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM deliveries WHERE event_id = ?1)", row
        )
