"""Makes the search index anew while it answers: the work of a `rebuild_index` replay.

Index is woken for every document with the word to write its entry again in place; then for every entry that has no
living document, so that it is taken out. What was purged has no row, and so no way back in.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from shared.database.documents import enqueue
from shared.database.engine import reading
from shared.database.tables import Document
from shared.events import DocumentUpdated, new_event
from shared.search.port import SearchReader
from web.replays import Batch, Counts, Extent, Job
from web.runs import wake_index
from web.writes import SOURCE

_DOCUMENTS, _ENTRIES = "documents:", "entries:"
"""What a cursor begins with: documents are walked first, then the entries of the index; each by id."""

COMPARED = 500


class Reindexing:
    """Walks the documents by id, then the entries. `search` None: there is no index to make."""

    sends_events = True

    def __init__(self, engine: Engine, search: SearchReader | None) -> None:
        self._engine = engine
        self._search = search
        self._listed: tuple[str, list[str]] = ("", [])

    def extent(self, session: Session, request: Mapping[str, Any]) -> Extent:
        """All documents."""
        count, last = session.execute(select(func.count(), func.max(Document.id)).select_from(Document)).one()
        return Extent(count, last)

    def next_batch(self, job: Job, most: int) -> Batch | None:
        """The next documents, then the next entries. Raises Unavailable while the index can not be read."""
        place = job.cursor or _DOCUMENTS
        if place.startswith(_DOCUMENTS):
            found = self._documents(place.removeprefix(_DOCUMENTS), job.bound or "", most)
            if found:
                return Batch(_DOCUMENTS + found[-1], lambda session: _wake(session, found, job.id))
            place = _ENTRIES
        left = self._entries_after(place.removeprefix(_ENTRIES), job.id)
        if not left:
            return None
        return Batch(_ENTRIES + left[-1], lambda session: _remove_strangers(session, left, job.id))

    def _documents(self, after: str, last: str, most: int) -> Sequence[str]:
        query = select(Document.id).where(Document.id > after, Document.id <= last).order_by(Document.id).limit(most)
        with reading(self._engine) as session:
            return session.scalars(query).all()

    def _entries_after(self, after: str, job_id: str) -> Sequence[str]:
        """The next ids of entries; all are listed once for each job."""
        if self._search is None:
            return ()
        if self._listed[0] != job_id:
            self._listed = (job_id, sorted(self._search.ids()))
        ids = self._listed[1]
        place = bisect_right(ids, after)
        return ids[place : place + COMPARED]


def _wake(session: Session, document_ids: Sequence[str], replayrun: str) -> Counts:
    documents = session.scalars(select(Document).where(Document.id.in_(document_ids)).order_by(Document.id)).all()
    for document in documents:
        wake_index(session, document, force=True, replayrun=replayrun)
    return Counts(len(documents), len(document_ids) - len(documents))


def _remove_strangers(session: Session, entry_ids: Sequence[str], replayrun: str) -> Counts:
    living = select(Document.id).where(Document.id.in_(entry_ids), Document.trashed_at.is_(None))
    for stranger in sorted(set(entry_ids) - set(session.scalars(living))):
        data = DocumentUpdated(document_id=stranger, version=0)
        enqueue(session, new_event(data, source=SOURCE, replayrun=replayrun))
    return Counts()
