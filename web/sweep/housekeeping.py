"""What is kept too long: unfinished writes, archived events beyond their time, answers and marks that nobody needs.

Archived events go only where an operator says so, and never those of a document's current run.
"""

from datetime import timedelta

from sqlalchemy import delete, func, select

from shared.database.engine import reading, writing
from shared.database.tables import ArchivedEvent, Document, IdempotencyKey, OutboxEvent, Replay
from web.outbox import Relay
from web.sweep.findings import settle
from web.sweep.marks import forget_marks
from web.sweep.round import BATCH, Round
from web.sweep.swept import Deed, Kind

ABANDONED = timedelta(days=1)
"""How old an unfinished write is when nobody can still be at it."""

OUTBOX_PATIENCE = timedelta(minutes=10)
KEEP_ANSWERS = timedelta(days=2)
KEEP_REPLAYS = timedelta(days=90)
KEEP_MARKS = timedelta(days=30)
PASS_PAUSE = timedelta(days=1)
SLICE_EVENTS = 5000
_RELAYED_BATCHES = 50
_DAILY = timedelta(days=1)


def remove_leftovers(round_: Round) -> None:
    """Remove what writers that died left unfinished: incomplete multipart uploads, drafts."""
    if not round_.repairs:
        return
    oldest = max(0.0, ABANDONED.total_seconds() - round_.ahead_seconds)
    if removed := round_.store.remove_leftovers(oldest):
        round_.did(Deed.REMOVED, "unfinished writes", "of writers that died", times=removed)


def relay_overdue(round_: Round) -> None:
    """Publish what waits in the outbox although it was due long ago; tell of what cannot be published."""
    waiting = _overdue(round_)
    if waiting and round_.repairs:
        relay = Relay(round_.engine, round_.publisher)
        for _ in range(_RELAYED_BATCHES):
            if not (sent := relay.send_due()):
                break
            round_.did(Deed.RELAYED, "outbox", "waited longer than it should", times=sent)
        waiting = _overdue(round_)
    if waiting:
        message = f"{waiting} events have waited for more than ten minutes to be sent: is the broker within reach?"
        round_.found(Kind.OUTBOX_UNSENT, "outbox", message)
    _tell_of_unreadable(round_)
    settle(round_, (Kind.OUTBOX_UNSENT, Kind.OUTBOX_UNREADABLE))


def _overdue(round_: Round) -> int:
    late = (OutboxEvent.created_at < round_.now - OUTBOX_PATIENCE) & OutboxEvent.problem.is_(None)
    with reading(round_.engine) as session:
        return session.scalar(select(func.count()).select_from(OutboxEvent).where(late)) or 0


def _tell_of_unreadable(round_: Round) -> None:
    """What the relay has set aside. Its document needs it no longer: the other parts send that on from its row."""
    query = select(OutboxEvent).where(OutboxEvent.problem.is_not(None)).order_by(OutboxEvent.number).limit(BATCH)
    with reading(round_.engine) as session:
        rows = session.scalars(query).all()
    for row in rows:
        message = f"An event in the outbox cannot be read: {row.problem}"
        round_.found(Kind.OUTBOX_UNREADABLE, f"outbox/{row.number}", message, row.document_id)


def forget_old(round_: Round) -> None:
    """Once a day: answers to repeated requests, finished replays, marks."""
    if not round_.repairs or (mark := round_.turn("old")) is None:
        return
    with writing(round_.engine) as session:
        session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < round_.now - KEEP_ANSWERS))
        session.execute(delete(Replay).where(Replay.finished_at < round_.now - KEEP_REPLAYS))
    forget_marks(round_.engine, round_.now - KEEP_MARKS)
    round_.end_turn(mark, "", pause=_DAILY)


def remove_old_events(round_: Round) -> None:
    """Go on with the walk through the archive, with EVENT_RETENTION_DAYS."""
    if round_.event_retention_days <= 0 or (mark := round_.turn("archive")) is None:
        return
    position: str = mark.position
    while True:
        position = _remove_some(round_, int(position or 0))
        if not position or round_.repairs or not round_.has_time():
            break
    round_.end_turn(mark, position, pause=PASS_PAUSE)


def _remove_some(round_: Round, after: int) -> str:
    before = round_.now - timedelta(days=round_.event_retention_days)
    number = ArchivedEvent.number
    with reading(round_.engine) as session:
        numbers = session.scalars(select(number).where(number > after).order_by(number).limit(SLICE_EVENTS)).all()
    if not numbers:
        return ""
    current = select(Document.id).where(Document.id == ArchivedEvent.document_id, Document.runid == ArchivedEvent.runid)
    old = (number > after) & (number <= numbers[-1]) & (ArchivedEvent.recorded_at < before) & ~current.exists()
    with reading(round_.engine) as session:
        doomed = session.scalars(select(number).where(old)).all()
        newest = session.scalar(select(func.max(ArchivedEvent.recorded_at)).where(number == numbers[-1]))
    if round_.repairs and doomed:
        with writing(round_.engine) as session:
            session.execute(delete(ArchivedEvent).where(old))
    if doomed:
        round_.did(Deed.REMOVED, "archive", f"events older than {round_.event_retention_days} days", times=len(doomed))
    is_over = len(numbers) < SLICE_EVENTS or (newest is not None and newest >= before)
    return "" if is_over else str(numbers[-1])
