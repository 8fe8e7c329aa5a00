"""Search: the words of a person against the index, the answers from the database."""

from starlette.requests import Request
from starlette.responses import Response

from shared.database.engine import reading
from shared.search.port import Facet, Ordering
from web.access import Guarded, Need, Operation, Parameter, owner_of
from web.api.answers import ServiceUnavailable, json_answer
from web.api.links import with_number
from web.api.models import SearchAnswer
from web.api.parameters import DOCUMENT_FILTERS, PAGE, PAGE_SIZE
from web.context import context_of
from web.errors import InvalidParameter
from web.filters import document_filters, number, page_size
from web.reads import search_documents

DEFAULT_HITS = 20
MAX_PAGE = 10_000


def search(request: Request) -> Response:
    """Search titles, metadata and the whole text; 503 where the index does not answer."""
    context, query = context_of(request), request.query_params
    if context.search is None:
        raise ServiceUnavailable("Search is switched off on this server.", code="search_disabled")
    page, size = number(query, "page", 1, most=MAX_PAGE), page_size(query, DEFAULT_HITS)
    with reading(context.engine) as session:
        answer = search_documents(
            session,
            context.search,
            owner_of(request),
            document_filters(query),
            facets=_facets(query.getlist("facets")),
            page=page,
            page_size=size,
            ordering=_ordering(query.get("ordering")),
        )
    following, previous = with_number(request, page, page_size=size, total=answer.total)
    return json_answer(answer.model_copy(update={"next": following, "previous": previous}))


def _facets(texts: list[str]) -> tuple[Facet, ...]:
    names = dict.fromkeys(name.strip() for text in texts for name in text.split(",") if name.strip())
    try:
        return tuple(Facet(name) for name in names)
    except ValueError as error:
        raise InvalidParameter(f"facets must be some of {', '.join(Facet)}") from error


def _ordering(text: str | None) -> Ordering:
    try:
        return Ordering(text or Ordering.RELEVANCE)
    except ValueError as error:
        raise InvalidParameter(f"ordering must be one of {', '.join(Ordering)}") from error


_MORE = (
    Parameter("facets", f"What to count the result by, separated by commas: {', '.join(Facet)}."),
    Parameter("ordering", "The order of the hits.", values=tuple(Ordering)),
)

FINDING_ROUTES = [
    Guarded(
        "/api/search",
        {
            "GET": Operation(
                search,
                Need.READ,
                {200: SearchAnswer},
                parameters=(*DOCUMENT_FILTERS, *_MORE, PAGE, PAGE_SIZE),
            )
        },
    ),
]
