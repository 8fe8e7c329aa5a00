"""Lists of documents: all, those in the trash, those that need a person. All state is in the URL."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from shared.database.engine import reading
from shared.documents import Status
from web.access import owner_of
from web.api.models import DocumentSummary
from web.context import context_of
from web.errors import InvalidCursor
from web.filters import DocumentFilters, document_filters, page_size
from web.filters import Review as PendingReview
from web.pages.links import Address
from web.pages.rendering import Renderer, frame_counts
from web.reads import DEFAULT_ORDERING, facets, list_documents

ORDERINGS: Mapping[str, str] = {
    "": "Newest first",
    "received": "Oldest first",
    "-document_date": "Latest date first",
    "document_date": "Earliest date first",
    "title": "Title, A to Z",
    "-title": "Title, Z to A",
}
REPLAYABLE: Final = frozenset({"status", "document_type", "tag"})
"""The filters of the list that a replay has as well."""

MOST_REVIEWS: Final = 50
_NOT_A_FILTER = ("ordering", "cursor", "page_size", "trashed")


@dataclass(frozen=True)
class DocumentsPage:
    """GET /documents"""

    renderer: Renderer

    def __call__(self, request: Request) -> Response:
        """The list, or with `trashed=true` the trash."""
        filters = document_filters(request.query_params)
        heading, active = ("Trash", "trash") if filters.trashed else ("Documents", "documents")
        return _list(
            self.renderer, request, filters, {"heading": heading, "active": active, "review": False, "reviews": ()}
        )


@dataclass(frozen=True)
class ReviewPage:
    """GET /review"""

    renderer: Renderer

    def __call__(self, request: Request) -> Response:
        """The documents that need a person."""
        filters = replace(document_filters(request.query_params), status=Status.ATTENTION, trashed=False)
        words = {"heading": "Review", "active": "review", "review": True, "reviews": _reviews(request)}
        return _list(self.renderer, request, filters, words)


def _reviews(request: Request) -> tuple[DocumentSummary, ...]:
    """Documents that a new run made something else of, and that wait for a decision."""
    with reading(context_of(request).engine) as session:
        waiting = DocumentFilters(review=PendingReview.PENDING)
        return list_documents(session, owner_of(request), waiting, page_size=MOST_REVIEWS).results


def _list(renderer: Renderer, request: Request, filters: DocumentFilters, words: dict[str, Any]) -> Response:
    address = Address.of(request.url.path, request.query_params.multi_items())
    with reading(context_of(request).engine) as session:
        counts = frame_counts(session, request)
        try:
            values = _values(session, request, filters)
        except InvalidCursor:
            # A bookmark of another ordering or release: the list itself is what was meant.
            return RedirectResponse(str(address.without()), 303)
    frame = {
        "address": address,
        "orderings": ORDERINGS,
        "filtered": bool(address.without(*_NOT_A_FILTER).pairs),
        "trash": filters.trashed,
        "again": _again(address) if counts.operator and not filters.trashed else None,
    }
    return renderer.page(request, "documents.html", values | frame | words, counts=counts)


def _again(address: Address) -> str | None:
    """Where a replay of what is listed begins; None where a replay knows one of the filters not, and would do more."""
    filters = address.without("ordering", "page_size").pairs
    if (
        address.path != "/documents"
        or not filters
        or {name for name, _value in filters} - REPLAYABLE
        or len(dict(filters)) < len(filters)
    ):
        return None
    return str(Address("/activity/replays", (("new", "reprocess"), *filters)))


def _values(session: Session, request: Request, filters: DocumentFilters) -> dict[str, Any]:
    owner, parameters = owner_of(request), request.query_params
    return {
        "documents": list_documents(
            session,
            owner,
            filters,
            ordering=parameters.get("ordering") or DEFAULT_ORDERING,
            cursor=parameters.get("cursor"),
            page_size=page_size(parameters),
        ),
        "facets": facets(session, owner, filters),
    }
