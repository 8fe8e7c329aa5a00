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
from shared.database.projection import reproject
from shared.database.tables import DeadLetter
from shared.events import Event


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

    `attributes` are the letter's as they arrived; those of a time-out or an unreadable reply carry no error.
    """
    query = select(DeadLetter).where(
        DeadLetter.trigger == trigger, DeadLetter.event_source == event.source, DeadLetter.event_id == event.id
    )
    letter = session.scalars(query.with_for_update()).one_or_none()
    if letter is None:
        letter = _new_letter(trigger, event, document_id, key, arrival)
        session.add(letter)
    letter.status = _status(attributes.get("knativeerrorcode"))
    letter.key, letter.state, letter.last_at = key, "open", arrival
    letter.arrivals += 1
    session.flush()
    document = locked_document(session, document_id) if document_id else None
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


def _status(code: Any) -> int | None:
    return int(code) if str(code).isascii() and str(code).isdecimal() else None
