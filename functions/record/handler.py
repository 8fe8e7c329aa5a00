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

from shared.database.charges import book
from shared.database.documents import locked_document
from shared.database.engine import writing
from shared.database.forgetting import dropped_file, is_forgotten
from shared.database.letters import note_letter
from shared.database.projection import (
    PROJECTED,
    WAKES_INDEX,
    KnownMetadata,
    MetadataMissing,
    apply_projection,
    projection_of,
    with_metadata,
)
from shared.database.tables import ArchivedEvent, Document, OutboxEvent, Tombstone
from shared.errors import DocumentGone, InvalidEvent, Unavailable
from shared.events import (
    DocumentIndexed,
    DocumentUpdated,
    Event,
    event_of,
    new_event,
    version_id,
)
from shared.storage import keys
from shared.storage.port import ObjectStore

SOURCE = "/docuelevate/functions/record"

_log = logging.getLogger(__name__)


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
        try:
            version = with_metadata(self.store, document_id or "", lambda known: self._write(event, document_id, known))
        except DocumentGone:
            return None
        return _updated(event, document_id, version) if document_id and version is not None else None

    def bury(self, trigger: str, attributes: Mapping[str, Any], data: Any) -> None:
        """Keep a dead letter whole, first as an object, then in the database, and mark its document.

        Returns as soon as the object is stored: sweep imports what the database missed (rules 18). `data` may be
        anything, since what no step could read ends here.
        """
        event = event_of(attributes, data if isinstance(data, dict) else {})
        document_id = _document_id(event) if isinstance(data, dict) else _subject(event)
        if document_id and self.store.head(keys.tombstone(document_id)) is not None:
            return
        arrival = datetime.now(UTC)
        name = sha256(f"{event.source}\n{event.id}".encode()).hexdigest()[:32]
        key = keys.dead_letter(trigger, name, arrival.strftime("%Y%m%dT%H%M%S%fZ"))
        self.store.put(key, _letter_body(attributes, data), media_type="application/cloudevents+json")
        try:
            _require_storable(event)
            with writing(self.engine) as session:
                note_letter(session, trigger, event, attributes, document_id=document_id, key=key, arrival=arrival)
            if trigger == "record":
                self.record(event)
        except DocumentGone:
            # Purged since its tombstone was looked for: the letter has what was to be forgotten.
            self.store.delete(key)
        except (InvalidEvent, Unavailable, MetadataMissing) as error:
            _log.warning("the dead letter %s is stored but not yet in the database: %s", key, error)

    def _note_removed_entry(self, event: Event, document_id: str) -> None:
        if event.type != DocumentIndexed.type:
            return
        with writing(self.engine) as session:
            tombstone = session.get(Tombstone, document_id, with_for_update=True)
            if tombstone is not None:
                tombstone.indexed_version = max(tombstone.indexed_version, int(event.payload["version"]))
                tombstone.index_generation = event.payload["generation"]

    def _write(self, event: Event, document_id: str | None, metadata: KnownMetadata) -> int | None:
        with writing(self.engine) as session:
            return _archive_and_project(session, event, document_id, metadata)


def _archive_and_project(
    session: Session, event: Event, document_id: str | None, metadata: KnownMetadata
) -> int | None:
    """The version that the reply names, None for no reply."""
    number = _archive(session, _without_forgotten_name(session, event), document_id)
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
    book(session, document.id, event)
    if event.runid != document.runid or event.type not in PROJECTED:
        return None
    changed = apply_projection(session, document, projection_of(session, document, event), metadata)
    version = document.version if event.type in WAKES_INDEX or (changed and document.recognized is not None) else None
    session.get_one(ArchivedEvent, number).reply_version = version
    return version


def _without_forgotten_name(session: Session, event: Event) -> Event:
    """The event, without its data where these name a dropped file whose document was purged since (rules 23)."""
    dropped = dropped_file(event)
    if dropped is None or not is_forgotten(session, dropped):
        return event
    return event.model_copy(update={"subject": "", "payload": {"purged": True}})


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


def _note_entry(document: Document, event: Event) -> None:
    if event.payload["generation"] != document.index_generation:
        document.indexed_version, document.index_generation = 0, event.payload["generation"]
    document.indexed_version = max(document.indexed_version, int(event.payload["version"]))


def _document_id(event: Event) -> str | None:
    """The document that the event is about; None where it names none that can be ours: it is archived all the same."""
    return _subject(event) if event.payload.get("document_id") == event.subject else None


def _subject(event: Event) -> str | None:
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


def _updated(event: Event, document_id: str, version: int) -> Event:
    data = DocumentUpdated(document_id=document_id, version=version)
    return new_event(data, source=SOURCE, event_id=version_id(document_id, DocumentUpdated.type, version), cause=event)
