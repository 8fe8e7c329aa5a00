"""The outbox relay: order, failures, replicas."""

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import Engine, func, select, update

from shared.database.documents import enqueue
from shared.database.engine import reading, writing
from shared.database.tables import OutboxEvent
from shared.documents import new_document_id
from shared.events import DocumentUpdated, new_event, version_id
from tests.app.web.conftest import RecordingPublisher
from web.outbox import Relay, pause_seconds

ONE, OTHER = new_document_id(), new_document_id()


@pytest.fixture
def database(engine: Engine) -> Engine:
    return engine


def queue(database: Engine, document_id: str, *versions: int) -> None:
    with writing(database) as session:
        for version in versions:
            data = DocumentUpdated(document_id=document_id, version=version)
            event_id = version_id(document_id, data.type, version)
            enqueue(session, new_event(data, source="/docuelevate/web", event_id=event_id))


def waiting(database: Engine) -> int:
    with reading(database) as session:
        return session.scalar(select(func.count()).select_from(OutboxEvent)) or 0


def all_due(database: Engine) -> None:
    with writing(database) as session:
        session.execute(update(OutboxEvent).values(not_before=OutboxEvent.created_at))


def drain(relay: Relay) -> None:
    while relay.send_due():
        pass


def sent(publisher: RecordingPublisher, document_id: str) -> list[int]:
    return [event.payload["version"] for event in publisher.events if event.subject == document_id]


async def until(happened: Callable[[], bool]) -> None:
    """Look until it has happened; the test's own time limit ends what never does."""
    while not await asyncio.to_thread(happened):  # noqa: ASYNC110 -- the relay tells nobody
        await asyncio.sleep(0.02)


def test_events_of_a_document_leave_in_order_and_rows_with_them(
    database: Engine, publisher: RecordingPublisher
) -> None:
    queue(database, ONE, 1, 2, 3)
    queue(database, OTHER, 1)
    drain(Relay(database, publisher))
    assert sent(publisher, ONE) == [1, 2, 3] and sent(publisher, OTHER) == [1]
    assert waiting(database) == 0


def test_a_refused_event_holds_back_its_document_only(database: Engine, publisher: RecordingPublisher) -> None:
    queue(database, ONE, 1, 2)
    queue(database, OTHER, 1, 2)
    publisher.refuses = lambda event: event.subject == ONE
    relay = Relay(database, publisher)
    for _ in range(4):
        relay.send_due()
    assert sent(publisher, OTHER) == [1, 2] and sent(publisher, ONE) == []
    publisher.refuses = lambda event: False
    all_due(database)
    drain(relay)
    assert sent(publisher, ONE) == [1, 2] and waiting(database) == 0


@pytest.mark.parametrize("body", ["", "{", "[]", "{}", '{"id": "1", "data": 7}'])
def test_a_row_that_cannot_be_read_holds_up_nothing(database: Engine, publisher: RecordingPublisher, body: str) -> None:
    queue(database, ONE, 1, 2)
    queue(database, OTHER, 1)
    with writing(database) as session:
        first = session.scalar(select(func.min(OutboxEvent.number)))
        session.execute(update(OutboxEvent).where(OutboxEvent.number == first).values(body=body))
    relay = Relay(database, publisher)
    for _ in range(3):
        relay.send_due()
    assert (sent(publisher, ONE), sent(publisher, OTHER)) == ([2], [1])
    with reading(database) as session:
        [left] = session.scalars(select(OutboxEvent)).all()
    assert left.number == first and left.problem and left.attempts == 1


def test_a_row_that_can_be_read_again_is_sent_after_all(database: Engine, publisher: RecordingPublisher) -> None:
    queue(database, ONE, 1)
    with writing(database) as session:
        session.execute(update(OutboxEvent).values(problem="of a later release"))
    assert Relay(database, publisher).send_due() == 1
    assert (sent(publisher, ONE), waiting(database)) == ([1], 0)


def test_a_failure_is_counted_and_put_off(database: Engine, publisher: RecordingPublisher) -> None:
    queue(database, ONE, 1)
    # So many before that the next pause is half a minute at least: longer than this test can be held up.
    with writing(database) as session:
        session.execute(update(OutboxEvent).values(attempts=9))
    publisher.refuses = lambda event: True
    relay = Relay(database, publisher)
    assert relay.send_due() is None
    assert relay.send_due() == 0
    with reading(database) as session:
        row = session.scalars(select(OutboxEvent)).one()
    assert row.attempts == 10 and row.not_before > row.created_at


def test_what_a_crashed_relay_has_claimed_is_sent_later(database: Engine, publisher: RecordingPublisher) -> None:
    queue(database, ONE, 1)
    crashed = Relay(database, publisher)
    assert len(crashed._claim()) == 1
    relay = Relay(database, publisher)
    assert relay.send_due() == 0
    all_due(database)
    assert relay.send_due() == 1


async def test_two_relays_send_everything(database: Engine) -> None:
    for number in range(30):
        queue(database, new_document_id(), *range(1, 3 + number % 2))
    publishers = [RecordingPublisher(), RecordingPublisher()]
    relays = [Relay(database, publisher, batch=5, poll_seconds=0.02) for publisher in publishers]
    tasks = [asyncio.create_task(relay.run()) for relay in relays]
    await until(lambda: waiting(database) == 0)
    for task in tasks:
        task.cancel()
    assert len({event.id for publisher in publishers for event in publisher.events}) == 75


async def test_a_wake_up_is_heard_from_any_thread(database: Engine, publisher: RecordingPublisher) -> None:
    relay = Relay(database, publisher, poll_seconds=3600)
    task = asyncio.create_task(relay.run())
    await asyncio.sleep(0.2)
    await asyncio.to_thread(queue, database, ONE, 1)
    await asyncio.to_thread(relay.wake)
    await until(lambda: bool(publisher.events))
    task.cancel()


def test_pauses_grow_to_a_minute() -> None:
    assert 0.5 <= pause_seconds(1) <= 1.0
    assert all(pause_seconds(failures) <= 60 for failures in range(1, 100))


pytestmark = pytest.mark.anyio
