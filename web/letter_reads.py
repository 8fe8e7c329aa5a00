"""What is read of dead letters: the list, one whole, the ids that a filter chooses. Of all owners: for operators."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Engine, func, select, tuple_
from sqlalchemy.orm import Session

from shared.database.engine import reading
from shared.database.tables import ArchivedEvent, DeadLetter
from shared.errors import ObjectNotFound
from shared.events import DATA_MODELS, short_type
from shared.letters import Ending, LetterState, cause, hint
from shared.storage.port import ObjectStore
from web.api.letter_models import DeadLetterDetail, DeadLetterView, LetterEvent
from web.errors import NotFound
from web.filters import DEFAULT_PAGE_SIZE
from web.paging import Page, Sort, keyset_page

_LOOKED_UP = 500
"""Databases take only so many values in one statement."""

Archived = dict[tuple[str, str], ArchivedEvent]
"""Archived events by source and id."""


@dataclass(frozen=True)
class LetterFilters:
    """What the letters are narrowed by; unset ones let everything pass. Times are those of the last arrival."""

    state: LetterState | None = LetterState.OPEN
    trigger: str | None = None
    code: str | None = None
    type: str | None = None
    document: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def list_letters(
    session: Session, filters: LetterFilters, *, cursor: str | None = None, page_size: int = DEFAULT_PAGE_SIZE
) -> Page[DeadLetterView]:
    """One page of the letters, latest arrival first. Raises InvalidCursor."""
    conditions = _conditions(filters)
    count = session.scalar(select(func.count()).select_from(DeadLetter).where(*conditions)) or 0
    sort = Sort("-last_at", datetime, DeadLetter.last_at.expression, DeadLetter.id.expression)
    query = select(DeadLetter).where(*conditions)
    page = keyset_page(session, query, sort, cursor=cursor, page_size=page_size, count=count)
    archived = archived_events(session, page.results)
    return page.mapped(lambda letter: _view(letter, archived))


def find_letters(
    session: Session, filters: LetterFilters, *, cursor: str | None = None, most: int
) -> tuple[Sequence[str], str | None]:
    """The ids of letters that pass, oldest arrival first, and the cursor for the others. Raises InvalidCursor."""
    sort = Sort("last_at", datetime, DeadLetter.last_at.expression, DeadLetter.id.expression)
    query = select(DeadLetter.id).where(*_conditions(filters))
    page = keyset_page(session, query, sort, cursor=cursor, page_size=most, count=0)
    return page.results, page.next_cursor


def letter_view(engine: Engine, letter_id: str) -> DeadLetterView:
    """One letter as the list shows it. Raises NotFound."""
    with reading(engine) as session:
        letter = _found(session, letter_id)
        return _view(letter, archived_events(session, [letter]))


def show_letter(engine: Engine, store: ObjectStore, letter_id: str) -> DeadLetterDetail:
    """One letter with its event whole, error attributes and all. Raises NotFound."""
    with reading(engine) as session:
        letter = _found(session, letter_id)
    return DeadLetterDetail(**_told(letter), event=stored_letter(store, letter))


def archived_events(session: Session, letters: Sequence[DeadLetter]) -> Archived:
    """The letters' events, as far as they are in the archive."""
    wanted = [(letter.event_source, letter.event_id) for letter in letters]
    found: Archived = {}
    for start in range(0, len(wanted), _LOOKED_UP):
        some = tuple_(ArchivedEvent.source, ArchivedEvent.id).in_(wanted[start : start + _LOOKED_UP])
        found |= {(row.source, row.id): row for row in session.scalars(select(ArchivedEvent).where(some))}
    return found


def stored_letter(store: ObjectStore, letter: DeadLetter) -> dict[str, Any] | None:
    """The letter as it is kept; None where its object is gone or is not what record writes."""
    try:
        found = json.loads(store.get(letter.key))
    except (ObjectNotFound, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _found(session: Session, letter_id: str) -> DeadLetter:
    letter = session.get(DeadLetter, letter_id)
    if letter is None:
        raise NotFound("There is no such dead letter.")
    return letter


def _conditions(filters: LetterFilters) -> list[ColumnElement[bool]]:
    equal = {
        DeadLetter.state: filters.state.value if filters.state else None,
        DeadLetter.trigger: filters.trigger,
        DeadLetter.code: filters.code,
        DeadLetter.document_id: filters.document,
    }
    found = [column == value for column, value in equal.items() if value]
    if filters.type:
        known = [name for name in DATA_MODELS if filters.type in (name, short_type(name))]
        found.append(DeadLetter.event_type.in_(known or [filters.type]))
    if filters.since:
        found.append(DeadLetter.last_at >= filters.since)
    if filters.until:
        found.append(DeadLetter.last_at <= filters.until)
    return found


def _view(letter: DeadLetter, archived: Archived) -> DeadLetterView:
    row = archived.get((letter.event_source, letter.event_id))
    event = LetterEvent(
        id=letter.event_id,
        source=letter.event_source,
        type=letter.event_type,
        subject=row.subject if row else letter.document_id,
        time=row.time if row else None,
        runid=letter.runid,
    )
    return DeadLetterView(**_told(letter), event=event)


def _told(letter: DeadLetter) -> dict[str, Any]:
    ending = Ending(letter.status, letter.code, letter.message)
    tried = letter.last_at - letter.tried_since if letter.tried_since else None
    same = ("id", "trigger", "status", "code", "message", "document_id", "arrivals", "replays", "first_at", "last_at")
    return {name: getattr(letter, name) for name in (*same, "tried_since", "reason")} | {
        "state": LetterState(letter.state),
        "cause": cause(letter.trigger, ending, tried),
        "hint": hint(letter.trigger, ending),
    }
