"""Search in the text of all documents, with the counts to narrow it by."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from shared.database.engine import reading
from shared.errors import Unavailable
from shared.search.port import Facet, FacetCount, Ordering
from web.access import owner_of
from web.api.models import SearchAnswer, SearchHitView
from web.context import Context, context_of
from web.errors import InvalidParameter
from web.filters import document_filters, number
from web.pages.links import Address
from web.pages.rendering import Renderer, frame_counts, link
from web.reads import search_documents

PAGE_SIZE = 20
MOST_PAGES = 100_000
ORDERINGS: Mapping[str, str] = {
    "": "Best match first",
    "-document_date": "Latest date first",
    "document_date": "Earliest date first",
    "-received_at": "Newest first",
    "title": "Title, A to Z",
}
_MOST_VALUES = 12


@dataclass(frozen=True)
class SearchPage:
    """GET /search"""

    renderer: Renderer

    def __call__(self, request: Request) -> Response:
        """The results; where the index does not answer, the page says so with status 503."""
        address = Address.of(request.url.path, request.query_params.multi_items())
        context = context_of(request)
        with reading(context.engine) as session:
            counts = frame_counts(session, request)
        try:
            answer = _answer(request, context)
        except Unavailable:
            answer = None
        values: dict[str, Any] = {
            "active": "search",
            "address": address,
            "answer": answer,
            "facet_counts": facet_counts,
            "facet_values": facet_values,
            "filtered": bool(address.without("q", "ordering").pairs),
            "hit_link": hit_link,
            "orderings": ORDERINGS,
            "outage": answer is None,
            "query": request.query_params.get("q", "").strip(),
            "year_link": year_link,
        }
        status_code = 503 if answer is None else 200
        return self.renderer.page(request, "search.html", values, counts=counts, status_code=status_code)


def _answer(request: Request, context: Context) -> SearchAnswer:
    if context.search is None:
        raise Unavailable("search is switched off")
    parameters = request.query_params
    with reading(context.engine) as session:
        return search_documents(
            session,
            context.search,
            owner_of(request),
            document_filters(parameters),
            facets=tuple(Facet),
            page=number(parameters, "page", 1, most=MOST_PAGES),
            page_size=PAGE_SIZE,
            ordering=_ordering(parameters.get("ordering") or Ordering.RELEVANCE.value),
        )


def _ordering(text: str) -> Ordering:
    try:
        return Ordering(text)
    except ValueError as error:
        raise InvalidParameter(f"ordering must be one of {', '.join(Ordering)}") from error


def hit_link(hit: SearchHitView, query: str, page: int | None = None) -> str:
    """Into the document, at the page of the hit, with the words to mark there."""
    best = page or (hit.page_numbers[0] if hit.page_numbers and query else None)
    return link(hit.links.page, q=query, page=best)


def facet_values(answer: SearchAnswer, address: Address, name: str) -> list[tuple[str, int]]:
    """The most frequent values with their counts; those that are set come along, however few they are.

    A single value that all results have would narrow nothing, so it is left out.
    """
    values = list(answer.facets.get(name, {}).items())
    key = "date_from" if name == "year" else name
    chosen = {value[:4] if name == "year" else value for each, value in address.pairs if each == key}
    if len(values) == 1 and values[0][1] == answer.total and not chosen:
        return []
    return values[:_MOST_VALUES] + [each for each in values[_MOST_VALUES:] if each[0] in chosen]


def facet_counts(answer: SearchAnswer, name: str) -> list[FacetCount]:
    """All values of a facet, as the menus of lists take them."""
    return [FacetCount(value=value, count=count) for value, count in answer.facets.get(name, {}).items()]


def year_link(address: Address, year: str) -> Address:
    """The result narrowed to one year, or no longer."""
    begin, end = f"{year}-01-01", f"{year}-12-31"
    dropped = address.without("date_from", "date_to")
    return dropped if address.has("date_from", begin) else dropped.having("date_from", begin).having("date_to", end)
