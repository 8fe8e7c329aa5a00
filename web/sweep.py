"""Finds what has stood still and sends it on. Safe at any time and in several copies at once (docs/architecture.md).

It repairs nothing itself: it sends the current run's last start event again, unchanged, and the steps recognise what
they have done. Pauses grow with each resend, so that a backlog is not fed. Where the index is another one than that of
a document's entry (lost, or of another release), the index is woken for that document. What steps that were still
running have written for a purged document is removed again.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, Engine, func, select, update
from sqlalchemy.orm import Session

from shared.database.documents import received_event
from shared.database.engine import reading, writing
from shared.database.tables import ArchivedEvent, Document, OutboxEvent, Tombstone
from shared.documents import PIPELINE, Status
from shared.errors import Unavailable
from shared.events import (
    DocumentConverted,
    DocumentReceived,
    DocumentRecognized,
    DocumentUpdated,
    Event,
    for_resending,
    from_json,
    new_event,
    version_id,
)
from shared.leases import LIFE_SECONDS
from shared.publisher import EventPublisher
from shared.storage import keys
from shared.storage.port import ObjectStore

PATIENCE = timedelta(minutes=5)
LONGEST_PAUSE = timedelta(hours=6)
INDEX_PATIENCE = timedelta(minutes=2)
STILL_WRITING = timedelta(minutes=30)
"""After a purge: longer than any request and the life of its lease, so that nobody writes for the document any more."""

ABANDONED = timedelta(days=1)
"""How old an unfinished write is when nobody can still be at it."""

MOST_DOUBLINGS = 10
"""More would not fit into a time span; the longest pause is reached before."""
BATCH = 200
SOURCE = "/docuelevate/web"
_STARTS = (DocumentReceived.type, DocumentConverted.type, DocumentRecognized.type)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Swept:
    """What one sweep did."""

    resent: int = 0
    woken: int = 0


@dataclass
class Sweep:
    """Compares documents with their last events and with the search index, whose `generation` tells which one it is."""

    engine: Engine
    store: ObjectStore
    publisher: EventPublisher
    search_enabled: bool = True
    generation: Callable[[], str] | None = None
    _generation_seen: str | None = field(default=None, init=False)

    def run(self, now: datetime | None = None) -> Swept:
        """Sweep once. Raises Unavailable where database, store or broker do not answer; the next sweep goes on."""
        now = now or datetime.now(UTC)
        self.store.remove_leftovers(ABANDONED.total_seconds())
        for document_id in self._lately_purged(now):
            self.store.delete_prefix(keys.document_prefix(document_id))
        resent = sum(self._resend(document, now) for document in self._stalled(now))
        woken = self._wake_all(now) if self.search_enabled else 0
        if resent or woken:
            _log.info("sweep sent %d documents on and woke the index for %d", resent, woken)
        return Swept(resent, woken)

    def _stalled(self, now: datetime) -> Sequence[Document]:
        queued = select(OutboxEvent.number).where(OutboxEvent.document_id == Document.id).exists()
        query = (
            select(Document)
            .where(
                Document.status == Status.PROCESSING.value,
                func.coalesce(Document.resend_at, Document.changed_at) < now - PATIENCE,
                ~queued,
            )
            .order_by(Document.changed_at)
            .limit(BATCH)
        )
        with reading(self.engine) as session:
            return session.scalars(query).all()

    def _behind(self, now: datetime) -> Sequence[Document]:
        query = (
            select(Document)
            .where(
                Document.indexed_version < Document.version,
                Document.status != Status.PROCESSING.value,
                func.coalesce(Document.resend_at, Document.changed_at) < now - INDEX_PATIENCE,
            )
            .limit(BATCH)
        )
        with reading(self.engine) as session:
            return session.scalars(query).all()

    def _wake_all(self, now: datetime) -> int:
        if self.generation is not None:
            self._forget_entries_elsewhere(self.generation)
        return sum(self._wake(document, now) for document in self._behind(now))

    def _forget_entries_elsewhere(self, current: Callable[[], str]) -> None:
        try:
            generation = current()
        except Unavailable as error:
            # The index function makes a new one when it is next woken.
            _log.warning("the search index does not tell which one it is: %s", error)
            return
        if generation == self._generation_seen:
            return
        elsewhere = Document.index_generation.is_not(None) & (Document.index_generation != generation)
        with writing(self.engine) as session:
            session.execute(update(Document).where(elsewhere).values(indexed_version=0, index_generation=None))
        self._generation_seen = generation

    def _lately_purged(self, now: datetime) -> Sequence[str]:
        query = select(Tombstone.document_id).where(Tombstone.purged_at > now - STILL_WRITING)
        with reading(self.engine) as session:
            return session.scalars(query).all()

    def _resend(self, document: Document, now: datetime) -> bool:
        if self._is_leased(document) or not self._take(document, now):
            return False
        with reading(self.engine) as session:
            event = _last_start(session, document)
        self.publisher.publish(event)
        return True

    def _wake(self, document: Document, now: datetime) -> bool:
        if not self._take(document, now):
            return False
        data = DocumentUpdated(document_id=document.id, version=document.version)
        event_id = version_id(document.id, DocumentUpdated.type, document.version)
        self.publisher.publish(new_event(data, source=SOURCE, runid=document.runid, event_id=event_id))
        return True

    def _take(self, document: Document, now: datetime) -> bool:
        """Claim the document for this sweep by compare-and-set: of two sweeps at once one sends."""
        pause = min(LONGEST_PAUSE, PATIENCE * 2 ** min(document.resends, MOST_DOUBLINGS))
        statement = (
            update(Document)
            .where(
                Document.id == document.id,
                Document.resends == document.resends,
                Document.revision == document.revision,
            )
            .values(resends=document.resends + 1, resend_at=now + pause - PATIENCE)
        )
        with writing(self.engine) as session:
            return cast("CursorResult[Any]", session.execute(statement)).rowcount == 1

    def _is_leased(self, document: Document) -> bool:
        names = (f"{keys.document_prefix(document.id)}{step.value}/" for step in PIPELINE)
        return any(self._has_young_lease(prefix) for prefix in names)

    def _has_young_lease(self, prefix: str) -> bool:
        leases = (info for info in self.store.list(prefix) if info.key.rpartition("/")[2].startswith("lease-"))
        return any(info.age_seconds < LIFE_SECONDS for info in leases)


def _last_start(session: Session, document: Document) -> Event:
    """The last event of the current run that starts a step; from the row where none was ever archived."""
    query = (
        select(ArchivedEvent.body)
        .where(
            ArchivedEvent.document_id == document.id,
            ArchivedEvent.runid == document.runid,
            ArchivedEvent.type.in_(_STARTS),
        )
        .order_by(ArchivedEvent.time.desc(), ArchivedEvent.number.desc())
        .limit(1)
    )
    bodies: Iterable[str] = session.scalars(query)
    for body in bodies:
        return for_resending(from_json(body))
    return received_event(document, source=SOURCE, runid=document.runid)
