"""Replays and rebuilds: what is at work, what was, one of them as it goes on, and the dialog that starts another."""

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from shared.database.engine import reading
from shared.metadata import DocumentType
from web.access import owner_of
from web.context import context_of
from web.errors import InvalidCursor
from web.filters import page_size
from web.pages import activity_words, words
from web.pages.links import Address
from web.pages.rendering import Renderer, frame_counts
from web.reads import facets
from web.replay_reads import find_replay, list_replays
from web.replays import ReplayState

MOST_RUNNING: Final = 50


@dataclass(frozen=True)
class ReplaysPage:
    """GET /activity/replays"""

    renderer: Renderer

    def __call__(self, request: Request) -> Response:
        """The list; `new` opens the dialog with the other parameters filled in."""
        query = request.query_params
        address = Address.of(request.url.path, query.multi_items())
        with reading(context_of(request).engine) as session:
            counts = frame_counts(session, request)
            running = list_replays(session, ReplayState.RUNNING, page_size=MOST_RUNNING)
            try:
                past = list_replays(session, cursor=query.get("cursor"), page_size=page_size(query, 20))
            except InvalidCursor:
                return RedirectResponse(str(address.without()), 303)
            tags = [each.value for each in facets(session, owner_of(request)).tag]
        ended = tuple(replay for replay in past.results if replay.state is not ReplayState.RUNNING)
        values = {
            "active": "activity",
            "address": address.only("page_size"),
            "running": running.results,
            "past": past.with_results(ended),
            "new": query.get("new", ""),
            "chosen": dict(query.items()),
            "known_tags": tags,
            "types": activity_words.event_types(),
            "codes": activity_words.code_names(),
            "steps": activity_words.FROM_STEPS,
            "document_types": [each.value for each in DocumentType],
            "languages": words.LANGUAGE_NAMES,
        }
        return self.renderer.page(request, "replays.html", values, counts=counts)


@dataclass(frozen=True)
class ReplayPage:
    """GET /activity/replays/{id}"""

    renderer: Renderer

    def __call__(self, request: Request) -> Response:
        """The page. Raises NotFound."""
        with reading(context_of(request).engine) as session:
            counts = frame_counts(session, request)
            replay = find_replay(session, request.path_params["id"])
        return self.renderer.page(request, "replay.html", {"active": "activity", "replay": replay}, counts=counts)
