"""Archives an event and projects it, in one transaction; answers duplicates as it answered the first delivery.

Objects are read before the transaction, never inside it (rules 2).
"""

import base64
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Engine, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from functions.record.core import Letter, Projection, Standing, content, project
from shared.database.documents import apply_metadata, locked_document, touch
from shared.database.engine import reading, writing
from shared.database.tables import ArchivedEvent, DeadLetter, Document, DocumentStep, OutboxEvent, Tombstone
from shared.documents import Status, Step
from shared.errors import DocumentGone, InvalidEvent, ObjectNotFound, Unavailable
from shared.events import (
    DocumentConverted,
    DocumentEnriched,
    DocumentFailed,
    DocumentIndexed,
    DocumentReceived,
    DocumentRecognized,
    DocumentUpdated,
    Event,
    PagesRecognized,
    PagesRequested,
    event_of,
    from_json,
    new_event,
    version_id,
)
from shared.metadata import Metadata
from shared.storage import keys
from shared.storage.port import ObjectStore

SOURCE = "/docuelevate/functions/record"
_WAKES_INDEX = (DocumentRecognized.type, DocumentEnriched.type, DocumentFailed.type)
_PROJECTED = (
    DocumentReceived.type,
    DocumentConverted.type,
    PagesRequested.type,
    PagesRecognized.type,
    *_WAKES_INDEX,
)
"""The types that tell how far a run is; all others are archived only, or noted apart."""

_log = logging.getLogger(__name__)


class _MetadataMissing(Exception):
    """The projection chose metadata that were not read beforehand; they are read and the transaction is tried again."""


@dataclass(frozen=True)
class Recorder:
    """Everything that record needs: the database to write, the objects to read metadata from and keep letters in."""

    engine: Engine
    store: ObjectStore

    def record(self, event: Event) -> Event | None:
        """Archive and project one event; `document.updated` where readers and search see something new.

        Raises InvalidEvent for one that breaks its type's schema: folded with the others, it would stop its whole run.
        """
        _require_storable(event)
        if event.model is not None:
            event.data()
        document_id = _document_id(event)
        if document_id and self.store.head(keys.tombstone(document_id)) is not None:
            self._note_removed_entry(event, document_id)
            return None
        metadata: dict[str, dict[str, Any]] = {}
        while True:
            self._read_metadata(event, document_id, metadata)
            try:
                with writing(self.engine) as session:
                    version = _archive_and_project(session, event, document_id, metadata)
            except _MetadataMissing:
                continue
            except DocumentGone:
                return None
            return _updated(event, document_id, version) if document_id and version is not None else None

    def bury(self, trigger: str, attributes: Mapping[str, Any], data: Any) -> None:
        """Keep a dead letter whole, first as an object, then in the database, and mark its document.

        Returns as soon as the object is stored: sweep imports what the database missed (rules 18). `data` may be
        anything, since what no step could read ends here.
        """
        event = event_of(attributes, data if isinstance(data, dict) else {})
        document_id = _document_id(event)
        if document_id and self.store.head(keys.tombstone(document_id)) is not None:
            return
        arrival = datetime.now(UTC)
        name = sha256(f"{event.source}\n{event.id}".encode()).hexdigest()[:32]
        key = keys.dead_letter(trigger, name, arrival.strftime("%Y%m%dT%H%M%S%fZ"))
        self.store.put(key, _letter_body(attributes, data), media_type="application/cloudevents+json")
        try:
            _require_storable(event)
            with writing(self.engine) as session:
                _note_letter(session, trigger, event, attributes, key, arrival)
            if trigger == "record":
                self.record(event)
        except (InvalidEvent, Unavailable, _MetadataMissing) as error:
            _log.warning("the dead letter %s is stored but not yet in the database: %s", key, error)

    def _note_removed_entry(self, event: Event, document_id: str) -> None:
        if event.type != DocumentIndexed.type:
            return
        with writing(self.engine) as session:
            tombstone = session.get(Tombstone, document_id, with_for_update=True)
            if tombstone is not None:
                tombstone.indexed_version = max(tombstone.indexed_version, int(event.payload["version"]))
                tombstone.index_generation = event.payload["generation"]

    def _read_metadata(self, event: Event, document_id: str | None, metadata: dict[str, dict[str, Any]]) -> None:
        if document_id is None:
            return
        with reading(self.engine) as session:
            document = session.get(Document, document_id)
            if document is None or event.runid != document.runid or event.type not in _PROJECTED:
                return
            chosen = _project(session, document, event).standing.enriched
            if chosen is None or chosen == document.enriched:
                return
        key = chosen["metadata"]["key"]
        if key not in metadata:
            metadata[key] = self._load_metadata(key, document_id)

    def _load_metadata(self, key: str, document_id: str) -> dict[str, Any]:
        if not keys.belongs_to(key, document_id):
            raise InvalidEvent("an object of the event is not one of this document")
        try:
            return Metadata.model_validate_json(self.store.get(key)).model_dump(mode="json")
        except ObjectNotFound as error:
            raise Unavailable("the metadata are not readable yet") from error


def _archive_and_project(
    session: Session, event: Event, document_id: str | None, metadata: Mapping[str, dict[str, Any]]
) -> int | None:
    """The version that the reply names, None for no reply."""
    number = _archive(session, event, document_id)
    if number is None:
        return _first_answer(session, event)
    session.execute(delete(OutboxEvent).where(OutboxEvent.source == event.source, OutboxEvent.id == event.id))
    document = locked_document(session, document_id) if document_id else None
    if document is None:
        if document_id and session.get(Tombstone, document_id) is not None:
            # Purged since its tombstone was looked for: nothing personal may enter the archive after it was cleared.
            raise DocumentGone(document_id)
        return None
    if event.type == DocumentIndexed.type:
        _note_entry(document, event)
        return None
    if event.runid != document.runid or event.type not in _PROJECTED:
        return None
    version = _apply(session, document, _project(session, document, event), event, metadata)
    session.get_one(ArchivedEvent, number).reply_version = version
    return version


def _archive(session: Session, event: Event, document_id: str | None) -> int | None:
    """The number of the archived event; None where it was there already."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement = (
        insert(ArchivedEvent)
        .values(
            source=event.source,
            id=event.id,
            type=event.type,
            subject=event.subject,
            document_id=document_id,
            runid=event.runid,
            time=event.time,
            recorded_at=datetime.now(UTC),
            body=event.to_json(),
        )
        .on_conflict_do_nothing()
        .returning(ArchivedEvent.number)
    )
    return session.execute(statement).scalar_one_or_none()


def _first_answer(session: Session, event: Event) -> int | None:
    query = select(ArchivedEvent.reply_version).where(
        ArchivedEvent.source == event.source, ArchivedEvent.id == event.id
    )
    return session.execute(query).scalar_one_or_none()


def _project(session: Session, document: Document, event: Event | None) -> Projection:
    query = select(ArchivedEvent.body).where(
        ArchivedEvent.document_id == document.id,
        ArchivedEvent.runid == document.runid,
        ArchivedEvent.type.in_(_PROJECTED),
    )
    events = {(e.source, e.id): e for e in map(from_json, session.scalars(query))}
    if event is not None:
        events.setdefault((event.source, event.id), event)
    standing = Standing(_source_sha256(document), document.converted, document.recognized, document.enriched)
    letters = session.scalars(
        select(DeadLetter).where(
            DeadLetter.document_id == document.id, DeadLetter.runid == document.runid, DeadLetter.state == "open"
        )
    )
    return project(
        standing,
        Step(document.run_from),
        list(events.values()),
        [Letter(letter.trigger, letter.status, letter.last_at) for letter in letters],
    )


def _apply(
    session: Session,
    document: Document,
    projection: Projection,
    event: Event | None,
    metadata: Mapping[str, dict[str, Any]],
) -> int | None:
    before, steps_before = _content_of(document), _steps_of(session, document)
    standing = projection.standing
    if standing.enriched is not None and standing.enriched != document.enriched:
        key = standing.enriched["metadata"]["key"]
        if key not in metadata:
            raise _MetadataMissing
        document.machine_metadata = metadata[key]
        apply_metadata(session, document)
    document.converted, document.recognized = standing.converted, standing.recognized
    document.enriched = standing.enriched
    document.pages = standing.converted["pages"] if standing.converted else None
    document.code, document.message, document.hint = projection.code, projection.message, projection.hint
    document.warnings = [notice.model_dump(mode="json") for notice in projection.warnings]
    if document.trashed_at is None:
        document.status = projection.status.value
    _write_steps(session, document, projection, steps_before)
    changed = content(projection) != before
    touch(document, content=changed)
    woken = event is not None and event.type in _WAKES_INDEX
    return document.version if woken or (changed and standing.recognized is not None) else None


def _content_of(document: Document) -> tuple[object, ...]:
    results = (document.converted, document.recognized, document.enriched)
    settled = (Status(document.status), document.code) if document.status != Status.PROCESSING else None
    return (*(result and result.get("fingerprint") for result in results), settled)


def _steps_of(session: Session, document: Document) -> dict[str, DocumentStep]:
    query = select(DocumentStep).where(DocumentStep.document_id == document.id, DocumentStep.runid == document.runid)
    return {row.step: row for row in session.scalars(query)}


def _write_steps(
    session: Session, document: Document, projection: Projection, rows: Mapping[str, DocumentStep]
) -> None:
    for view in projection.steps:
        row = rows.get(view.step.value)
        if row is None:
            row = DocumentStep(document_id=document.id, runid=document.runid, step=view.step.value)
            session.add(row)
        row.state = view.state.value
        row.attempts = view.attempts
        row.started_at, row.finished_at = view.started_at, view.finished_at
        row.code, row.message, row.hint = view.code, view.message, view.hint
        row.done, row.total = view.done, view.total


def _note_entry(document: Document, event: Event) -> None:
    if event.payload["generation"] != document.index_generation:
        document.indexed_version, document.index_generation = 0, event.payload["generation"]
    document.indexed_version = max(document.indexed_version, int(event.payload["version"]))


def _note_letter(
    session: Session, trigger: str, event: Event, attributes: Mapping[str, Any], key: str, arrival: datetime
) -> None:
    query = select(DeadLetter).where(
        DeadLetter.trigger == trigger, DeadLetter.event_source == event.source, DeadLetter.event_id == event.id
    )
    letter = session.scalars(query.with_for_update()).one_or_none()
    if letter is None:
        letter = DeadLetter(
            id=sha256(key.encode()).hexdigest()[:36],
            trigger=trigger,
            event_source=event.source,
            event_id=event.id,
            event_type=event.type,
            document_id=_document_id(event),
            runid=event.runid,
            arrivals=0,
            first_at=arrival,
        )
        session.add(letter)
    letter.status = _status(attributes.get("knativeerrorcode"))
    letter.key, letter.state, letter.last_at = key, "open", arrival
    letter.arrivals += 1
    session.flush()
    document = locked_document(session, letter.document_id) if letter.document_id else None
    if document is not None and document.runid == event.runid:
        _apply(session, document, _project(session, document, None), None, {})


def _source_sha256(document: Document) -> str:
    unlocked = document.options.get("unlocked")
    return str(unlocked["sha256"]) if unlocked else document.sha256


def _document_id(event: Event) -> str | None:
    """The document that the event is about; None where it names none that can be ours: it is archived all the same."""
    if event.payload.get("document_id") != event.subject:
        return None
    try:
        keys.document_prefix(event.subject)
    except InvalidEvent:
        return None
    return event.subject


def _require_storable(event: Event) -> None:
    """Raises InvalidEvent for attributes that no column holds; the databases would answer differently to them."""
    sizes = {"source": 200, "id": 100, "type": 100, "runid": 36}
    for name in (*sizes, "subject"):
        value = getattr(event, name) or ""
        if "\0" in value or len(value) > sizes.get(name, len(value)):
            raise InvalidEvent(f"the attribute {name} is too long or has a NUL")


def _letter_body(attributes: Mapping[str, Any], data: Any) -> bytes:
    content = {"data_base64": base64.b64encode(data).decode()} if isinstance(data, bytes) else {"data": data}
    return json.dumps({**attributes, **content}, default=str).encode()


def _status(code: Any) -> int | None:
    return int(code) if str(code).isascii() and str(code).isdecimal() else None


def _updated(event: Event, document_id: str, version: int) -> Event:
    data = DocumentUpdated(document_id=document_id, version=version)
    return new_event(data, source=SOURCE, event_id=version_id(document_id, DocumentUpdated.type, version), cause=event)
