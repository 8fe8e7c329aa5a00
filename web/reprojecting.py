"""Derives every document's row and steps anew while serving: the work of a `rebuild_projections` replay.

Derived are the results a document stands on, status, failure, warnings, steps, machine metadata, the columns and tags
that lists are filtered by, and what is held back for review: from the archived events of the current run, its dead
letters and the metadata objects. Not derivable, and so left alone, is what was decided: owner, file name, original,
what a person has set or accepted, the trash, the run with its options, and what stood when it began. A document whose
run's first event has not arrived is left as it is; what was purged has no row, and gets none.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from shared.database.documents import locked_document
from shared.database.engine import reading
from shared.database.projection import (
    MetadataMissing,
    is_derivable,
    load_metadata,
    metadata_wanted,
    rederive,
    rederived,
)
from shared.database.tables import Document
from shared.errors import InvalidEvent, ObjectNotFound
from shared.events import DocumentUpdated
from shared.storage.port import ObjectStore
from web.replays import Batch, Counts, Extent, Job, Stale
from web.writes import tell

MOST = 25
"""Rows that are locked at once, and metadata objects that are read for a batch."""

_Metadata = dict[str, dict[str, Any]]

_log = logging.getLogger(__name__)


class Reprojecting:
    """Walks the documents by id."""

    sends_events = False

    def __init__(self, engine: Engine, store: ObjectStore) -> None:
        self._engine = engine
        self._store = store

    def extent(self, session: Session, request: Mapping[str, Any]) -> Extent:
        """All documents."""
        count, last = session.execute(select(func.count(), func.max(Document.id)).select_from(Document)).one()
        return Extent(count, last)

    def next_batch(self, job: Job, most: int) -> Batch | None:
        """The next documents with their metadata. Raises Unavailable while these can not be read."""
        after, last, limit = job.cursor or "", job.bound or "", min(most, MOST)
        query = select(Document.id).where(Document.id > after, Document.id <= last).order_by(Document.id).limit(limit)
        with reading(self._engine) as session:
            found = session.scalars(query).all()
            wanted = {one: names for one in found if (names := _wanted(session, one)) is not None}
        if not found:
            return None
        known = {one: self._metadata(one, names) for one, names in wanted.items()}
        readable = {one: metadata for one, metadata in known.items() if metadata is not None}
        return Batch(found[-1], lambda session: _rederive(session, found, readable))

    def _metadata(self, document_id: str, names: set[str]) -> _Metadata | None:
        """The metadata objects; None where one of them is gone or damaged, which is for sweep to tell."""
        try:
            return {key: load_metadata(self._store, document_id, key) for key in names}
        except (ObjectNotFound, InvalidEvent, ValidationError) as error:
            _log.warning("the projection of %s is left as it is: its metadata cannot be read: %s", document_id, error)
            return None


def _wanted(session: Session, document_id: str) -> set[str] | None:
    document = session.get(Document, document_id)
    if document is None or not is_derivable(session, document):
        return None
    return metadata_wanted(document, rederived(session, document), reread=True)


def _rederive(session: Session, document_ids: Sequence[str], known: Mapping[str, _Metadata]) -> Counts:
    done = [one for one in document_ids if one in known and _heal(session, one, known[one])]
    return Counts(len(done), len(document_ids) - len(done))


def _heal(session: Session, document_id: str, metadata: _Metadata) -> bool:
    """Whether there was anything to derive."""
    document = locked_document(session, document_id)
    if document is None or not is_derivable(session, document):
        return False
    version = document.version
    try:
        corrected = rederive(session, document, metadata)
    except MetadataMissing as error:
        # Its run has gone on since the metadata were read.
        raise Stale from error
    if corrected:
        _log.warning("the projection of %s was not what its events say and is corrected", document_id)
    if document.version != version:
        tell(session, document, DocumentUpdated(document_id=document.id, version=document.version))
    return True
