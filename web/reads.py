"""What is read: the list, one document, its timeline, facets, search. The JSON API and the pages both stand on these.

Each function takes a session of `shared.database.engine.reading` and the owner whose documents they are. Nothing is
written here, and nothing of another owner is ever told.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Integer, String, and_, func, literal, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from shared.database.charges import cost_of_document, cost_of_owner
from shared.database.reviews import ReviewState
from shared.database.tables import ArchivedEvent, Document, DocumentStep, DocumentTag, OutboxEvent, Tombstone
from shared.documents import Status
from shared.events import DATA_MODELS, TYPE_PREFIX
from shared.search.port import Facet, FacetCount, Ordering, SearchQuery, SearchReader
from web.api.models import (
    ArchivedEventView,
    DocumentDetail,
    DocumentSummary,
    Facets,
    SearchAnswer,
    StatusAnswer,
    TimelineEntry,
)
from web.errors import InvalidParameter, NotFound
from web.filters import DEFAULT_PAGE_SIZE, DocumentFilters
from web.paging import Page, Sort, keyset_page
from web.views import archived_event, cost_view, detail, search_hit, summary, timeline_entry

DEFAULT_ORDERING = "-received"
MAX_FACET_VALUES = 100


def list_documents(
    session: Session,
    owner: str,
    filters: DocumentFilters | None = None,
    *,
    ordering: str = DEFAULT_ORDERING,
    cursor: str | None = None,
    page_size: int = DEFAULT_PAGE_SIZE,
) -> Page[DocumentSummary]:
    """One page of the owner's documents. Raises InvalidParameter for an unknown ordering, InvalidCursor."""
    conditions = _conditions(owner, filters or DocumentFilters())
    count = session.scalar(select(func.count()).select_from(Document).where(*conditions)) or 0
    query = select(Document).where(*conditions)
    page = keyset_page(session, query, _sort(ordering), cursor=cursor, page_size=page_size, count=count)
    return page.with_results(tuple(_summaries(session, page.results)))


def find_document(session: Session, owner: str, document_id: str) -> Document:
    """The row, in the trash or not. Raises NotFound, also for one of another owner."""
    document = session.get(Document, document_id)
    if document is None or document.owner != owner:
        raise NotFound("There is no such document.")
    return document


def document_summary(session: Session, owner: str, document_id: str) -> DocumentSummary:
    """One document as lists show it. Raises NotFound."""
    return next(_summaries(session, [find_document(session, owner, document_id)]))


def document_detail(
    session: Session, owner: str, document_id: str, *, choice_of_engines: bool = False
) -> DocumentDetail:
    """One document with everything that is known of it. Raises NotFound."""
    document = find_document(session, owner, document_id)
    tags, steps = _tags(session, [document]), _steps(session, [document])
    cost = cost_of_document(session, document.id)
    replaces = session.scalar(select(Document.id).where(Document.replaced_by == document.id).limit(1))
    return detail(
        document,
        tags.get(document.id, ()),
        steps.get(document.id, ()),
        cost,
        replaces,
        choice_of_engines=choice_of_engines,
    )


def timeline(
    session: Session, owner: str, document_id: str, *, cursor: str | None = None, page_size: int = 200
) -> Page[TimelineEntry]:
    """The document's archived events, oldest first. Raises NotFound."""
    document = find_document(session, owner, document_id)
    page = _events(session, [ArchivedEvent.document_id == document_id], "number", cursor, page_size)
    return page.mapped(lambda row: timeline_entry(row, document.runid))


@dataclass(frozen=True)
class EventFilters:
    """What the archive is narrowed by. `type` may leave out `org.docuelevate.` and the version."""

    type: str | None = None
    subject: str | None = None
    source: str | None = None
    runid: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def list_events(
    session: Session,
    owner: str | None,
    filters: EventFilters,
    *,
    cursor: str | None = None,
    page_size: int = DEFAULT_PAGE_SIZE,
) -> Page[ArchivedEventView]:
    """The archived events of the owner's documents, newest first; without an owner the whole archive."""
    conditions = event_conditions(filters)
    if owner is not None:
        conditions.append(ArchivedEvent.document_id.in_(select(Document.id).where(Document.owner == owner)))
    return _events(session, conditions, "-number", cursor, page_size).mapped(archived_event)


def facets(session: Session, owner: str, filters: DocumentFilters | None = None) -> Facets:
    """What the filters of the list can be set to, counted over the documents that pass `filters`."""
    conditions = _conditions(owner, filters or DocumentFilters())
    year = func.substr(Document.document_date, 1, 4)
    return Facets(
        status=_counts(session, Document.status.expression, conditions),
        document_type=_counts(session, Document.document_type.expression, conditions),
        sender=_counts(session, Document.sender.expression, conditions),
        tag=_counts(session, DocumentTag.tag.expression, conditions, tags=True),
        language=_counts(session, Document.language.expression, conditions),
        year=_counts(session, year, conditions),
    )


def status_counts(session: Session, owner: str) -> StatusAnswer:
    """How many documents stand where, and what waits to be sent to the broker."""
    mine = select(Document.status, func.count()).where(Document.owner == owner)
    counts = dict.fromkeys((status.value for status in Status), 0)
    rows = session.execute(mine.where(Document.trashed_at.is_(None)).group_by(Document.status))
    counts |= dict(rows.all())
    trashed = select(func.count()).where(Document.owner == owner, Document.trashed_at.is_not(None))
    counts[Status.TRASHED.value] = session.scalar(trashed) or 0
    in_outbox = select(func.count(), func.min(OutboxEvent.created_at)).where(OutboxEvent.problem.is_(None))
    waiting, oldest = session.execute(in_outbox).one()
    age = (datetime.now(UTC) - oldest).total_seconds() if oldest else None
    reviews = select(func.count()).where(Document.owner == owner, Document.trashed_at.is_(None), _in_review())
    return StatusAnswer(
        documents=counts,
        reviews=session.scalar(reviews) or 0,
        cost=cost_view(cost_of_owner(session, owner)),
        outbox=waiting,
        oldest_outbox_seconds=age,
    )


def search_documents(
    session: Session,
    reader: SearchReader,
    owner: str,
    filters: DocumentFilters,
    *,
    facets: tuple[Facet, ...] = (),
    page: int = 1,
    page_size: int = 20,
    ordering: Ordering = Ordering.RELEVANCE,
) -> SearchAnswer:
    """Ask the index, show what the database holds. Raises Unavailable where the index does not answer."""
    query = search_query(owner, filters, facets=facets, page=page, page_size=page_size, ordering=ordering)
    found = reader.search(query)
    shown = _visible(session, owner, [hit.document_id for hit in found.hits])
    return SearchAnswer(
        query=filters.q,
        total=found.total,
        page=page,
        page_size=page_size,
        took_ms=found.took_ms,
        relaxed=found.relaxed,
        hits=tuple(search_hit(hit, shown[hit.document_id]) for hit in found.hits if hit.document_id in shown),
        facets={name.value: {each.value: each.count for each in counts} for name, counts in found.facets.items()},
    )


def search_query(
    owner: str,
    filters: DocumentFilters,
    *,
    facets: tuple[Facet, ...] = (),
    page: int = 1,
    page_size: int = 20,
    ordering: Ordering = Ordering.RELEVANCE,
) -> SearchQuery:
    """The question that the search port is asked for these filters."""
    return SearchQuery(
        text=filters.q,
        owner=owner,
        status=filters.status,
        document_type=filters.document_type,
        tags=filters.tags,
        sender=filters.sender,
        language=filters.language,
        date_from=filters.date_from,
        date_to=filters.date_to,
        received_from=filters.received_from,
        received_to=filters.received_to,
        facets=facets,
        page=page,
        page_size=page_size,
        ordering=ordering,
    )


@dataclass(frozen=True)
class Moved:
    """A document whose row changed, or with `gone` was removed for good."""

    document_id: str
    owner: str
    revision: int
    changed_at: datetime
    gone: bool = False


def moved_since(session: Session, moment: datetime, *, most: int) -> list[Moved]:
    """Documents of all owners that changed at or after a moment, oldest change first (who streams them, filters)."""
    changed = select(Document.id, Document.owner, Document.revision, Document.changed_at)
    recent = changed.where(Document.changed_at >= moment).order_by(Document.changed_at, Document.id).limit(most)
    purged = select(Tombstone.document_id, Tombstone.owner, Tombstone.version, Tombstone.purged_at)
    removed = purged.where(Tombstone.purged_at >= moment).order_by(Tombstone.purged_at).limit(most)
    found = [Moved(*row) for row in session.execute(recent)]
    found += [Moved(*row, gone=True) for row in session.execute(removed)]
    return sorted(found, key=lambda moved: moved.changed_at)[:most]


def summaries_of(session: Session, document_ids: Sequence[str]) -> dict[str, DocumentSummary]:
    """The documents as lists show them, whosever they are and in the trash or not; those that are gone are left out."""
    rows = session.scalars(select(Document).where(Document.id.in_(document_ids))).all()
    return {shown.id: shown for shown in _summaries(session, rows)}


def _conditions(owner: str, filters: DocumentFilters) -> list[ColumnElement[bool]]:
    in_trash = Document.trashed_at.is_not(None) if filters.trashed else Document.trashed_at.is_(None)
    equal: dict[InstrumentedAttribute[Any], str | None] = {
        Document.document_type: filters.document_type,
        Document.sender: filters.sender,
        Document.language: filters.language,
    }
    found = [Document.owner == owner, in_trash]
    if filters.status and filters.status is not Status.TRASHED:
        found.append(Document.status == filters.status.value)
    if filters.review is not None:
        found.append(_in_review())
    found += [column == value for column, value in equal.items() if value]
    found += [_tagged(tag) for tag in filters.tags]
    found += [_mentions(word) for word in filters.q.split()[:20]]
    return found + _ranges(filters)


def _ranges(filters: DocumentFilters) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if filters.date_from:
        found.append(Document.document_date >= filters.date_from.isoformat())
    if filters.date_to:
        found.append(Document.document_date <= filters.date_to.isoformat())
    if filters.received_from:
        found.append(Document.received_at >= filters.received_from)
    if filters.received_to:
        found.append(Document.received_at <= filters.received_to)
    return found


def _in_review() -> ColumnElement[bool]:
    return and_(Document.review.is_not(None), Document.review["state"].as_string() == ReviewState.PENDING.value)


def _tagged(tag: str) -> ColumnElement[bool]:
    # Named, because the count of tags has the table of tags in its own FROM as well.
    query = select(DocumentTag.tag).where(DocumentTag.document_id == Document.id, DocumentTag.tag == tag)
    return query.correlate(Document).exists()


def _mentions(word: str) -> ColumnElement[bool]:
    """The list's own `q` looks at what the list shows; the text of the documents is what search is for."""
    columns = (Document.title, Document.filename, Document.sender)
    # SQLite folds the case of ASCII letters only.
    spellings = {word} if word.isascii() else {word, word.lower(), word.upper(), word.capitalize()}
    return or_(*(column.icontains(each, autoescape=True) for column in columns for each in sorted(spellings)))


def _sort(ordering: str) -> Sort:
    # Documents without a date come last, whichever way the list runs.
    date_missing = "" if ordering.startswith("-") else "9999"
    received, name = Document.received_at.expression, ordering.removeprefix("-")
    keys: dict[str, tuple[type[str] | type[int] | type[datetime], ColumnElement[Any]]] = {
        "received": (datetime, received),
        "received_at": (datetime, received),
        "document_date": (str, func.coalesce(Document.document_date, literal(date_missing), type_=String())),
        "title": (str, func.lower(Document.title, type_=String())),
        "filename": (str, func.lower(Document.filename, type_=String())),
        "size": (int, Document.size.expression),
        "pages": (int, func.coalesce(Document.pages, 0, type_=Integer())),
        "changed_at": (datetime, Document.changed_at.expression),
    }
    if name not in keys:
        raise InvalidParameter(f"ordering must be one of {', '.join(keys)}, with - for descending")
    return Sort(ordering, *keys[name], Document.id.expression)


def event_conditions(filters: EventFilters) -> list[ColumnElement[bool]]:
    """The filters as conditions on archived events, whosever they are."""
    found: list[ColumnElement[bool]] = []
    if filters.type:
        short = filters.type.removeprefix(TYPE_PREFIX)
        known = [name for name in DATA_MODELS if short in (name, _short(name), name.removeprefix(TYPE_PREFIX))]
        found.append(ArchivedEvent.type.in_(known or [filters.type]))
    equal = {
        ArchivedEvent.subject: filters.subject,
        ArchivedEvent.source: filters.source,
        ArchivedEvent.runid: filters.runid,
    }
    found += [column == value for column, value in equal.items() if value]
    if filters.since:
        found.append(ArchivedEvent.time >= filters.since)
    if filters.until:
        found.append(ArchivedEvent.time <= filters.until)
    return found


def _short(event_type: str) -> str:
    return event_type.removeprefix(TYPE_PREFIX).rpartition(".")[0]


def _events(
    session: Session, conditions: Sequence[ColumnElement[bool]], order: str, cursor: str | None, page_size: int
) -> Page[ArchivedEvent]:
    count = session.scalar(select(func.count()).select_from(ArchivedEvent).where(*conditions)) or 0
    sort = Sort(order, int, ArchivedEvent.number.expression, ArchivedEvent.id.expression)
    query = select(ArchivedEvent).where(*conditions)
    return keyset_page(session, query, sort, cursor=cursor, page_size=page_size, count=count)


def _summaries(session: Session, rows: Sequence[Document]) -> Iterator[DocumentSummary]:
    tags, steps = _tags(session, rows), _steps(session, [row for row in rows if row.status == Status.PROCESSING])
    for row in rows:
        yield summary(row, tags.get(row.id, ()), steps.get(row.id, ()))


def _visible(session: Session, owner: str, ids: Sequence[str]) -> dict[str, DocumentSummary]:
    mine = select(Document.id).where(Document.id.in_(ids), Document.owner == owner, Document.trashed_at.is_(None))
    return summaries_of(session, session.scalars(mine).all())


def _tags(session: Session, rows: Sequence[Document]) -> dict[str, list[str]]:
    ids = [row.id for row in rows]
    query = select(DocumentTag).where(DocumentTag.document_id.in_(ids)).order_by(DocumentTag.tag)
    found: dict[str, list[str]] = {}
    for row in session.scalars(query) if ids else ():
        found.setdefault(row.document_id, []).append(row.tag)
    return found


def _steps(session: Session, rows: Sequence[Document]) -> dict[str, list[DocumentStep]]:
    runs = {row.id: row.runid for row in rows}
    found: dict[str, list[DocumentStep]] = {}
    query = select(DocumentStep).where(DocumentStep.document_id.in_(runs))
    for row in session.scalars(query) if runs else ():
        if row.runid == runs[row.document_id]:
            found.setdefault(row.document_id, []).append(row)
    return found


def _counts(
    session: Session, column: ColumnElement[Any], conditions: Sequence[ColumnElement[bool]], *, tags: bool = False
) -> tuple[FacetCount, ...]:
    query = select(column, func.count()).where(*conditions, column.is_not(None)).group_by(column)
    if tags:
        query = query.join(Document, Document.id == DocumentTag.document_id)
    ordered = query.order_by(func.count().desc(), column).limit(MAX_FACET_VALUES)
    return tuple(FacetCount(value=value, count=count) for value, count in session.execute(ordered))
