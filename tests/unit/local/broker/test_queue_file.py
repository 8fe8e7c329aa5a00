import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.broker.message import Message
from local.broker.queue_file import Addition, QueueFile, QueueUnavailable

MESSAGE = Message({"id": "1", "subject": "ü"}, b"\x00data")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queue.db"


@pytest.fixture
def queue_file(path: Path) -> Iterator[QueueFile]:
    opened = QueueFile(path)
    yield opened
    opened.close()


def rows(path: Path, table: str) -> int:
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
    finally:
        connection.close()


def test_event_is_kept_once_per_trigger(queue_file: QueueFile, path: Path) -> None:
    added = asyncio.run(queue_file.add(Addition(MESSAGE, ("a", "b")), now=5.0))
    assert [(pending.trigger, pending.due, pending.failures) for pending in added] == [("a", 5.0, 0), ("b", 5.0, 0)]
    assert queue_file.pending() == added
    assert queue_file.read(added[0].id).message == MESSAGE
    assert rows(path, "events") == 1


def test_event_that_nobody_wants_is_not_kept(queue_file: QueueFile, path: Path) -> None:
    assert asyncio.run(queue_file.add(Addition(MESSAGE, ()), now=5.0)) == []
    assert rows(path, "events") == 0


def test_event_goes_with_its_last_delivery(queue_file: QueueFile, path: Path) -> None:
    async def scenario() -> list[int]:
        first, second = await queue_file.add(Addition(MESSAGE, ("a", "b")), now=5.0)
        await queue_file.finish(first.id, None, now=6.0)
        between = rows(path, "events")
        await queue_file.finish(second.id, None, now=6.0)
        return [between, rows(path, "events"), rows(path, "deliveries")]

    assert asyncio.run(scenario()) == [1, 0, 0]


def test_reply_takes_the_place_of_what_it_answers(queue_file: QueueFile) -> None:
    async def scenario() -> None:
        (pending,) = await queue_file.add(Addition(MESSAGE, ("a",)), now=5.0)
        await queue_file.finish(pending.id, Addition(MESSAGE, ("b",)), now=6.0)

    asyncio.run(scenario())
    assert [pending.trigger for pending in queue_file.pending()] == ["b"]


def test_failures_and_dead_letters_outlive_the_process(queue_file: QueueFile, path: Path) -> None:
    async def scenario() -> None:
        postponed, buried = await queue_file.add(Addition(MESSAGE, ("a", "b")), now=5.0)
        await queue_file.postpone(postponed.id, failures=2, due=9.0)
        await queue_file.bury(buried.id, {"knativeerrorcode": "422"}, now=7.0)

    asyncio.run(scenario())
    reopened = QueueFile(path)
    waiting, letter = reopened.pending()
    assert (waiting.failures, waiting.due, waiting.is_dead_letter) == (2, 9.0, False)
    assert (letter.failures, letter.due, letter.is_dead_letter) == (0, 7.0, True)
    assert reopened.read(letter.id).error == {"knativeerrorcode": "422"}
    reopened.close()


def test_simultaneous_changes_are_all_kept(queue_file: QueueFile) -> None:
    async def scenario() -> None:
        await asyncio.gather(*(queue_file.add(Addition(MESSAGE, ("a",)), now=5.0) for _ in range(2000)))

    asyncio.run(scenario())
    assert len(queue_file.pending()) == 2000


def test_file_that_takes_nothing_says_so_and_recovers(queue_file: QueueFile, path: Path) -> None:
    intruder = sqlite3.connect(path)
    intruder.execute("ALTER TABLE deliveries RENAME TO elsewhere")
    with pytest.raises(QueueUnavailable):
        asyncio.run(queue_file.add(Addition(MESSAGE, ("a",)), now=5.0))
    intruder.execute("ALTER TABLE elsewhere RENAME TO deliveries")
    intruder.close()
    asyncio.run(queue_file.add(Addition(MESSAGE, ("a",)), now=5.0))
    assert len(queue_file.pending()) == 1
    assert rows(path, "events") == 1
