"""Dead letters in the database: an event that exhausted its deliveries, and the document that it marks.

The letter itself, whole, is an object; record writes both, sweep brings in those that the database missed (rules 18).
"""

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.database.documents import locked_document
from shared.database.forgetting import dropped_file, is_forgotten, mark_of_event
from shared.database.projection import reproject
from shared.database.tables import DeadLetter, Tombstone
from shared.errors import DocumentGone
from shared.events import Event
from shared.letters import LetterState, ending_of, tried_since


def note_letter(
    session: Session,
    trigger: str,
    event: Event,
    attributes: Mapping[str, Any],
    *,
    document_id: str | None,
    key: str,
    arrival: datetime,
) -> DeadLetter:
    """Note a letter that is stored under `key`, or reopen the one of the same event, and mark its document.

    `attributes` are the letter's as they arrived; those of a time-out or an unreadable reply carry no error. A letter
    that was sent again, closed or discarded is open again. Raises DocumentGone for a purged document, and for a
    dropped file whose document was purged.
    """
    # Always the document before the letter, as record and web lock them too.
    document = locked_document(session, document_id) if document_id else None
    if document is None and document_id and session.get(Tombstone, document_id) is not None:
        raise DocumentGone(document_id)
    dropped = dropped_file(event)
    if dropped is not None and is_forgotten(session, dropped):
        raise DocumentGone(dropped.key)
    query = select(DeadLetter).where(
        DeadLetter.trigger == trigger, DeadLetter.event_source == event.source, DeadLetter.event_id == event.id
    )
    letter = session.scalars(query.with_for_update()).one_or_none()
    if letter is None:
        letter = _new_letter(trigger, event, document_id, key, arrival)
        letter.dropped = mark_of_event(dropped) if dropped else None
        session.add(letter)
    ending = ending_of(attributes)
    letter.status, letter.code, letter.message = ending.status, ending.code, ending.message
    letter.key, letter.state, letter.last_at = key, LetterState.OPEN.value, arrival
    letter.tried_since = tried_since(attributes)
    letter.arrivals += 1
    session.flush()
    if document is not None and document.runid == event.runid:
        reproject(session, document)
    return letter


def _new_letter(trigger: str, event: Event, document_id: str | None, key: str, arrival: datetime) -> DeadLetter:
    return DeadLetter(
        id=sha256(key.encode()).hexdigest()[:36],
        trigger=trigger,
        event_source=event.source,
        event_id=event.id,
        event_type=event.type,
        document_id=document_id,
        runid=event.runid,
        arrivals=0,
        first_at=arrival,
    )
