"""What is done with dead letters: send them again, set them aside, close those that have passed.

Sending again puts the letter's event into the outbox unchanged, in the transaction that notes it; the steps recognise
what they have done. A letter whose event fails again is opened again by record, whatever became of it here.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, Engine, or_, select, update
from sqlalchemy.orm import Session

from shared.database.documents import enqueue_again, locked_document
from shared.database.engine import reading, writing
from shared.database.projection import KnownMetadata, reproject, with_metadata
from shared.database.tables import ArchivedEvent, DeadLetter, Document, DocumentStep, LedgerEntry, Tombstone
from shared.documents import StepState
from shared.errors import DocuElevateError
from shared.events import (
    DocumentDeleted,
    DocumentIndexed,
    DocumentPurged,
    DocumentRestored,
    DocumentUpdated,
    Event,
    event_of,
    for_resending,
    from_json,
)
from shared.letters import STEP_OF_TRIGGER, UNSETTLED, LetterState
from shared.storage.port import ObjectStore
from web.api.letter_models import SkippedLetter
from web.errors import Conflict, NotFound
from web.letter_reads import Archived, archived_events, stored_letter

WHOLE_RUNS_ALIKE = (
    DocumentUpdated.type,
    DocumentDeleted.type,
    DocumentRestored.type,
    DocumentPurged.type,
    DocumentIndexed.type,
)
"""Events that count by the document's version, whatever its run and wherever it lies."""

MOST_TOLD = 200
_CLAIMED = "claimed"

_log = logging.getLogger(__name__)


class Skip(StrEnum):
    """Why a letter was left alone."""

    NOT_FOUND = "not_found"
    PURGED = "purged"
    TRASHED = "trashed"
    NOT_CURRENT = "not_current"
    CLOSED = "closed"
    UNREADABLE = "unreadable"


_REASONS = {
    Skip.NOT_FOUND: "There is no such dead letter.",
    Skip.PURGED: "Its document was removed for good.",
    Skip.TRASHED: "Its document is in the trash; restore it first.",
    Skip.NOT_CURRENT: "A later run of the document took the place of the one that it belongs to.",
    Skip.CLOSED: "It is closed already: its step has passed since.",
    Skip.UNREADABLE: "Its event cannot be read, by no step either; it can be looked at and discarded.",
}


@dataclass
class Dealt:
    """What was done with letters, or with a dry run would be: how many, and which ones were left alone."""

    count: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    told: list[SkippedLetter] = field(default_factory=list)

    def add(self, letter_id: str, skip: Skip | None) -> None:
        """Count one letter."""
        if skip is None:
            self.count += 1
            return
        self.skipped[skip.value] = self.skipped.get(skip.value, 0) + 1
        if len(self.told) < MOST_TOLD:
            self.told.append(SkippedLetter(id=letter_id, code=skip.value, message=_REASONS[skip]))


def replay_letters(
    engine: Engine, store: ObjectStore, letter_ids: Iterable[str], *, by: str, dry_run: bool = False
) -> Dealt:
    """Send the events of letters again, each one in a transaction of its own; what cannot be sent is told (rules 19).

    Done again after a crash it goes on: what was sent is no longer open. Raises Unavailable.
    """

    def deal(letter_id: str) -> Skip | None:
        with reading(engine) as session:
            letter = session.get(DeadLetter, letter_id)
            archived = archived_events(session, [letter] if letter else [])
        event = _event(store, letter, archived) if letter else None
        return _decided(
            engine, store, letter, lambda session, known: _replay(session, letter_id, event, known, dry_run=dry_run)
        )

    return _each(letter_ids, deal, "dry run: would be sent again" if dry_run else "sent again", by)


def discard_letters(
    engine: Engine, store: ObjectStore, letter_ids: Iterable[str], reason: str, *, by: str, dry_run: bool = False
) -> Dealt:
    """Set letters aside for a reason. A document that they mark stays marked until somebody decides on it."""

    def deal(letter_id: str) -> Skip | None:
        with reading(engine) as session:
            letter = session.get(DeadLetter, letter_id)
        return _decided(
            engine, store, letter, lambda session, known: _discard(session, letter_id, reason, known, dry_run=dry_run)
        )

    return _each(letter_ids, deal, "dry run: would be discarded" if dry_run else "discarded", by)


def require_done(dealt: Dealt) -> None:
    """Raise NotFound or Conflict where the one letter that was dealt with was left alone."""
    for told in dealt.told:
        if told.code == Skip.NOT_FOUND:
            raise NotFound(told.message)
        raise Conflict(told.message, code=told.code)


def close_passed(engine: Engine) -> int:
    """Close letters for which nothing is left to be done; how many. Record does so as well when a step passes."""
    with reading(engine) as session:
        passed = [(row, None) for row in session.scalars(select(DeadLetter).where(_is_unsettled(), _has_passed()))]
        passed += [(row, None) for row in _ingested(session)]
        reason = _REASONS[Skip.NOT_CURRENT]
        late = select(DeadLetter).where(_is_unsettled(), _is_superseded(), ~_has_passed())
        outdated = [(row, reason) for row in session.scalars(late)]
    return sum(close_unchanged(engine, letter, why) for letter, why in [*passed, *outdated])


def close_unchanged(engine: Engine, letter: DeadLetter, reason: str | None) -> bool:
    """Close a letter by compare-and-set: one that has arrived again since it was looked at stays open."""
    statement = (
        update(DeadLetter)
        .where(DeadLetter.id == letter.id, DeadLetter.arrivals == letter.arrivals, _is_unsettled())
        .values(state=LetterState.CLOSED.value, reason=reason, replay_at=None)
    )
    with writing(engine) as session:
        return cast("CursorResult[Any]", session.execute(statement)).rowcount == 1


def _event(store: ObjectStore, letter: DeadLetter, archived: Archived) -> Event | None:
    """The event as it may be sent again; from the archive where the object does not give it."""
    identity = (letter.event_source, letter.event_id)
    stored = stored_letter(store, letter) or {}
    data = stored.pop("data", None)
    try:
        event = event_of(stored, data) if isinstance(data, dict) else from_json(archived[identity].body)
    except (KeyError, DocuElevateError):
        return None
    return for_resending(event) if (event.source, event.id) == identity else None


def _decided(
    engine: Engine,
    store: ObjectStore,
    letter: DeadLetter | None,
    decide: Callable[[Session, KnownMetadata], Skip | None],
) -> Skip | None:
    def transaction(known: KnownMetadata) -> Skip | None:
        with writing(engine) as session:
            return decide(session, known)

    return with_metadata(store, letter.document_id or "", transaction) if letter else Skip.NOT_FOUND


def _replay(
    session: Session, letter_id: str, event: Event | None, metadata: KnownMetadata, *, dry_run: bool
) -> Skip | None:
    letter, document = _locked(session, letter_id)
    if letter is None:
        return Skip.NOT_FOUND
    obstacle = _obstacle(session, letter, document) or (Skip.UNREADABLE if event is None else None)
    if obstacle is not None or event is None or dry_run:
        return obstacle
    letter.state, letter.reason = LetterState.REPLAYED.value, None
    letter.replays += 1
    enqueue_again(session, event)
    _project(session, letter, document, metadata)
    return None


def _discard(session: Session, letter_id: str, reason: str, metadata: KnownMetadata, *, dry_run: bool) -> Skip | None:
    letter, document = _locked(session, letter_id)
    if letter is None:
        return Skip.NOT_FOUND
    if letter.state in (LetterState.CLOSED.value, LetterState.PURGED.value):
        return Skip.CLOSED if letter.state == LetterState.CLOSED.value else Skip.PURGED
    if not dry_run:
        letter.state, letter.reason, letter.replay_at = LetterState.DISCARDED.value, reason, None
        _project(session, letter, document, metadata)
    return None


def _locked(session: Session, letter_id: str) -> tuple[DeadLetter | None, Document | None]:
    """The letter and its document, locked until the transaction ends: the document first, as everywhere."""
    document_id = session.scalar(select(DeadLetter.document_id).where(DeadLetter.id == letter_id))
    document = locked_document(session, document_id) if document_id else None
    query = select(DeadLetter).where(DeadLetter.id == letter_id).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none(), document


def _obstacle(session: Session, letter: DeadLetter, document: Document | None) -> Skip | None:
    if letter.state in (LetterState.CLOSED.value, LetterState.PURGED.value):
        return Skip.CLOSED if letter.state == LetterState.CLOSED.value else Skip.PURGED
    if document is None:
        gone = letter.document_id and session.get(Tombstone, letter.document_id) is not None
        return Skip.PURGED if gone else None
    if letter.event_type in WHOLE_RUNS_ALIKE:
        return None
    if letter.runid != document.runid:
        return Skip.NOT_CURRENT
    return Skip.TRASHED if document.trashed_at is not None else None


def _project(session: Session, letter: DeadLetter, document: Document | None, metadata: KnownMetadata) -> None:
    session.flush()
    if document is not None and letter.runid == document.runid and letter.trigger in STEP_OF_TRIGGER:
        reproject(session, document, metadata)


def _each(letter_ids: Iterable[str], deal: Callable[[str], Skip | None], done: str, by: str) -> Dealt:
    dealt = Dealt()
    for letter_id in dict.fromkeys(letter_ids):
        skip = deal(letter_id)
        dealt.add(letter_id, skip)
        _log.info("dead letter %s: %s (by %s)", letter_id, f"left alone, {skip.value}" if skip else done, by)
    return dealt


def _is_unsettled() -> ColumnElement[bool]:
    return DeadLetter.state.in_(UNSETTLED)


def _has_passed() -> ColumnElement[bool]:
    """Its step is done; what index was to show, it shows; what record was to archive is archived."""
    done = [
        (DeadLetter.trigger == trigger)
        & select(DocumentStep.step)
        .where(
            DocumentStep.document_id == DeadLetter.document_id,
            DocumentStep.runid == DeadLetter.runid,
            DocumentStep.step == step.value,
            DocumentStep.state == StepState.DONE.value,
        )
        .exists()
        for trigger, step in STEP_OF_TRIGGER.items()
    ]
    shown = select(Document.id).where(
        Document.id == DeadLetter.document_id, Document.indexed_version >= Document.version
    )
    kept = select(ArchivedEvent.number).where(
        ArchivedEvent.source == DeadLetter.event_source, ArchivedEvent.id == DeadLetter.event_id
    )
    return or_(
        *done,
        (DeadLetter.trigger == "index") & shown.exists(),
        (DeadLetter.trigger == "record") & kept.exists(),
    )


def _is_superseded() -> ColumnElement[bool]:
    later = select(Document.id).where(Document.id == DeadLetter.document_id, Document.runid != DeadLetter.runid)
    return DeadLetter.event_type.not_in(WHOLE_RUNS_ALIKE) & later.exists()


def _ingested(session: Session) -> list[DeadLetter]:
    """Letters of dropped files that were taken in since, as the ledger knows."""
    letters = session.scalars(select(DeadLetter).where(_is_unsettled(), DeadLetter.trigger == "ingest")).all()
    archived = archived_events(session, letters)
    found = [(letter, archived.get((letter.event_source, letter.event_id))) for letter in letters]
    return [letter for letter, row in found if row is not None and _is_in_ledger(session, row)]


def _is_in_ledger(session: Session, row: ArchivedEvent) -> bool:
    payload = from_json(row.body).payload
    query = select(LedgerEntry.identity).where(LedgerEntry.key == payload.get("key"), LedgerEntry.state != _CLAIMED)
    if payload.get("etag"):
        query = query.where(LedgerEntry.etag == payload["etag"])
    return session.scalars(query.limit(1)).one_or_none() is not None
