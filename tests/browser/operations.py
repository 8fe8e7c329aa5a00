"""What an operator has to look after, for the page tests: events, undelivered ones, replays, findings, a review."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from shared.database.documents import apply_metadata
from shared.database.engine import writing
from shared.database.tables import ArchivedEvent, DeadLetter, Document, Finding, Replay
from shared.documents import DocumentText
from shared.errors import EXPLANATIONS, FailureCode
from shared.events import (
    DocumentConverted,
    DocumentFailed,
    DocumentRecognized,
    DocumentUpdated,
    Event,
    EventData,
    new_event,
)
from shared.metadata import Metadata, Value
from shared.storage import keys
from shared.storage.port import ObjectStore

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
WEB, CONVERT, OCR = "/docuelevate/web", "/docuelevate/functions/convert", "/docuelevate/functions/ocr"
LETTERS = (
    ("bill-01.pdf", "ocr", 503, "unavailable", "the object store does not answer", "open", 2),
    ("bill-02.pdf", "ocr", 503, "unavailable", "the object store does not answer", "open", 1),
    ("bill-03.pdf", "enrich", None, None, None, "open", 1),
    ("bill-04.pdf", "index", 500, "internal", "the search index refused the entry", "open", 3),
    ("bill-05.pdf", "convert", 422, "unreadable", "the event breaks its data model", "open", 1),
    ("bill-06.pdf", "enrich", 429, "throttled", "too many requests", "replayed", 1),
    ("bill-07.pdf", "ocr", None, None, None, "discarded", 1),
)
"""File, trigger, status, code, message, state, arrivals."""


@dataclass(frozen=True)
class Operations:
    """Fills a database and a store."""

    engine: Engine
    store: ObjectStore
    ids: Mapping[str, str]

    def fill(self) -> None:
        """Put everything in."""
        with writing(self.engine) as session:
            for filename in ("scan-2026-11-23.pdf", "bill-01.pdf", "bill-02.pdf"):
                self._archive_runs(session, self.ids[filename])
        for number, letter in enumerate(LETTERS):
            self._letter(number, *letter)
        with writing(self.engine) as session:
            self._archive_failure(session, self.ids["letter-hospital.pdf"], "enrich", FailureCode.ENRICH_FAILED)
            self._archive_failure(session, self.ids["broken-export.pdf"], "convert", FailureCode.CORRUPT)
            self._review(session, self.ids["bill-09.pdf"])
            session.add_all(_replays())
            session.add_all(_findings(self.ids["bill-08.pdf"]))

    def _archive_runs(self, session: Session, document_id: str) -> None:
        document = session.get_one(Document, document_id)
        first_run = str(uuid.uuid4())
        converted = DocumentConverted.model_validate(document.converted)
        recognized = DocumentRecognized.model_validate(document.recognized)
        said: list[tuple[EventData, str, str, str | None]] = [
            (converted, CONVERT, first_run, None),
            (recognized, OCR, first_run, None),
            (
                DocumentFailed(
                    document_id=document_id,
                    step="enrich",
                    code="enrich_failed",
                    message="Title, sender, dates and amounts could not be read from the text.",
                    hint="Try again.",
                    retryable=False,
                ),
                "/docuelevate/functions/enrich",
                first_run,
                None,
            ),
            (recognized, WEB, document.runid, "first"),
            (DocumentUpdated(document_id=document_id, version=2), WEB, document.runid, None),
        ]
        for number, (data, source, runid, replayof) in enumerate(said):
            at = NOW - timedelta(hours=5) + timedelta(minutes=number)
            event = new_event(data, source=source, runid=runid, time=at, replayof=replayof)
            session.add(_archived(event, document_id, at))

    def _archive_failure(self, session: Session, document_id: str, step: str, code: FailureCode) -> None:
        """The events of a run that stopped at a step."""
        document, explained = session.get_one(Document, document_id), EXPLANATIONS[code]
        failed = DocumentFailed(
            document_id=document_id,
            step=step,
            code=code,
            message=explained.message,
            hint=explained.hint,
            retryable=explained.retryable,
        )
        said: list[tuple[EventData, str]] = [(failed, f"/docuelevate/functions/{step}")]
        if document.converted and document.recognized:
            before = DocumentConverted.model_validate(document.converted)
            said = [(before, CONVERT), (DocumentRecognized.model_validate(document.recognized), OCR), *said]
        for number, (data, source) in enumerate(said):
            at = document.run_started_at + timedelta(seconds=number)
            session.add(_archived(new_event(data, source=source, runid=document.runid, time=at), document_id, at))

    def _review(self, session: Session, document_id: str) -> None:
        """A person has set the sender; a new run then read the text and other facts anew."""
        document = session.get_one(Document, document_id)
        standing = {name: getattr(document, name) for name in ("converted", "recognized", "enriched")}
        mine = {"value": "City Works Bremen", "origin": "user", "locked": True}
        document.user_metadata = Metadata.model_validate({"sender": mine}).model_dump(mode="json")
        document.locked = ["sender"]
        apply_metadata(session, document)
        before = DocumentRecognized.model_validate(document.recognized)
        document.base = {"runid": document.runid, "options": document.options, "warnings": [], **standing}
        document.review = {
            "runid": document.runid,
            "state": "pending",
            **standing,
            "recognized": self._read_anew(before).model_dump(mode="json"),
            "machine_metadata": _read_otherwise(document.machine_metadata),
            "warnings": [],
            "failure": None,
        }

    def _read_anew(self, before: DocumentRecognized) -> DocumentRecognized:
        text = DocumentText.model_validate_json(self.store.get(before.text.key))
        lines = (
            "Your meter reading gives 70.20 EUR.",
            "Meter number 1 EMH 00 7712 8841",
            "Pay until 24 September 2026",
        )
        read = ("\n".join((page.text.splitlines()[0], *lines)) for page in text.pages)
        pages = tuple(page.model_copy(update={"text": each}) for page, each in zip(text.pages, read, strict=True))
        content = text.model_copy(update={"pages": pages}).model_dump_json().encode()
        kept = self.store.put(before.text.key.replace("/a/", "/b/"), content, media_type="application/json")
        return before.model_copy(
            update={
                "text": kept,
                "fingerprint": "1" * 64,
                "ocr_pages": 1,
                "engine": "tesseract",
                "languages": ("deu",),
                "mean_confidence": 0.932,
            }
        )

    def _letter(
        self,
        number: int,
        filename: str,
        trigger: str,
        status: int | None,
        code: str | None,
        message: str | None,
        state: str,
        arrivals: int,
    ) -> None:
        document_id = self.ids[filename]
        with writing(self.engine) as session:
            document = session.get_one(Document, document_id)
            at = NOW - timedelta(minutes=11 * (number + 1))
            event = new_event(
                DocumentConverted.model_validate(document.converted),
                source=CONVERT,
                runid=document.runid,
                time=at - HOUR,
            )
            key = keys.dead_letter(trigger, f"{number:064}", at.strftime("%Y%m%dT%H%M%S%fZ"))
            session.add(
                DeadLetter(
                    id=f"{number:036}",
                    trigger=trigger,
                    event_source=event.source,
                    event_id=event.id,
                    event_type=event.type,
                    document_id=document_id,
                    runid=document.runid,
                    status=status,
                    code=code,
                    message=message,
                    key=key,
                    state=state,
                    arrivals=arrivals,
                    first_at=at - timedelta(minutes=40 * (arrivals - 1)),
                    last_at=at,
                    reason="The bill was uploaded again" if state == "discarded" else None,
                    replays=1 if state == "replayed" else 0,
                )
            )
            if session.get(ArchivedEvent, number + 10_000) is None:
                session.add(_archived(event, document_id, at))
        attributes = {"knativeerrorcode": str(status)} if status else {}
        self.store.put(key, _whole(event, attributes), media_type="application/cloudevents+json")


def _read_otherwise(machine: dict[str, Any]) -> dict[str, Any]:
    """Other facts than those that stand: a better kind and date, one more tag."""
    read = Metadata.model_validate(machine)
    tags = (*read.tags[:1], Value[str](value="electricity", confidence=0.8, origin="rule"))
    changed = {
        "document_date": Value[str](value="2026-09-10", confidence=0.97, origin="rule"),
        "due_date": Value[str](value="2026-09-24", confidence=0.9, origin="rule"),
        "sender": Value[str](value="Stadtwerke Bremen GmbH", confidence=0.9, origin="rule"),
        "tags": tags,
    }
    return read.model_copy(update=changed).model_dump(mode="json")


def _archived(event: Event, document_id: str, at: datetime) -> ArchivedEvent:
    return ArchivedEvent(
        source=event.source,
        id=event.id,
        type=event.type,
        subject=event.subject,
        document_id=document_id,
        runid=event.runid,
        time=event.time,
        recorded_at=at,
        body=event.to_json(),
    )


def _whole(event: Event, attributes: Mapping[str, Any]) -> bytes:
    return json.dumps(event.attributes() | {"data": event.payload} | dict(attributes)).encode()


def _replays() -> list[Replay]:
    reprocess = {"mode": "reprocess", "from": "ocr", "filter": {"document_type": "utility_bill"}, "rate": 10}
    return [
        _replay("reprocess", "done", reprocess, 1240, 1228, 12, hours=30, took=timedelta(minutes=2, seconds=4)),
        _replay("rebuild_index", "done", {"what": "index"}, 4180, 4180, 0, hours=52, took=timedelta(seconds=42)),
        _replay("redeliver", "cancelled", {"mode": "redeliver", "filter": {}}, 9200, 310, 0, hours=80),
        _replay("rebuild_projections", "failed", {"what": "projections"}, 4180, 77, 0, hours=99),
    ]


def _replay(
    kind: str,
    state: str,
    request: dict[str, Any],
    total: int,
    done: int,
    skipped: int,
    *,
    hours: int,
    took: timedelta = timedelta(seconds=31),
) -> Replay:
    messages = {"cancelled": "Cancelled by local.", "failed": "InvalidEvent: document_id: Field required"}
    return Replay(
        id=replay_id(kind),
        owner="local",
        kind=kind,
        state=state,
        request=request,
        rate=10.0,
        total=total,
        done=done,
        skipped=skipped,
        message=messages.get(state),
        created_at=NOW - timedelta(hours=hours),
        finished_at=NOW - timedelta(hours=hours) + took,
    )


def replay_id(kind: str) -> str:
    """The id of the past replay of a kind."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, kind))


def _findings(document_id: str) -> list[Finding]:
    return [
        Finding(
            id="0" * 63 + "1",
            kind="original_damaged",
            document_id=document_id,
            key=f"documents/{document_id}/original",
            message="The original's bytes differ from those that were received.",
            found_at=NOW - timedelta(days=1),
            seen_at=NOW - timedelta(minutes=3),
        ),
        Finding(
            id="0" * 63 + "2",
            kind="orphaned_object",
            document_id=None,
            key="documents/0198c0de-0000-7000-8000-000000000000/derived/thumbnail.webp",
            message="No document and no tombstone is known for this object.",
            found_at=NOW - timedelta(days=3),
            seen_at=NOW - timedelta(minutes=3),
        ),
    ]
