"""What a purge takes out of the database, and how late news of a purged file are known without its name (rules 23).

Events and dead letters of a dropped file name no document; the ledger tells which one the file has become.
"""

from collections.abc import Sequence
from hashlib import sha256
from urllib.parse import quote

from pydantic import ValidationError
from sqlalchemy import ColumnElement, or_, select, tuple_, update
from sqlalchemy.orm import Session

from shared.database.tables import ArchivedEvent, DeadLetter, LedgerEntry
from shared.errors import InvalidEvent, NotACloudEvent
from shared.events import Event, ObjectCreated, from_json
from shared.letters import LetterState
from shared.storage import keys

_UNREADABLE = (InvalidEvent, NotACloudEvent, ValueError, TypeError, AttributeError, RecursionError)


def became(document_id: str) -> ColumnElement[bool]:
    """Dropped files that became this document, or were found to equal it."""
    return or_(LedgerEntry.document_id == document_id, LedgerEntry.duplicate_of == document_id)


def redact(session: Session, document_id: str) -> None:
    """Take what is personal out of archive, dead letters and ledger: attributes are kept, data and names are not."""
    # Locked first, as by those who write down what names the file.
    entries = session.scalars(select(LedgerEntry).where(became(document_id)).with_for_update()).all()
    marks = {mark for entry in entries for mark in marks_of_entry(entry)}
    for row in session.scalars(select(ArchivedEvent).where(ArchivedEvent.document_id == document_id)):
        row.body = _without_data(row)
    told = _redact_dropped(session, entries, marks)
    _forget_letters(session, document_id, told, marks)
    for entry in entries:
        entry.key, entry.received = keys.forgotten(entry.key), None
    session.flush()


def dropped_file(event: Event) -> ObjectCreated | None:
    """What the event says of a dropped file; None for other events, and for data that tell nothing."""
    if event.type != ObjectCreated.type:
        return None
    try:
        return ObjectCreated.model_validate(event.payload)
    except ValidationError:
        return None


def is_forgotten(session: Session, data: ObjectCreated) -> bool:
    """Whether the document that this file became was purged. The ledger stays locked for the transaction."""
    forgotten = keys.forgotten(data.key)
    query = select(LedgerEntry.key).where(LedgerEntry.key.in_((data.key, forgotten)))
    # A later file of the same name is not the one that was forgotten.
    if data.version_id:
        query = query.where(LedgerEntry.version_id == data.version_id)
    elif data.etag:
        query = query.where(LedgerEntry.etag == data.etag)
    # Locked: a purge that comes now finds what is written here, and one that came before has changed the key.
    return set(session.scalars(query.with_for_update())) == {forgotten}


def mark_of_event(data: ObjectCreated) -> str:
    """Stands for the version of the file that an event tells of."""
    return _mark(data.key, data.version_id or data.etag or "")


def marks_of_entry(entry: LedgerEntry) -> set[str]:
    """Those of all events that may tell of this version: they name its version id, its etag, or neither."""
    return {_mark(entry.key, version) for version in (entry.version_id or "", entry.etag, "")}


def _mark(key: str, version: str) -> str:
    return sha256(f"{key}\n{version}".encode()).hexdigest()


def _redact_dropped(session: Session, entries: Sequence[LedgerEntry], marks: set[str]) -> list[tuple[str, str]]:
    """Source and id of the archived events that told of these files."""
    names = {name for entry in entries for name in (quote(entry.key), entry.key)}
    query = select(ArchivedEvent).where(ArchivedEvent.type == ObjectCreated.type, ArchivedEvent.subject.in_(names))
    told = []
    for row in session.scalars(query):
        # A later file of the same name is another one.
        if _mark_of(row) in (None, *marks):
            row.subject, row.body = "", _without_data(row)
            told.append((row.source, row.id))
    return told


def _forget_letters(session: Session, document_id: str, told: Sequence[tuple[str, str]], marks: set[str]) -> None:
    """Their objects are removed afterwards, by whoever purges; from now on they are the document's."""
    event = tuple_(DeadLetter.event_source, DeadLetter.event_id)
    about = or_(DeadLetter.document_id == document_id, DeadLetter.dropped.in_(marks), event.in_(told))
    forgotten = {"message": None, "reason": None, "state": LetterState.PURGED.value, "document_id": document_id}
    session.execute(update(DeadLetter).where(about).values(forgotten))


def _mark_of(row: ArchivedEvent) -> str | None:
    event = _readable(row)
    dropped = dropped_file(event) if event else None
    return mark_of_event(dropped) if dropped else None


def _without_data(row: ArchivedEvent) -> str:
    """What is not readable is written anew from the columns: nothing keeps it from being forgotten."""
    columns = Event(id=row.id, source=row.source, type=row.type, subject="", time=row.time, payload={}, runid=row.runid)
    about = {"document_id": row.document_id} if row.document_id else {}
    redacted = {"payload": about | {"purged": True}, "subject": row.document_id or ""}
    return (_readable(row) or columns).model_copy(update=redacted).to_json()


def _readable(row: ArchivedEvent) -> Event | None:
    try:
        return from_json(row.body)
    except _UNREADABLE:
        return None
