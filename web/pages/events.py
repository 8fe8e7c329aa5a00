"""The archive of events, as a list that people can read and narrow."""

import json
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from shared.database.engine import reading
from shared.events import short_type
from web.access import owner_of
from web.api.models import ArchivedEventView
from web.context import context_of
from web.errors import InvalidCursor
from web.filters import moment, page_size
from web.pages import activity_words
from web.pages.links import Address
from web.pages.operators import titles_of
from web.pages.rendering import Renderer, frame_counts
from web.reads import EventFilters, list_events
from web.views import event_sentence

PAGE_SIZE: Final = 25
"""Each event is on the page whole."""

_FILTERS = ("type", "subject", "source", "runid", "since", "until")


@dataclass(frozen=True)
class EventsPage:
    """GET /activity/events"""

    renderer: Renderer

    def __call__(self, request: Request) -> Response:
        """The page. Raises InvalidParameter."""
        query = request.query_params
        address = Address.of(request.url.path, query.multi_items())
        filters = _filters(request)
        with reading(context_of(request).engine) as session:
            counts = frame_counts(session, request)
            try:
                page = list_events(
                    session,
                    owner_of(request),
                    filters,
                    cursor=query.get("cursor"),
                    page_size=page_size(query, PAGE_SIZE),
                )
            except InvalidCursor:
                return RedirectResponse(str(address.without()), 303)
            titles = titles_of(session, [each.document_id for each in page.results])
        values = {
            "active": "activity",
            "address": address,
            "events": page.mapped(_shown),
            "titles": titles,
            "types": activity_words.event_types(),
            "filtered": bool(address.only(*_FILTERS).pairs),
            "again": dict(address.only(*_FILTERS).pairs),
            "shown_filter": activity_words.filter_words,
        }
        return self.renderer.page(request, "events.html", values, counts=counts)


def _filters(request: Request) -> EventFilters:
    query = request.query_params
    return EventFilters(
        type=query.get("type") or None,
        subject=query.get("subject") or None,
        source=query.get("source") or None,
        runid=query.get("runid") or None,
        since=moment(query, "since"),
        until=moment(query, "until", end_of_day=True),
    )


def _shown(event: ArchivedEventView) -> dict[str, Any]:
    short = short_type(event.type)
    return {
        "type": event.type,
        "time": event.time,
        "runid": event.runid,
        "document_id": event.document_id,
        "repeats": bool(event.event.get("replayof")),
        "failed": short == "document.failed",
        "symbol": activity_words.EVENT_SYMBOLS.get(short, "dot"),
        "sentence": event_sentence(event.type, event.event.get("data") or {}),
        "json": json.dumps(event.event, indent=2, ensure_ascii=False),
    }
