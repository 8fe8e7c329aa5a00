"""A document whose steps are played by hand, recorded for real, and looked at through the API."""

import json
from typing import Any

from sqlalchemy import Engine
from starlette.testclient import TestClient

from functions.record.handler import Recorder
from shared.database.engine import reading
from shared.database.tables import Document, OutboxEvent
from shared.documents import ObjectReference
from shared.errors import FailureCode
from shared.events import (
    DocumentConverted,
    DocumentEnriched,
    DocumentFailed,
    DocumentRecognized,
    Event,
    EventData,
    from_json,
    new_event,
    result_id,
)
from shared.metadata import Metadata, Value
from shared.storage import keys
from shared.storage.port import ObjectStore
from tests.app.web.conftest import Library


class Archive:
    """A document with the events that the steps of its current run would send, recorded for real."""

    def __init__(self, engine: Engine, store: ObjectStore, client: TestClient, filename: str = "letter.txt") -> None:
        self.engine, self.store, self.client = engine, store, client
        self.recorder = Recorder(engine, store)
        self.id = Library(engine, store).received(filename)
        self.here = f"/api/documents/{self.id}"

    @property
    def row(self) -> Document:
        with reading(self.engine) as session:
            return session.get_one(Document, self.id)

    def shown(self) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get(self.here).json()
        return found

    def start(self) -> Event:
        with reading(self.engine) as session:
            rows = session.query(OutboxEvent).filter_by(document_id=self.id).order_by(OutboxEvent.number)
            return next(e for e in (from_json(row.body) for row in reversed(rows.all())) if e.runid == self.row.runid)

    def record(self, *events: Event) -> None:
        for event in events:
            self.recorder.record(event)

    def begin(self, start: str = "convert", **options: object) -> None:
        answer = self.client.post(f"{self.here}/replay", json={"from": start, **options})
        assert answer.status_code == 202, answer.text
        self.record(self.start())

    def event(self, data: EventData, part: str = "") -> Event:
        runid = self.row.runid
        event_id = result_id(self.id, runid, data.type, data.fingerprint or "", part)
        return new_event(data, source="/docuelevate/functions/x", event_id=event_id, runid=runid)

    def object(self, name: str, body: bytes) -> ObjectReference:
        return self.store.put(keys.document_prefix(self.id) + name, body, media_type="application/json")

    def converted(self, mark: str = "c1", **more: object) -> Event:
        pdf = self.object(f"convert/{mark}/a/document.pdf", mark.encode())
        data = DocumentConverted.model_validate(
            {
                "document_id": self.id,
                "fingerprint": mark,
                "input_fingerprint": self.row.sha256,
                "pdf": pdf,
                "pages": 1,
                "converter": "text",
                **more,
            }
        )
        return self.event(data)

    def recognized(
        self, mark: str = "o1", made_from: str = "c1", text: str = "hello world", attempt: str = "a"
    ) -> Event:
        words = [{"text": word, "box": [0, 0, 1, 1], "confidence": 1.0} for word in text.split()]
        page = {"number": 1, "width": 1, "height": 1, "source": "ocr", "text": text, "words": words}
        body = json.dumps({"pages": [page], "languages": ["en"], "engine": "test"}).encode()
        data = DocumentRecognized(
            document_id=self.id,
            fingerprint=mark,
            input_fingerprint=made_from,
            text=self.object(f"ocr/{mark}/{attempt}/text.json", body),
            searchable_pdf=self.object(f"ocr/{mark}/{attempt}/searchable.pdf", f"PDF {mark}".encode()),
            pages=1,
            ocr_pages=1,
            mean_confidence=0.9,
            engine="test",
        )
        return self.event(data)

    def enriched(self, title: str = "Read", mark: str = "e1", made_from: str = "o1", attempt: str = "a") -> Event:
        value = Value(value=title, confidence=0.9, origin="rule")
        body = Metadata(title=value, sender=value).model_dump_json().encode()
        data = DocumentEnriched(
            document_id=self.id,
            fingerprint=mark,
            input_fingerprint=made_from,
            metadata=self.object(f"enrich/{mark}/{attempt}/metadata.json", body),
            extractor="rules",
            tokens=7,
            cost="0.001",
        )
        return self.event(data)

    def failed(self, step: str, code: FailureCode) -> Event:
        data = DocumentFailed(
            document_id=self.id, fingerprint="f", step=step, code=code, message="m", hint="h", retryable=False
        )
        return self.event(data, code.value)

    def run(self, text: str = "hello world", title: str = "Read", mark: str = "1", made_from: str = "c1") -> None:
        """All results of a run."""
        made = (self.converted(made_from), self.recognized(f"o{mark}", made_from, text))
        self.record(*made, self.enriched(title, f"e{mark}", f"o{mark}"))

    def edit(self) -> None:
        answer = self.client.patch(self.here, json={"metadata": {"title": "Mine"}})
        assert answer.status_code == 200
