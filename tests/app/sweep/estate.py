"""A database and a store with some documents in it, and a sweep over them."""

import hashlib
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Engine, delete, select

from functions.ingest.handler import Ingester
from functions.record.handler import Recorder
from shared.database.documents import Arrival, register
from shared.database.engine import reading, writing
from shared.database.tables import Document, DocumentStep, Finding, OutboxEvent
from shared.documents import Step, new_document_id
from shared.errors import Unavailable
from shared.events import Event, ObjectCreated, RunOptions
from shared.originals import Provenance
from shared.step import Deadline, StepContext
from shared.storage import keys
from shared.storage.port import ObjectStore
from web.sweep import STILL_WRITING, Sweep, Swept

T = TypeVar("T")


@dataclass
class Broker:
    """A publisher that remembers, and can be away."""

    events: list[Event] = field(default_factory=list)
    is_down: bool = False

    def publish(self, event: Event) -> None:
        if self.is_down:
            raise Unavailable("the broker does not answer")
        self.events.append(event)


class Estate:
    """Everything that a sweep looks at. Time goes on by `hours`."""

    def __init__(self, engine: Engine, store: ObjectStore) -> None:
        self.engine = engine
        self.store = store
        self.broker = Broker()
        self.record = Recorder(engine, store)
        self.sweep = Sweep(engine, store, self.broker)
        self.now = datetime.now(UTC)

    def swept(self, *, after: timedelta = timedelta(0), report: bool = False) -> Swept:
        """Sweep after some more time has gone by."""
        self.now += after
        return self.sweep.run(self.now, report=report)

    def late(self) -> Swept:
        """Sweep when nobody can still be writing, and every walk is due again."""
        return self.swept(after=STILL_WRITING * 3)

    def original(self, body: bytes = b"x", provenance: Provenance | None = None, **metadata: str) -> str:
        """The original of a document that has no row; its id."""
        document_id = new_document_id()
        about = provenance.to_metadata() if provenance else metadata
        self.store.put(keys.original(document_id), body, media_type="text/plain", metadata=about)
        return document_id

    def document(self, body: bytes = b"x", *, status: str = "ready", **values: Any) -> str:
        """A document whose events have all been heard."""
        document_id = new_document_id()
        original = self.store.put(keys.original(document_id), body, media_type="text/plain")
        arrival = Arrival(document_id, str(uuid.uuid4()), original, "a.txt", "api", options=RunOptions())
        with writing(self.engine) as session:
            assert register(session, arrival, source="/docuelevate/web").event is not None
            session.execute(delete(OutboxEvent))
        self.change(document_id, status=status, indexed_version=1, **values)
        return document_id

    def change(self, document_id: str, **values: Any) -> None:
        with writing(self.engine) as session:
            row = session.get_one(Document, document_id)
            for name, value in values.items():
                setattr(row, name, value)

    def with_result(self, document_id: str, step: Step = Step.CONVERT) -> str:
        """Give the row a PDF; its key."""
        prefix = keys.work_prefix(document_id, step.value, "f" * 64)
        pdf = self.store.put(f"{prefix}attempt-1/document.pdf", b"%PDF", media_type="application/pdf")
        result = {"document_id": document_id, "pdf": pdf.model_dump(mode="json"), "pages": 1, "converter": "x"}
        row = self.row(document_id)
        self.change(document_id, converted=result | {"fingerprint": "f", "input_fingerprint": row.sha256})
        return pdf.key

    def row(self, document_id: str) -> Document:
        with reading(self.engine) as session:
            return session.get_one(Document, document_id)

    def rows(self, table: type[T]) -> list[T]:
        with reading(self.engine) as session:
            return list(session.scalars(select(table)))

    def findings(self) -> list[tuple[str, str]]:
        return sorted((row.kind, row.document_id or row.key) for row in self.rows(Finding))

    def steps(self, document_id: str) -> dict[str, str]:
        with reading(self.engine) as session:
            row = session.get_one(Document, document_id)
            query = select(DocumentStep).where(DocumentStep.document_id == document_id, DocumentStep.runid == row.runid)
            return {step.step: step.state for step in session.scalars(query)}

    def keys(self, prefix: str = "") -> list[str]:
        return [info.key for info in self.store.list(prefix)]

    def ingest(self, event: Event, **options: Any) -> Event | None:
        """What the ingest function would answer to an announcement."""
        context = StepContext(Step.INGEST, "1", event, self.store, Deadline.after(60))
        data = ObjectCreated.model_validate(event.payload)
        return Ingester(self.engine, self.store, **options).ingest(context, data)

    def announced(self) -> list[Event]:
        return [event for event in self.broker.events if event.type == ObjectCreated.type]


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
