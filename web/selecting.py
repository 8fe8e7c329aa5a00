"""Which events and documents a replay is about: its filter as conditions on the tables."""

from sqlalchemy import ColumnElement, select

from shared.database.tables import ArchivedEvent, Document, DocumentTag
from web.api.replay_models import ReplayFilter
from web.reads import EventFilters, event_conditions


def event_filters(wanted: ReplayFilter) -> EventFilters:
    """The part of the filter that is about archived events."""
    return EventFilters(wanted.type, wanted.subject, wanted.source, wanted.runid, wanted.since, wanted.until)


def about_events(wanted: ReplayFilter) -> bool:
    """Whether the filter asks anything of events."""
    return event_filters(wanted) != EventFilters()


def about_documents(wanted: ReplayFilter) -> bool:
    """Whether the filter asks anything of documents as they are now; what was purged can not meet that."""
    return any((wanted.status, wanted.code, wanted.document_type, wanted.tag))


def document_conditions(wanted: ReplayFilter) -> list[ColumnElement[bool]]:
    """The part of the filter that is about documents, `ids` excepted."""
    columns = {
        Document.status: wanted.status,
        Document.code: wanted.code,
        Document.document_type: wanted.document_type,
    }
    found: list[ColumnElement[bool]] = [column == value.value for column, value in columns.items() if value]
    return found + [_tagged(tag) for tag in wanted.tag]


def with_events(wanted: ReplayFilter) -> list[ColumnElement[bool]]:
    """That a document has an archived event of those that the filter asks for."""
    if not about_events(wanted):
        return []
    conditions = event_conditions(event_filters(wanted))
    return [select(ArchivedEvent.number).where(ArchivedEvent.document_id == Document.id, *conditions).exists()]


def _tagged(tag: str) -> ColumnElement[bool]:
    return select(DocumentTag.tag).where(DocumentTag.document_id == Document.id, DocumentTag.tag == tag).exists()
