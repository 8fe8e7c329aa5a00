"""Puts the projection of a document's current run into its row. What the events mean is decided in `shared.projection`.

Both record, when an event or a dead letter arrives, and web, when a person decides on one, derive the row anew here.
No object is read: the metadata that a projection may choose are brought along (rules 2).
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from shared.database.documents import apply_metadata, touch
from shared.database.tables import ArchivedEvent, DeadLetter, Document, DocumentStep
from shared.documents import Status, Step, StepState
from shared.errors import InvalidEvent, ObjectNotFound, Unavailable
from shared.events import (
    DocumentConverted,
    DocumentEnriched,
    DocumentFailed,
    DocumentReceived,
    DocumentRecognized,
    Event,
    PagesRecognized,
    PagesRequested,
    from_json,
)
from shared.letters import STEP_OF_TRIGGER, UNSETTLED, Ending, LetterState, cause, hint
from shared.metadata import Metadata
from shared.projection import Letter, Projection, Standing, content, project
from shared.storage import keys
from shared.storage.port import ObjectStore

WAKES_INDEX = (DocumentRecognized.type, DocumentEnriched.type, DocumentFailed.type)
PROJECTED = (
    DocumentReceived.type,
    DocumentConverted.type,
    PagesRequested.type,
    PagesRecognized.type,
    *WAKES_INDEX,
)
"""The types that tell how far a run is; all others are archived only, or noted apart."""

KnownMetadata = Mapping[str, dict[str, Any]]
"""What was read of metadata objects, by their keys."""


class MetadataMissing(Exception):
    """The projection chose metadata that were not read beforehand; they are read and the transaction is tried again."""


def reproject(session: Session, document: Document, metadata: KnownMetadata | None = None) -> bool:
    """Derive the (locked) row and its steps anew; whether what readers and search see has changed.

    Raises MetadataMissing where the projection chooses metadata other than the row's that are not in `metadata`.
    """
    return apply_projection(session, document, projection_of(session, document), metadata or {})


def projection_of(session: Session, document: Document, event: Event | None = None) -> Projection:
    """What the archived events and open dead letters of the current run make of the document, with one more event."""
    query = select(ArchivedEvent.body).where(
        ArchivedEvent.document_id == document.id,
        ArchivedEvent.runid == document.runid,
        ArchivedEvent.type.in_(PROJECTED),
    )
    events = {(e.source, e.id): e for e in map(from_json, session.scalars(query))}
    if event is not None:
        events.setdefault((event.source, event.id), event)
    standing = Standing(_source_sha256(document), document.converted, document.recognized, document.enriched)
    return project(standing, Step(document.run_from), list(events.values()), _letters(session, document))


def metadata_wanted(document: Document, projection: Projection) -> str | None:
    """The key of the metadata object that has to be read before this projection can be put into the row."""
    chosen = projection.standing.enriched
    return str(chosen["metadata"]["key"]) if chosen is not None and chosen != document.enriched else None


def load_metadata(store: ObjectStore, document_id: str, key: str) -> dict[str, Any]:
    """The metadata as the row holds them. Raises InvalidEvent for a key of another document, Unavailable."""
    if not keys.belongs_to(key, document_id):
        raise InvalidEvent("an object of the event is not one of this document")
    try:
        return Metadata.model_validate_json(store.get(key)).model_dump(mode="json")
    except ObjectNotFound as error:
        raise Unavailable("the metadata are not readable yet") from error


def apply_projection(session: Session, document: Document, projection: Projection, metadata: KnownMetadata) -> bool:
    """Put a projection into the (locked) row; whether what readers and search see has changed.

    Raises MetadataMissing where `metadata` lacks what `metadata_wanted` names.
    """
    before, steps_before = _content_of(document), _steps_of(session, document)
    _apply_metadata(session, document, projection, metadata)
    standing = projection.standing
    document.converted, document.recognized = standing.converted, standing.recognized
    document.enriched = standing.enriched
    document.pages = standing.converted["pages"] if standing.converted else None
    document.code, document.message, document.hint = projection.code, projection.message, projection.hint
    document.warnings = [notice.model_dump(mode="json") for notice in projection.warnings]
    if document.trashed_at is None:
        document.status = projection.status.value
    _write_steps(session, document, projection, steps_before)
    _close_letters(session, document, projection)
    changed = content(projection) != before
    touch(document, content=changed)
    return changed


def _apply_metadata(session: Session, document: Document, projection: Projection, metadata: KnownMetadata) -> None:
    key = metadata_wanted(document, projection)
    if key is None:
        return
    if key not in metadata:
        raise MetadataMissing
    document.machine_metadata = metadata[key]
    apply_metadata(session, document)


def _letters(session: Session, document: Document) -> list[Letter]:
    """Those whose failure still stands. That of a discarded one does: nobody else is going to do its work."""
    query = select(DeadLetter).where(
        DeadLetter.document_id == document.id,
        DeadLetter.runid == document.runid,
        DeadLetter.state.in_((LetterState.OPEN.value, LetterState.DISCARDED.value)),
    )
    return [_letter(row) for row in session.scalars(query)]


def _letter(row: DeadLetter) -> Letter:
    ending = Ending(row.status, row.code, row.message)
    tried = row.last_at - row.tried_since if row.tried_since else None
    next_step = hint(row.trigger, ending)
    if row.state == LetterState.DISCARDED.value:
        next_step = f"It was set aside: {row.reason}"
    return Letter(
        trigger=row.trigger,
        status=row.status,
        at=row.last_at,
        message=cause(row.trigger, ending, tried),
        hint=f"The original is safe. {next_step}",
        arrivals=row.arrivals,
    )


def _close_letters(session: Session, document: Document, projection: Projection) -> None:
    """Close the letters of steps that have passed in spite of them, whoever sent their events again."""
    passed = {view.step for view in projection.steps if view.state is StepState.DONE}
    triggers = [trigger for trigger, step in STEP_OF_TRIGGER.items() if step in passed]
    session.execute(
        update(DeadLetter)
        .where(
            DeadLetter.document_id == document.id,
            DeadLetter.runid == document.runid,
            DeadLetter.trigger.in_(triggers),
            DeadLetter.state.in_(UNSETTLED),
        )
        .values(state=LetterState.CLOSED.value, replay_at=None)
    )


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


def _source_sha256(document: Document) -> str:
    unlocked = document.options.get("unlocked")
    return str(unlocked["sha256"]) if unlocked else document.sha256
