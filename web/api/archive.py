"""The archive of events."""

from starlette.requests import Request
from starlette.responses import Response

from shared.database.engine import reading
from web.access import Guarded, Need, Operation, Parameter, identity_of
from web.api.answers import json_answer
from web.api.links import with_cursor
from web.api.models import EventList
from web.api.parameters import CURSOR, PAGE_SIZE
from web.context import context_of
from web.filters import moment, page_size
from web.reads import EventFilters, list_events


def events(request: Request) -> Response:
    """List archived events, newest first: those of your documents, for an administrator all."""
    query = request.query_params
    filters = EventFilters(
        type=query.get("type"),
        subject=query.get("subject"),
        source=query.get("source"),
        runid=query.get("runid"),
        since=moment(query, "since"),
        until=moment(query, "until", end_of_day=True),
    )
    who = identity_of(request)
    owner = None if who.scope >= Need.ADMIN else who.owner
    with reading(context_of(request).engine) as session:
        page = list_events(session, owner, filters, cursor=query.get("cursor"), page_size=page_size(query))
    following, previous = with_cursor(request, page)
    return json_answer(EventList(count=page.count, next=following, previous=previous, results=page.results))


_FILTERS = (
    Parameter("type", "Event type, as `document.received` or in full."),
    Parameter("subject", "The document's id."),
    Parameter("source", "Who sent it, as `/docuelevate/functions/ocr`."),
    Parameter("runid", "One run."),
    Parameter("since", "Earliest time, ISO 8601."),
    Parameter("until", "Latest time."),
)

ARCHIVE_ROUTES = [
    Guarded(
        "/api/events",
        {"GET": Operation(events, Need.READ, {200: EventList}, parameters=(*_FILTERS, CURSOR, PAGE_SIZE))},
    ),
]
