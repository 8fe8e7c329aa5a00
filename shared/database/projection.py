"""Puts the projection of a document's current run into its row. What the events mean is decided in `shared.projection`.

Both record, when an event or a dead letter arrives, and web, when a person decides on one, derive the row anew here.
No object is read: the metadata that a projection may choose are brought along (rules 2).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from shared.database.documents import apply_metadata, touch
from shared.database.reviews import ReviewState, base_of, review_state, reviewed, source_sha256
from shared.database.tables import ArchivedEvent, DeadLetter, Document, DocumentStep, DocumentTag
from shared.documents import Status, Step, StepState
from shared.errors import InvalidEvent, ObjectNotFound, Unavailable
from shared.events import (
    DocumentConverted,
    DocumentEnriched,
    DocumentFailed,
    DocumentReceived,
    DocumentRecognized,
    Event,
    from_json,
)
from shared.letters import STEP_OF_TRIGGER, UNSETTLED, Ending, LetterState, cause, hint
from shared.metadata import Metadata
from shared.progress import BATCHES, Progress
from shared.projection import STARTS, Letter, Projection, Run, Standing, StepView, project
from shared.storage import keys
from shared.storage.port import ObjectStore

WAKES_INDEX = (DocumentRecognized.type, DocumentEnriched.type, DocumentFailed.type)
_FEW = (DocumentReceived.type, DocumentConverted.type, *WAKES_INDEX)
"""The types of which a run has a few events, all of which are folded each time."""

PROJECTED = (*_FEW, *BATCHES)
"""The types that tell how far a run is; all others are archived only, or noted apart."""

KnownMetadata = Mapping[str, dict[str, Any]]
"""What was read of metadata objects, by their keys."""


T = TypeVar("T")


class MetadataMissing(Exception):
    """The projection chose metadata that were not read beforehand: they are read and the transaction is tried again."""

    def __init__(self, wanted: set[str]) -> None:
        super().__init__(f"metadata to be read first: {', '.join(sorted(wanted))}")
        self.wanted = wanted


def with_metadata(store: ObjectStore, document_id: str, transaction: Callable[[KnownMetadata], T]) -> T:
    """Run a transaction that projects a document; again, with the metadata that it turned out to need (rules 2).

    Raises InvalidEvent where an event names an object of another document, Unavailable.
    """
    known: dict[str, dict[str, Any]] = {}
    while True:
        try:
            return transaction(known)
        except MetadataMissing as missing:
            wanted = missing.wanted
        try:
            known |= {key: load_metadata(store, document_id, key) for key in wanted}
        except ObjectNotFound as error:
            raise Unavailable("the metadata are not readable yet") from error


@dataclass(frozen=True)
class _Shown:
    """What the columns are to say: what the run has made, or under review what stood before."""

    standing: Standing
    status: Status
    code: str | None
    message: str | None
    hint: str | None
    warnings: list[Any]


def reproject(session: Session, document: Document, metadata: KnownMetadata | None = None) -> bool:
    """Derive the (locked) row and its steps anew; whether what readers and search see has changed.

    Raises MetadataMissing where the projection chooses metadata other than the row's that are not in `metadata`.
    """
    return apply_projection(session, document, projection_of(session, document), metadata or {})


def rederive(session: Session, document: Document, metadata: KnownMetadata) -> bool:
    """As `reproject`, trusting nothing in the (locked) row that is derived; whether anything had to be corrected.

    An undisturbed row is left as it is, its revision included. Raises MetadataMissing where `metadata` lacks any of
    those that `metadata_wanted` names for what `rederived` gives, with `reread`.
    """
    before, content_before = _derived(session, document), _content_of(document)
    projection = rederived(session, document)
    _put(session, document, projection, metadata, reread=True)
    session.flush()
    after = _derived(session, document)
    if after == before:
        return False
    columns = _content_of(document) != content_before or after.shown != before.shown
    touch(document, content=columns)
    return True


def is_derivable(session: Session, document: Document) -> bool:
    """Whether the archive has the event that the current run started with: without it nothing can be said anew."""
    start = STARTS[Step(document.run_from)]
    query = select(ArchivedEvent.number).where(
        ArchivedEvent.document_id == document.id,
        ArchivedEvent.runid == document.runid,
        ArchivedEvent.type == start,
    )
    return session.execute(query.limit(1)).first() is not None


def rederived(session: Session, document: Document) -> Projection:
    """As `projection_of`, from archive and dead letters alone; of the row only what is decided, not derived, is used.

    That is its run, options and `base`. In its first run a document stands on nothing but its original.
    """
    others = select(ArchivedEvent.number).where(
        ArchivedEvent.document_id == document.id,
        ArchivedEvent.runid != document.runid,
        ArchivedEvent.type.in_(STARTS.values()),
    )
    first_run = document.base is None and session.execute(others.limit(1)).first() is None
    base = Standing(source_sha256(document)) if first_run else base_of(document)
    events = _archived(session, document, PROJECTED)
    return project(base, events, _run(session, document, Progress()))


def projection_of(session: Session, document: Document, event: Event | None = None) -> Projection:
    """What the archived events, `event` as the latest of them, and open dead letters of the run make of the document.

    The events of batches, of which there may be thousands, are counted once and then kept with the step.
    """
    events = _archived(session, document, _FEW)
    if event is not None and event.type in BATCHES:
        events.append(event)
    return project(base_of(document), events, _run(session, document, _progress(session, document)))


def metadata_wanted(document: Document, projection: Projection, *, reread: bool = False) -> set[str]:
    """The keys of the metadata objects that have to be read before this projection can be put into the row."""
    shown, under_review = _shown(document, projection).standing.enriched, _under_review(document, projection)
    known = (
        set() if reread else {_metadata_key(document.enriched), _metadata_key((document.review or {}).get("enriched"))}
    )
    return {key for key in map(_metadata_key, (shown, under_review)) if key is not None} - known


def load_metadata(store: ObjectStore, document_id: str, key: str) -> dict[str, Any]:
    """The metadata as the row holds them. Raises InvalidEvent for a key of another document, ObjectNotFound."""
    if not keys.belongs_to(key, document_id):
        raise InvalidEvent("an object of the event is not one of this document")
    return Metadata.model_validate_json(store.get(key)).model_dump(mode="json")


def apply_projection(session: Session, document: Document, projection: Projection, metadata: KnownMetadata) -> bool:
    """Put a projection into the (locked) row; whether what readers and search see has changed.

    Raises MetadataMissing where `metadata` lacks any of those that `metadata_wanted` names.
    """
    before = _content_of(document)
    _put(session, document, projection, metadata)
    changed = _content_of(document) != before
    touch(document, content=changed)
    return changed


def _put(
    session: Session, document: Document, projection: Projection, metadata: KnownMetadata, *, reread: bool = False
) -> None:
    if missing := metadata_wanted(document, projection, reread=reread) - metadata.keys():
        raise MetadataMissing(missing)
    shown = _shown(document, projection)
    _review(document, projection, metadata, reread=reread)
    _apply_metadata(session, document, shown.standing.enriched, metadata, reread=reread)
    standing = shown.standing
    document.converted, document.recognized = standing.converted, standing.recognized
    document.enriched = standing.enriched
    document.pages = standing.converted["pages"] if standing.converted else None
    document.code, document.message, document.hint = shown.code, shown.message, shown.hint
    document.warnings = shown.warnings
    if document.trashed_at is None:
        document.status = shown.status.value
    if review_state(document) is not ReviewState.REJECTED:
        _write_steps(session, document, projection)
        _close_letters(session, document, projection)


def _shown(document: Document, projection: Projection) -> _Shown:
    state = review_state(document)
    if state is None:
        warnings = [notice.model_dump(mode="json") for notice in projection.warnings]
        told = (projection.code, projection.message, projection.hint)
        return _Shown(projection.standing, projection.status, *told, warnings)
    underway = projection.status is Status.PROCESSING and state is not ReviewState.REJECTED
    status = Status.PROCESSING if underway else Status.READY
    warnings = (document.base or {}).get("warnings", document.warnings)
    return _Shown(base_of(document).renewed(projection.standing), status, None, None, None, warnings)


def _under_review(document: Document, projection: Projection) -> dict[str, Any] | None:
    """The enriched result that is held back, where its metadata are not those that are shown."""
    if review_state(document) in (None, ReviewState.REJECTED):
        return None
    made = projection.standing.enriched
    stood = base_of(document).renewed(projection.standing).enriched
    return made if _metadata_key(made) != _metadata_key(stood) else None


def _review(document: Document, projection: Projection, metadata: KnownMetadata, *, reread: bool) -> None:
    if review_state(document) in (None, ReviewState.REJECTED):
        return
    review, key = document.review or {}, _metadata_key(_under_review(document, projection))
    if key is not None and (reread or key != _metadata_key(review.get("enriched"))):
        kept: Any = metadata[key]
    else:
        kept = review.get("machine_metadata") if key is not None else None
    document.review = reviewed(document, projection, kept)


def _apply_metadata(
    session: Session, document: Document, enriched: dict[str, Any] | None, metadata: KnownMetadata, *, reread: bool
) -> None:
    key = _metadata_key(enriched)
    if key == _metadata_key(document.enriched) and not reread:
        return
    document.machine_metadata = metadata[key] if key is not None else {}
    apply_metadata(session, document)


def _metadata_key(enriched: Mapping[str, Any] | None) -> str | None:
    return str(enriched["metadata"]["key"]) if enriched else None


def _archived(session: Session, document: Document, types: tuple[str, ...]) -> list[Event]:
    query = select(ArchivedEvent.body).where(
        ArchivedEvent.document_id == document.id,
        ArchivedEvent.runid == document.runid,
        ArchivedEvent.type.in_(types),
    )
    return [from_json(body) for body in session.scalars(query)]


def _run(session: Session, document: Document, progress: Progress) -> Run:
    letters = _letters(session, document)
    return Run(Step(document.run_from), document.run_started_at, letters, progress, document.accepted_code)


def _progress(session: Session, document: Document) -> Progress:
    """The batches whose events are archived."""
    row = session.get(DocumentStep, (document.id, document.runid, Step.OCR.value))
    if row is not None and row.pages is not None:
        return Progress.from_json(row.pages)
    return Progress().plus(_archived(session, document, BATCHES))


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
    """What readers and search see of a run: the version moves when this does, and not on progress."""
    results = (document.converted, document.recognized, document.enriched)
    settled = (Status(document.status), document.code) if document.status != Status.PROCESSING else None
    return (*(result and result.get("fingerprint") for result in results), settled)


def _steps_of(session: Session, document: Document) -> dict[str, DocumentStep]:
    query = select(DocumentStep).where(DocumentStep.document_id == document.id, DocumentStep.runid == document.runid)
    return {row.step: row for row in session.scalars(query)}


def _write_steps(session: Session, document: Document, projection: Projection) -> None:
    rows = _steps_of(session, document)
    for view in projection.steps:
        row = rows.get(view.step.value)
        if row is None:
            row = DocumentStep(document_id=document.id, runid=document.runid, step=view.step.value)
            session.add(row)
        _write_step(row, view)


def _write_step(row: DocumentStep, view: StepView) -> None:
    row.state = view.state.value
    row.attempts = view.attempts
    row.started_at, row.finished_at = view.started_at, view.finished_at
    row.code, row.message, row.hint = view.code, view.message, view.hint
    row.done, row.total = view.done, view.total
    row.pages = view.pages.to_json() if view.pages else None


@dataclass(frozen=True)
class _Derived:
    """All of a document that is derived, for comparison."""

    shown: tuple[object, ...]
    told: tuple[object, ...]
    steps: tuple[tuple[object, ...], ...]


def _derived(session: Session, document: Document) -> _Derived:
    shown = ("converted", "recognized", "enriched", "pages", "machine_metadata", "title", "document_type", "sender")
    more = ("language", "document_date")
    told = ("status", "code", "message", "hint", "warnings", "review")
    steps = (
        "step",
        "state",
        "attempts",
        "started_at",
        "finished_at",
        "code",
        "message",
        "hint",
        "done",
        "total",
        "pages",
    )
    rows = sorted(_steps_of(session, document).values(), key=lambda row: row.step)
    tags = session.scalars(select(DocumentTag.tag).where(DocumentTag.document_id == document.id))
    return _Derived(
        (*(getattr(document, name) for name in (*shown, *more)), sorted(tags)),
        tuple(getattr(document, name) for name in told),
        tuple(tuple(getattr(row, name) for name in steps) for row in rows),
    )
