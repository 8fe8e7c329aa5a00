"""How a run of a document begins: where it starts, with which options, and the event that starts it (rules 9, 10, 24).

One transaction each. The start event of a replay keeps the time of the original one and names it, so that whoever reads
the archive can tell a repetition from what happened first.
"""

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from shared.database.documents import enqueue, received_event, touch
from shared.database.engine import writing
from shared.database.reviews import begin, return_to_base
from shared.database.tables import ArchivedEvent, Document, DocumentStep
from shared.database.vocabulary import offered_vocabulary
from shared.documents import PIPELINE, ObjectReference, Status, Step, StepState
from shared.events import (
    DocumentConverted,
    DocumentReceived,
    DocumentRecognized,
    DocumentUpdated,
    Event,
    EventData,
    RunOptions,
    from_json,
    new_event,
)
from web.api.models import ReplayAnswer, ReplayRequest
from web.writes import SOURCE, owned, require_not_trashed


def replay(engine: Engine, owner: str, document_id: str, request: ReplayRequest) -> ReplayAnswer:
    """Start a new run at the step named, or at the first earlier one without a result of the current inputs.

    `from: index` starts none: it only wakes the index. Raises NotFound, Conflict (trashed).
    """
    with writing(engine) as session:
        document = owned(session, owner, document_id)
        require_not_trashed(document)
        return start_run(session, document, request)


def run_with_copy(engine: Engine, owner: str, document_id: str, unlocked: ObjectReference) -> ReplayAnswer:
    """Start a new run on the opened copy of an encrypted original. Raises NotFound, Conflict (trashed)."""
    with writing(engine) as session:
        document = owned(session, owner, document_id)
        require_not_trashed(document)
        return_to_base(document)
        options = RunOptions.model_validate(document.options).model_copy(update={"unlocked": unlocked, "force": None})
        return _begin(session, document, Step.CONVERT, options, None)


def start_run(
    session: Session, document: Document, request: ReplayRequest, *, replayrun: str | None = None
) -> ReplayAnswer:
    """Start a run of a (locked) row, or wake the index; `replayrun` is the replay that it is part of, if of one."""
    wanted = Step(request.from_)
    if wanted is Step.INDEX:
        wake_index(session, document, force=request.force, replayrun=replayrun)
        return ReplayAnswer(runid=document.runid, started_at_step=wanted.value)
    # What a run made that nobody has accepted is no beginning for another.
    return_to_base(document)
    options = _overlaid(document, request)
    if options.force == Step.ENRICH:
        # Told to think again, it may know what the library has learned since; else the recorded one stands (rules 9).
        options = options.model_copy(update={"vocabulary": offered_vocabulary(session, document.owner)})
    return _begin(session, document, _first_step(document, wanted), options, replayrun)


def wake_index(session: Session, document: Document, *, force: bool, replayrun: str | None = None) -> None:
    """Have the entry of a document written; with `force` also where it stands at this version already."""
    options = RunOptions(force=Step.INDEX.value if force else None)
    data = DocumentUpdated(document_id=document.id, version=document.version, options=options)
    enqueue(session, new_event(data, source=SOURCE, runid=document.runid, replayrun=replayrun))


def _begin(
    session: Session, document: Document, start: Step, options: RunOptions, replayrun: str | None
) -> ReplayAnswer:
    runid = str(uuid.uuid4())
    begin(document, runid)
    document.options = options.model_dump(mode="json")
    _begin_run(session, document, start, runid)
    event = _start_event(document, start)
    enqueue(session, _as_repetition(session, event, replayrun or document.runid))
    return ReplayAnswer(runid=document.runid, started_at_step=start.value)


def _begin_run(session: Session, document: Document, start: Step, runid: str) -> None:
    """Give the row a new run. What a person has accepted was the outcome of the former one."""
    document.runid, document.run_from = runid, start.value
    document.run_started_at, document.status = datetime.now(UTC), Status.PROCESSING.value
    document.code = document.message = document.hint = document.accepted_code = None
    for step in PIPELINE:
        done = PIPELINE.index(step) < PIPELINE.index(start)
        state = StepState.DONE if done else StepState.WAITING
        row = DocumentStep(document_id=document.id, runid=document.runid, step=step.value, state=state, attempts=0)
        session.add(row)
    touch(document, content=False)


def _first_step(document: Document, wanted: Step) -> Step:
    source = document.options.get("unlocked") or {"sha256": document.sha256}
    made_from = {
        Step.OCR: (document.converted, source["sha256"]),
        Step.ENRICH: (document.recognized, (document.converted or {}).get("fingerprint")),
    }
    for step in PIPELINE[1 : PIPELINE.index(wanted) + 1]:
        result, inputs = made_from[step]
        if result is None or result.get("input_fingerprint") != inputs:
            return PIPELINE[PIPELINE.index(step) - 1]
    return wanted


def _overlaid(document: Document, request: ReplayRequest) -> RunOptions:
    changed = request.options.model_dump(exclude_none=True)
    before = RunOptions.model_validate(document.options)
    return before.model_copy(update=changed | {"force": request.from_ if request.force else None})


def _start_event(document: Document, start: Step) -> Event:
    if start is Step.CONVERT:
        return received_event(document, source=SOURCE, runid=document.runid)
    options = {"options": RunOptions.model_validate(document.options)}
    data: EventData = (
        DocumentConverted.model_validate(document.converted)
        if start is Step.OCR
        else DocumentRecognized.model_validate(document.recognized)
    )
    return new_event(data.model_copy(update=options), source=SOURCE, runid=document.runid)


def _as_repetition(session: Session, event: Event, replayrun: str) -> Event:
    """The start event with what tells of the original one, where the archive has that."""
    about: dict[str, Any] = {"replayrun": replayrun}
    if (found := _original(session, event)) is not None:
        first, recorded_at = found
        recorded = recorded_at.isoformat().replace("+00:00", "Z")
        about |= {"time": first.time, "replayof": first.replayof or first.id}
        about |= {"recordedtime": first.recordedtime or recorded}
    return event.model_copy(update=about)


def _original(session: Session, event: Event) -> tuple[Event, datetime] | None:
    """The first archived event of the document that says the same, and when it was archived."""
    query = (
        select(ArchivedEvent.body, ArchivedEvent.recorded_at)
        .where(ArchivedEvent.document_id == event.subject, ArchivedEvent.type == event.type)
        .order_by(ArchivedEvent.number)
    )
    for body, recorded_at in session.execute(query):
        archived = from_json(body)
        same = archived.payload.get("fingerprint") == event.payload.get("fingerprint")
        if event.type == DocumentReceived.type or same:
            return archived, recorded_at
    return None
