"""The search index where it lags: woken for documents, trashed and purged ones included (rules 21)."""

import logging
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import func, select, update

from shared.database.engine import reading, writing
from shared.database.tables import Document, Tombstone
from shared.documents import Status
from shared.errors import Throttled, Unavailable
from shared.events import DocumentPurged, DocumentUpdated, EventData, new_event, version_id
from web.sweep.marks import forget_mark, move_mark, read_mark
from web.sweep.round import BATCH, LONGEST_PAUSE, SOURCE, Round
from web.sweep.stalled import claim, give_back
from web.sweep.swept import Deed

INDEX_PATIENCE = timedelta(minutes=2)
_MARK, _UNREADABLE = "index", "index unreadable"

_log = logging.getLogger(__name__)


def wake_index(round_: Round) -> None:
    """Send a wake-up for whatever the index does not show as it is."""
    if not round_.search_enabled:
        return
    if round_.repairs:
        _forget_entries_elsewhere(round_)
    for document in _behind(round_):
        with round_.alone(document.id):
            _wake(round_, document)
    for tombstone in _purged_behind(round_):
        _tell_of_purge(round_, tombstone)


def _behind(round_: Round) -> Sequence[Document]:
    query = (
        select(Document)
        .where(
            Document.indexed_version < Document.version,
            Document.status != Status.PROCESSING.value,
            func.coalesce(Document.resend_at, Document.changed_at) < round_.now - INDEX_PATIENCE,
        )
        .limit(BATCH)
    )
    with reading(round_.engine) as session:
        return session.scalars(query).all()


def _wake_any(round_: Round) -> None:
    """Wake the index for some document: where it is lost or damaged it begins anew, which the next sweep notices.

    Less and less often: an index that stays out of reach is not brought back by more events.
    """
    if not round_.may_try(_UNREADABLE):
        return
    with reading(round_.engine) as session:
        document = session.scalars(select(Document).order_by(Document.id.desc()).limit(1)).first()
    if document is not None:
        _publish(round_, DocumentUpdated(document_id=document.id, version=document.version), document.version, None)
        round_.did(Deed.WOKEN, document.id, "the search index is lost or damaged")


def _purged_behind(round_: Round) -> Sequence[Tombstone]:
    query = (
        select(Tombstone)
        .where(Tombstone.indexed_version < Tombstone.version, Tombstone.purged_at < round_.now - INDEX_PATIENCE)
        .order_by(Tombstone.purged_at)
        .limit(BATCH)
    )
    with reading(round_.engine) as session:
        return session.scalars(query).all()


def _wake(round_: Round, document: Document) -> None:
    data = DocumentUpdated(document_id=document.id, version=document.version)
    if round_.repairs:
        tries = document.resends + 1
        if not claim(round_, document, tries):
            return
        try:
            _publish(round_, data, document.version, document.runid)
        except (Unavailable, Throttled):
            give_back(round_, document, tries)
            raise
    round_.did(Deed.WOKEN, document.id, f"the index shows version {document.indexed_version} of {document.version}")


def _tell_of_purge(round_: Round, tombstone: Tombstone) -> None:
    if not round_.may_try(f"purged:{tombstone.document_id}"):
        return
    if round_.repairs:
        data = DocumentPurged(document_id=tombstone.document_id, version=tombstone.version)
        _publish(round_, data, tombstone.version, None)
    round_.did(Deed.WOKEN, tombstone.document_id, "the index may still show this document, which was purged")


def _publish(round_: Round, data: EventData, version: int, runid: str | None) -> None:
    event_id = version_id(data.document_id, data.type, version)
    round_.publish(new_event(data, source=SOURCE, runid=runid, event_id=event_id))


def _forget_entries_elsewhere(round_: Round) -> None:
    """Entries of another index than the present one, which was lost or is of another release, count for nothing."""
    if round_.generation is None:
        return
    try:
        generation = round_.generation()
    except Unavailable as error:
        _log.warning("the search index does not tell which one it is: %s", error)
        _wake_any(round_)
        return
    forget_mark(round_.engine, _UNREADABLE)
    mark = read_mark(round_.engine, _MARK, round_.now)
    if mark.position == generation and mark.due_at > round_.now:
        return
    elsewhere = Document.index_generation.is_not(None) & (Document.index_generation != generation)
    with writing(round_.engine) as session:
        session.execute(update(Document).where(elsewhere).values(indexed_version=0, index_generation=None))
    move_mark(round_.engine, mark, due_at=round_.now + LONGEST_PAUSE, position=generation)
