"""The list of documents, one document, and what a person does to it."""

from starlette.requests import Request
from starlette.responses import Response

from shared.database.engine import reading
from web.access import Guarded, Need, Operation, owner_of
from web.api.answers import json_answer
from web.api.links import with_cursor
from web.api.models import DocumentDetail, DocumentList, Facets, Timeline
from web.api.parameters import CURSOR, DOCUMENT_FILTERS, ORDERING, PAGE_SIZE
from web.context import context_of
from web.filters import document_filters, page_size
from web.reads import DEFAULT_ORDERING, document_detail, facets, list_documents, timeline


def list_(request: Request) -> Response:
    """List documents, newest first unless `ordering` says otherwise."""
    query = request.query_params
    with reading(context_of(request).engine) as session:
        page = list_documents(
            session,
            owner_of(request),
            document_filters(query),
            ordering=query.get("ordering") or DEFAULT_ORDERING,
            cursor=query.get("cursor"),
            page_size=page_size(query),
        )
    following, previous = with_cursor(request, page)
    return json_answer(DocumentList(count=page.count, next=following, previous=previous, results=page.results))


def facets_(request: Request) -> Response:
    """Count the values that the filters of the list can take."""
    with reading(context_of(request).engine) as session:
        return json_answer(facets(session, owner_of(request), document_filters(request.query_params)))


def detail(request: Request) -> Response:
    """Show a document with its steps, metadata and failure; the ETag is its version, for `If-Match`."""
    with reading(context_of(request).engine) as session:
        document = document_detail(session, owner_of(request), request.path_params["id"])
    return json_answer(document, headers={"ETag": f'"{document.version}"'})


def events(request: Request) -> Response:
    """Tell what happened to a document, oldest first."""
    query = request.query_params
    with reading(context_of(request).engine) as session:
        page = timeline(
            session,
            owner_of(request),
            request.path_params["id"],
            cursor=query.get("cursor"),
            page_size=page_size(query, default=200),
        )
    following, previous = with_cursor(request, page)
    return json_answer(Timeline(count=page.count, next=following, previous=previous, results=page.results))


DOCUMENT_ROUTES = [
    Guarded(
        "/api/documents",
        {
            "GET": Operation(
                list_, Need.READ, {200: DocumentList}, parameters=(*DOCUMENT_FILTERS, ORDERING, CURSOR, PAGE_SIZE)
            ),
        },
    ),
    Guarded("/api/facets", {"GET": Operation(facets_, Need.READ, {200: Facets}, parameters=DOCUMENT_FILTERS)}),
    Guarded("/api/documents/{id}", {"GET": Operation(detail, Need.READ, {200: DocumentDetail})}),
    Guarded(
        "/api/documents/{id}/events",
        {"GET": Operation(events, Need.READ, {200: Timeline}, parameters=(CURSOR, PAGE_SIZE))},
    ),
]
