"""Sends archived events again as they were, through the outbox: the work of a `redeliver` replay.

Consumers recognise what they know by source and id. Events of purged documents and of runs that are not current are
left out at the moment of emission, under the lock that a purge and a new run take as well (rules 19).
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Engine, Select, case, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from shared.database.engine import reading
from shared.database.tables import ArchivedEvent, Document, LedgerEntry, OutboxEvent
from shared.events import Event, ObjectCreated, for_resending, from_json
from web.api.replay_models import ReplayFilter
from web.reads import event_conditions
from web.replays import Batch, Counts, Extent, Job
from web.selecting import about_documents, document_conditions, event_filters

SCANNED = 1000
"""So many events are looked at for one batch, most of which may have to be left out."""

SENT = "sent"
_REASON = case(
    ((ArchivedEvent.document_id.is_not(None)) & Document.id.is_(None), "purged"),
    ((ArchivedEvent.type == ObjectCreated.type) & (ArchivedEvent.subject == ""), "purged"),
    (Document.runid != ArchivedEvent.runid, "not_current"),
    else_=SENT,
)


class Redelivering:
    """Walks the archive by number, up to the last event that it had when the replay began."""

    sends_events = True

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def extent(self, session: Session, request: Mapping[str, Any]) -> Extent:
        """Events by what would become of them now."""
        query = _joined(select(_REASON, func.count())).where(*_conditions(request)).group_by(_REASON)
        counts: dict[str, int] = dict(session.execute(query).all())
        last = session.scalar(select(func.max(ArchivedEvent.number))) or 0
        return Extent(counts.pop(SENT, 0), str(last), counts)

    def next_batch(self, job: Job, most: int) -> Batch | None:
        """Up to `most` events that may be sent, and those to be left out before and between them."""
        query = _joined(select(ArchivedEvent.number, _REASON)).where(
            *_conditions(job.request),
            ArchivedEvent.number > int(job.cursor or 0),
            ArchivedEvent.number <= int(job.bound or 0),
        )
        with reading(self._engine) as session:
            scanned = session.execute(query.order_by(ArchivedEvent.number).limit(SCANNED)).all()
        if not scanned:
            return None
        sent = [number for number, reason in scanned if reason == SENT]
        last = scanned[-1][0] if len(sent) <= most else sent[most] - 1
        numbers = [number for number, _ in scanned if number <= last]
        chosen = [number for number in sent if number <= last]
        return Batch(str(last), lambda session: _send(session, chosen, left_out=len(numbers) - len(chosen)))


def _joined(query: Select[Any]) -> Select[Any]:
    return query.select_from(ArchivedEvent).outerjoin(Document, Document.id == ArchivedEvent.document_id)


def _conditions(request: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    wanted = ReplayFilter.model_validate(request["filter"])
    found = event_conditions(event_filters(wanted))
    if about_documents(wanted):
        found += document_conditions(wanted)
    if wanted.ids is not None:
        found.append(ArchivedEvent.document_id.in_(wanted.ids) | ArchivedEvent.id.in_(wanted.ids))
    return found


def _send(session: Session, numbers: Sequence[int], *, left_out: int) -> Counts:
    query = select(ArchivedEvent).where(ArchivedEvent.number.in_(numbers)).order_by(ArchivedEvent.number)
    archived = session.scalars(query).all()
    events = [(from_json(row.body), row.document_id) for row in archived]
    owners = [document_id or _taken_over_as(session, event) for event, document_id in events]
    runs = _locked_runs(session, [owner for owner in owners if owner])
    sent = 0
    for (event, document_id), owner in zip(events, owners, strict=True):
        if owner is None or (owner in runs and event.runid in (None, runs[owner])):
            _enqueue_again(session, event, document_id)
            sent += 1
    return Counts(sent, left_out + len(numbers) - sent)


def _locked_runs(session: Session, document_ids: Sequence[str]) -> dict[str, str]:
    query = select(Document.id, Document.runid).where(Document.id.in_(document_ids)).order_by(Document.id)
    return dict(session.execute(query.with_for_update(read=True)).all())


def _taken_over_as(session: Session, event: Event) -> str | None:
    """The document that a file under `incoming/` has become, by the ledger (rules 23)."""
    if event.type != ObjectCreated.type:
        return None
    data = event.payload
    query = select(LedgerEntry.document_id).where(
        LedgerEntry.bucket == data.get("bucket"), LedgerEntry.key == data.get("key"), LedgerEntry.state == "received"
    )
    if data.get("version_id"):
        query = query.where(LedgerEntry.version_id == data["version_id"])
    elif data.get("etag"):
        query = query.where(LedgerEntry.etag == data["etag"])
    return session.scalars(query.order_by(LedgerEntry.created_at.desc()).limit(1)).one_or_none()


def _enqueue_again(session: Session, event: Event, document_id: str | None) -> None:
    """Into the outbox, unless it is there already: then it is sent anyway."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    now = datetime.now(UTC)
    values = {
        "source": event.source,
        "id": event.id,
        "document_id": document_id,
        "body": for_resending(event).to_json(),
        "created_at": now,
        "not_before": now,
        "attempts": 0,
    }
    session.execute(insert(OutboxEvent).values(values).on_conflict_do_nothing())
