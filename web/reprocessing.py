"""Starts a new run for each living document that a filter selects: the work of a `reprocess` replay (rules 24).

Documents are walked by their ids, which sort by time of creation; each gets one run, however many of its events match.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Engine, func, select
from sqlalchemy.orm import Session

from shared.database.documents import locked_document
from shared.database.engine import reading
from shared.database.tables import ArchivedEvent, Document, Tombstone
from web.api.models import ReplayRequest
from web.api.replay_models import ReplayFilter
from web.reads import event_conditions
from web.replays import Batch, Counts, Extent, Job
from web.runs import start_run
from web.selecting import about_documents, about_events, document_conditions, event_filters, with_events

STARTED_TOGETHER = 25
"""So many runs begin in one transaction: uploads wait for it where the database has one writer."""


class Reprocessing:
    """Walks the documents, up to the last one that there was when the replay began."""

    sends_events = True

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def extent(self, session: Session, request: Mapping[str, Any]) -> Extent:
        """Living documents that match; left out are trashed, purged and unknown ones."""
        wanted = ReplayFilter.model_validate(request["filter"])
        in_trash = Document.trashed_at.is_not(None)
        query = select(in_trash, func.count()).where(*_conditions(wanted)).group_by(in_trash)
        counts: dict[bool, int] = {bool(trashed): count for trashed, count in session.execute(query)}
        skipped = {"trashed": counts.get(True, 0), "purged": _purged(session, wanted)}
        if wanted.ids is not None and not (about_documents(wanted) or about_events(wanted)):
            skipped["unknown"] = len(set(wanted.ids)) - sum(counts.values()) - skipped["purged"]
        last = session.scalar(select(func.max(Document.id)))
        return Extent(counts.get(False, 0), last, {reason: count for reason, count in skipped.items() if count})

    def next_batch(self, job: Job, most: int) -> Batch | None:
        """The next documents."""
        query = select(Document.id).where(
            *_conditions(ReplayFilter.model_validate(job.request["filter"])),
            Document.id > (job.cursor or ""),
            Document.id <= (job.bound or ""),
        )
        with reading(self._engine) as session:
            found = session.scalars(query.order_by(Document.id).limit(min(most, STARTED_TOGETHER))).all()
        if not found:
            return None

        def start(session: Session) -> Counts:
            started = sum(_start(session, document_id, job) for document_id in found)
            return Counts(started, len(found) - started)

        return Batch(found[-1], start)


def _start(session: Session, document_id: str, job: Job) -> bool:
    document = locked_document(session, document_id)
    if document is None or document.trashed_at is not None:
        return False
    request = ReplayRequest.model_validate({name: job.request[name] for name in ("from", "force", "options")})
    start_run(session, document, request, replayrun=job.id)
    return True


def _conditions(wanted: ReplayFilter) -> list[ColumnElement[bool]]:
    chosen = [Document.id.in_(wanted.ids)] if wanted.ids is not None else []
    return [*document_conditions(wanted), *with_events(wanted), *chosen]


def _purged(session: Session, wanted: ReplayFilter) -> int:
    """How many of the documents that the archive still knows of were purged; what they were like is not known."""
    if about_documents(wanted):
        return 0
    query = select(func.count(Tombstone.document_id.distinct()))
    if about_events(wanted):
        query = query.join(ArchivedEvent, ArchivedEvent.document_id == Tombstone.document_id)
        query = query.where(*event_conditions(event_filters(wanted)))
    if wanted.ids is not None:
        query = query.where(Tombstone.document_id.in_(wanted.ids))
    return session.scalar(query) or 0
