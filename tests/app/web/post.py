"""Dead letters as the broker brings them to record."""

import base64
import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, select

from functions.record.handler import Recorder
from shared.database.engine import reading
from shared.database.tables import DeadLetter, Document, DocumentStep, OutboxEvent
from shared.events import (
    DocumentConverted,
    DocumentReceived,
    Event,
    EventData,
    from_json,
    new_event,
    result_id,
)
from shared.storage.port import ObjectStore
from tests.app.web.conftest import Library

BUSY = {"code": "unavailable", "message": "the engine does not answer"}


@dataclass
class Post:
    """Brings letters to record as the broker does."""

    engine: Engine
    store: ObjectStore
    library: Library

    def __post_init__(self) -> None:
        self.record = Recorder(self.engine, self.store)

    def received(self, filename: str = "letter.txt") -> Event:
        """A registered document's first event, archived and gone from the outbox."""
        document_id = self.library.received(filename)
        with reading(self.engine) as session:
            body = session.scalars(select(OutboxEvent.body).where(OutboxEvent.document_id == document_id)).one()
        event = from_json(body)
        self.record.record(event)
        return event

    def given_up(
        self, trigger: str, event: Event, status: int | None = 503, error: Any = BUSY, data: Any = None
    ) -> str:
        """A letter as Knative would send it; its id."""
        attributes = event.attributes() | {"traceparent": "00-1-1-01", "knativearrivaltime": "2026-03-01T12:00:00Z"}
        if status is not None:
            body = error if isinstance(error, bytes) else json.dumps(error).encode()
            data64 = base64.b64encode(body).decode()
            attributes |= {"knativeerrorcode": str(status), "knativeerrordata": data64, "knativeerrordest": "http://x"}
        self.record.bury(trigger, attributes, event.payload if data is None else data)
        with reading(self.engine) as session:
            same = (DeadLetter.trigger == trigger, DeadLetter.event_source == event.source)
            return session.scalars(select(DeadLetter.id).where(*same, DeadLetter.event_id == event.id)).one()

    def letter(self, letter_id: str) -> DeadLetter:
        with reading(self.engine) as session:
            return session.get_one(DeadLetter, letter_id)

    def row(self, event: Event) -> Document:
        with reading(self.engine) as session:
            return session.get_one(Document, event.subject)

    def queued(self) -> list[Event]:
        with reading(self.engine) as session:
            return [from_json(body) for body in session.scalars(select(OutboxEvent.body).order_by(OutboxEvent.number))]

    def step(self, event: Event, name: str) -> DocumentStep:
        with reading(self.engine) as session:
            return session.get_one(DocumentStep, (event.subject, event.runid, name))

    def converted(self, received: Event) -> Event:
        """What convert would have answered."""
        original = DocumentReceived.model_validate(received.payload)
        data = DocumentConverted(
            document_id=received.subject,
            fingerprint="c1",
            input_fingerprint=original.sha256,
            pdf=original.original,
            pages=1,
            converter="text",
        )
        return self._result(data, "convert", received)

    def _result(self, data: EventData, step: str, cause: Event) -> Event:
        event_id = result_id(cause.subject, cause.runid, data.type, data.fingerprint or "")
        return new_event(data, source=f"/docuelevate/functions/{step}", event_id=event_id, cause=cause)
