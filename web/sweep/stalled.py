"""Documents that stand still: what starts their next step is sent again, unchanged, with pauses that grow (rules 20).

Not while an event of theirs waits in the outbox or a worker holds a lease. While nothing at all is archived the
pipeline is down, or idle: then one document at a time is sent, to find out which, and none uses up its tries.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, cast

from sqlalchemy import CursorResult, case, func, select, update
from sqlalchemy.orm import Session

from shared.database.documents import received_event
from shared.database.engine import reading, writing
from shared.database.letters import note_letter
from shared.database.tables import ArchivedEvent, DeadLetter, Document, DocumentStep, OutboxEvent
from shared.documents import PIPELINE, Status, StepState
from shared.errors import DocumentGone, Throttled, Unavailable
from shared.events import DocumentConverted, DocumentReceived, DocumentRecognized, Event, for_resending, from_json
from shared.leases import held_units
from shared.storage import keys
from web.sweep.letters import MOST_REPLAYS
from web.sweep.marks import grown, move_mark, read_mark
from web.sweep.round import BATCH, LONGEST_PAUSE, SOURCE, Round
from web.sweep.swept import Deed

MOST_RESENDS = 12
"""With pauses that grow to six hours, about two days. Then the document is told to have run out of tries."""

OUTAGE = timedelta(minutes=15)
"""So long without anything archived, and whoever waited had no chance to move."""

_LATEST_EVENTS = 5000
_MARK = "stalled"
_TRIGGERS = {
    DocumentReceived.type: "convert",
    DocumentConverted.type: "ocr",
    DocumentRecognized.type: "enrich",
}
"""The events that start a step, in the order of the steps, and the trigger that each one goes to."""


def resend_stalled(round_: Round) -> None:
    """Send on what stands still; give up what was sent often enough."""
    stalled = _stalled(round_)
    round_.swept.saw("documents standing still", len(stalled))
    if not stalled or _has_just_come_back(round_):
        return
    mark = read_mark(round_.engine, _MARK, round_.now)
    pulse = _pulse(round_)
    silent = pulse == mark.position
    if silent and mark.due_at > round_.now:
        return
    due_at = round_.now + round_.patience
    if round_.repairs and not move_mark(round_.engine, mark, due_at=due_at, position=pulse) and silent:
        return
    for document in stalled:
        with round_.alone(document.id):
            if _send_on(round_, document, silent=silent) and silent:
                return


def _stalled(round_: Round) -> Sequence[Document]:
    queued = select(OutboxEvent.number).where(OutboxEvent.document_id == Document.id, OutboxEvent.problem.is_(None))
    query = (
        select(Document)
        .where(
            Document.status == Status.PROCESSING.value,
            func.coalesce(Document.resend_at, Document.changed_at) < round_.now - round_.patience,
            ~queued.exists(),
        )
        .order_by(func.coalesce(Document.resend_at, Document.changed_at))
        .limit(BATCH)
    )
    with reading(round_.engine) as session:
        return session.scalars(query).all()


def _send_on(round_: Round, document: Document, *, silent: bool) -> bool:
    if any(held_units(round_.store, f"{keys.document_prefix(document.id)}{step.value}/") for step in PIPELINE):
        return False
    with reading(round_.engine) as session:
        event = last_start(session, document)
    if document.resends >= MOST_RESENDS and not silent:
        return _give_up(round_, document, event)
    tries = min(document.resends + 1, MOST_RESENDS - 1) if silent else document.resends + 1
    if round_.repairs:
        if not claim(round_, document, tries):
            return False
        try:
            round_.publish(event)
        except (Unavailable, Throttled):
            give_back(round_, document, tries)
            raise
    round_.did(Deed.RESENT, document.id, f"{event.type} of the run {document.runid}")
    return True


def last_start(session: Session, document: Document) -> Event:
    """The event of the current run that starts its first step without a result; from the row where none was archived.

    A later one may be archived too: where record was never told of a result, nothing made of it counts, and only the
    step itself can tell of it again.
    """
    step = case({event_type: place for place, event_type in enumerate(_TRIGGERS)}, value=ArchivedEvent.type)
    query = (
        select(ArchivedEvent.body)
        .where(
            ArchivedEvent.document_id == document.id,
            ArchivedEvent.runid == document.runid,
            ArchivedEvent.type.in_(_starts(session, document)),
        )
        .order_by(step.desc(), ArchivedEvent.number.desc())
        .limit(1)
    )
    body = session.scalars(query).one_or_none()
    return for_resending(from_json(body)) if body else received_event(document, source=SOURCE, runid=document.runid)


def _starts(session: Session, document: Document) -> Sequence[str]:
    """The types that start the steps up to the first one without a result."""
    query = select(DocumentStep.step).where(
        DocumentStep.document_id == document.id,
        DocumentStep.runid == document.runid,
        DocumentStep.state == StepState.DONE.value,
    )
    done = set(session.scalars(query))
    open_ = [place for place, step in enumerate(PIPELINE) if step.value not in done]
    return tuple(_TRIGGERS)[: min(open_, default=len(PIPELINE)) + 1]


def claim(round_: Round, document: Document, tries: int) -> bool:
    """Take the document for this sweep by compare-and-set: of two sweeps at once one sends."""
    pause = grown(round_.patience, LONGEST_PAUSE, document.resends)
    return _set(round_, document, document.resends, tries, round_.now + pause - round_.patience)


def give_back(round_: Round, document: Document, tries: int) -> None:
    """What could not be sent does not count."""
    _set(round_, document, tries, document.resends, document.resend_at)


def _set(round_: Round, document: Document, seen: int, tries: int, resend_at: datetime | None) -> bool:
    statement = (
        update(Document)
        .where(Document.id == document.id, Document.resends == seen, Document.revision == document.revision)
        .values(resends=tries, resend_at=resend_at)
    )
    with writing(round_.engine) as session:
        return cast("CursorResult[Any]", session.execute(statement)).rowcount == 1


def _give_up(round_: Round, document: Document, event: Event) -> bool:
    """Keep the event as a dead letter, as its trigger would have: then the document says so, and people can retry."""
    trigger = _TRIGGERS[event.type]
    if round_.repairs:
        if not claim(round_, document, document.resends + 1):
            return False
        name = sha256(f"{event.source}\n{event.id}".encode()).hexdigest()[:32]
        key = keys.dead_letter(trigger, name, round_.now.strftime("%Y%m%dT%H%M%S%fZ"))
        round_.store.put(key, event.to_json().encode(), media_type="application/cloudevents+json")
        try:
            with writing(round_.engine) as session:
                attributes = event.attributes()
                letter = note_letter(
                    session, trigger, event, attributes, document_id=document.id, key=key, arrival=round_.now
                )
                letter.replays = MOST_REPLAYS
        except DocumentGone:
            round_.store.delete(key)
            return False
    round_.did(Deed.GIVEN_UP, document.id, f"{event.type} was sent {document.resends} times without an answer")
    return True


def _pulse(round_: Round) -> str:
    """Moves with everything that record writes."""
    with reading(round_.engine) as session:
        events = session.scalar(select(func.max(ArchivedEvent.number)))
        letters = session.scalar(select(func.sum(DeadLetter.arrivals)))
    return f"{events or 0}/{letters or 0}"


def _has_just_come_back(round_: Round) -> bool:
    """Whether things are archived again after an outage, so lately that whoever waited could not yet move."""
    number, recorded_at = ArchivedEvent.number, ArchivedEvent.recorded_at
    with reading(round_.engine) as session:
        last = session.scalar(select(func.max(number)))
        if last is None:
            return False
        lately = (number > last - _LATEST_EVENTS) & (recorded_at > round_.now - round_.patience)
        first = session.execute(select(number, recorded_at).where(lately).order_by(number).limit(1)).one_or_none()
        if first is None:
            return False
        before = select(recorded_at).where(number < first.number).order_by(number.desc()).limit(1)
        earlier = session.scalars(before).one_or_none()
    return earlier is not None and first.recorded_at - earlier > OUTAGE
