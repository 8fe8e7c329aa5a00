"""The relay and record both let go of outbox rows; neither may take away what the other has not seen."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, select

from functions.record.handler import Recorder
from shared.database.documents import Arrival, register
from shared.database.engine import reading, writing
from shared.database.tables import OutboxEvent
from shared.documents import new_document_id
from shared.events import Event
from shared.storage import keys
from shared.storage.directory import DirectoryObjectStore
from web.outbox import Relay


@dataclass
class Delivering:
    """A broker so fast that the event has been recorded before the publisher hears that it was accepted."""

    deliver: Callable[[Event], object]

    def publish(self, event: Event) -> None:
        self.deliver(event)


def test_an_event_queued_while_another_is_recorded_is_not_lost(engine: Engine, tmp_path: Path) -> None:
    store = DirectoryObjectStore(tmp_path / "objects")

    def queue(content: bytes) -> str:
        document_id = new_document_id()
        original = store.put(keys.original(document_id), content, media_type="text/plain")
        with writing(engine) as session:
            register(session, Arrival(document_id, "run", original, "a.txt", "api"), source="/s")
        return document_id

    later: list[str] = []

    def record_and_queue_the_next(event: Event) -> None:
        Recorder(engine, store).record(event)
        later.append(queue(b"second"))

    queue(b"first")
    Relay(engine, Delivering(record_and_queue_the_next)).send_due()
    with reading(engine) as session:
        assert [row.document_id for row in session.scalars(select(OutboxEvent))] == later
