"""Reads the row, writes the entry, reads the version again, and repeats if it moved (architecture §2.1).

An event is a wake-up, not a snapshot: no order of events can resurrect or age an entry.
"""

from dataclasses import dataclass

from sqlalchemy import Engine

from functions.index.core import entry
from shared.database.engine import reading
from shared.database.tables import Document, Tombstone
from shared.documents import DocumentText, ObjectReference, Step
from shared.errors import InvalidEvent, ObjectNotFound, Unavailable
from shared.events import AnyData, DocumentIndexed, Event, EventData, version_id
from shared.search.port import SearchIndex
from shared.step import StepContext
from shared.storage import keys
from shared.storage.port import ObjectStore


@dataclass(frozen=True)
class Indexer:
    """The one writer of the search index."""

    engine: Engine
    store: ObjectStore
    search: SearchIndex
    engine_name: str

    def index(self, context: StepContext, data: AnyData) -> Event | None:
        """Bring the entry of the event's document up to the row as it is now."""
        assert isinstance(data, EventData)
        if data.options.force == Step.INDEX:
            self.search.repair(thorough=True)
        try:
            return self._brought_up(context, data)
        except Unavailable:
            # Where the index is lost or damaged, nobody else would ever mend it.
            if not self.search.repair():
                raise
            return self._brought_up(context, data)

    def _brought_up(self, context: StepContext, data: EventData) -> Event | None:
        version = self._written(data.document_id, forced=data.options.force == Step.INDEX)
        while version is not None:
            context.deadline.remaining_seconds()
            now = self._version(data.document_id)
            if now == version:
                return self._indexed(context, data.document_id, version)
            version = self._written(data.document_id)
        return None

    def _written(self, document_id: str, *, forced: bool = False) -> int | None:
        """The version that the index now stands at; None for a document that never was."""
        with reading(self.engine) as session:
            document = session.get(Document, document_id)
        if document is None or document.trashed_at is not None:
            self.search.remove(document_id)
            return self._version(document_id)
        if not forced and self._stands_at(document):
            return document.version
        self.search.write(entry(document, self._text(document)))
        return document.version

    def _stands_at(self, document: Document) -> bool:
        return self.search.version_of(document.id) == document.version

    def _version(self, document_id: str) -> int | None:
        with reading(self.engine) as session:
            row = session.get(Document, document_id) or session.get(Tombstone, document_id)
            return row.version if row else None

    def _text(self, document: Document) -> DocumentText | None:
        if document.recognized is None:
            return None
        reference = ObjectReference.model_validate(document.recognized["text"])
        if not keys.belongs_to(reference.key, document.id):
            raise InvalidEvent("the text is not one of this document's objects")
        try:
            return DocumentText.model_validate_json(self.store.get(reference.key))
        except ObjectNotFound as error:
            raise Unavailable("the text of the document is not readable") from error

    def _indexed(self, context: StepContext, document_id: str, version: int) -> Event:
        generation = self.search.generation
        data = DocumentIndexed(document_id=document_id, version=version, engine=self.engine_name, generation=generation)
        return context.reply_as(version_id(document_id, data.type, version, generation), data)
